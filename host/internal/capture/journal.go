package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// A record is one line of the journal: a completion that the store does not have, with its begin, so that it can be
// booked whatever became of the store's memory of it.
type record struct {
	Begin      *Begin
	Hold       int64
	Completion *Completion
}

// A journal keeps completions on local disk while the store is away: files of lines, each durable before its append
// returns. A file is deleted when the store has all of it; what is applied twice is applied once by its id. Its size is
// bounded by the calls that are in flight when the store goes away, since none begins without the store.
//
//	line = CRC-32C of the JSON, 8 hex digits ' ' JSON '\n'
type journal struct {
	dir  string
	disk disk
	log  hclog.Logger

	mu   sync.Mutex
	file diskFile // the one being appended to, or nil
	path string   // its
	size int64    // of what is durable in it
	most int64    // and when another is begun
	// waiting counts the records that are not delivered, by file.
	waiting map[string]int
}

const (
	journalFiles = "journal-*.jsonl"
	// journalFileBytes is when another file is begun: a delivery holds one in memory.
	journalFileBytes = 8 << 20
)

// openJournal finds what a former process left.
func openJournal(d disk, dir string, log hclog.Logger) (*journal, error) {
	j := &journal{dir: dir, disk: d, log: log, waiting: map[string]int{}, most: journalFileBytes}
	files, err := j.files()
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		records, _, err := j.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // beside a running host, which has delivered it
		}
		if err != nil {
			return nil, err
		}
		j.waiting[path] = len(records)
	}
	return j, nil
}

// pending counts the completions that the store does not have yet.
func (j *journal) pending() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, waiting := range j.waiting {
		n += waiting
	}
	return n
}

// append returns when the record would survive the loss of power. An error means that it may not.
func (j *journal) append(r *record, err error) error {
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	line, err := r.line()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(line); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.waiting[j.path]++
	return nil
}

func (j *journal) write(line []byte) error {
	if j.file != nil && j.size >= j.most {
		j.seal()
	}
	if j.file == nil {
		if err := j.begin(); err != nil {
			return err
		}
	}
	_, err := j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.abandon()
		return err
	}
	j.size += int64(len(line))
	return nil
}

// begin makes a file, its name durable before anything in it is promised to anybody.
func (j *journal) begin() error {
	path := filepath.Join(j.dir, "journal-"+NewID()+".jsonl")
	f, err := j.disk.create(path)
	if err != nil {
		return err
	}
	j.file, j.path, j.size = f, path, 0
	if err := j.disk.syncDir(j.dir); err != nil {
		j.abandon()
		return err
	}
	return nil
}

// abandon ends a file whose last write failed. It takes that write back, as far as the disk still lets it: whoever made
// it will try again. What is left is a torn last line, or a whole one that is delivered twice and applied once.
func (j *journal) abandon() {
	if j.size == 0 {
		_ = j.disk.remove(j.path)
	} else {
		_ = j.file.Truncate(j.size)
	}
	j.seal()
}

// seal makes the next append begin a new file.
func (j *journal) seal() {
	if j.file != nil {
		_ = j.file.Close() // everything that was promised is synced
		j.file = nil
	}
}

// files lists the journal's files, oldest first, as their names sort by time.
func (j *journal) files() ([]string, error) {
	files, err := j.disk.list(j.dir, journalFiles)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return files, nil
}

// read returns the records of a file, and the numbers of the lines that can't be read.
func (j *journal) read(path string) (records []*record, damaged []int, err error) {
	data, err := j.disk.read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	records, damaged, torn := parseJournal(data)
	if torn > 0 {
		j.log.Warn("journal ends in a torn line, which was never acknowledged", "file", path, "bytes", torn)
	}
	return records, damaged, nil
}

// parseJournal reads a file's lines. The last may be torn, by a crash before its append returned: it was promised to
// nobody. Any other that can't be read is damaged, and the lines around it are as good as ever.
func parseJournal(data []byte) (records []*record, damaged []int, torn int) {
	for number := 1; len(data) > 0; number++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return records, damaged, len(line)
		}
		if r := parseRecord(line); r != nil {
			records = append(records, r)
		} else {
			damaged = append(damaged, number)
		}
		data = rest
	}
	return records, damaged, 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumLength is that of the digits and the space behind them.
const checksumLength = 9

func (r *record) line() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(append(checksum(b), b...), '\n'), nil
}

// checksum is what a line begins with.
func checksum(body []byte) []byte {
	return fmt.Appendf(make([]byte, 0, checksumLength+len(body)+1), "%08x ", crc32.Checksum(body, castagnoli))
}

// parseRecord returns nil of a line that is not as it was written.
func parseRecord(line []byte) *record {
	if len(line) < checksumLength {
		return nil
	}
	sum, body := line[:checksumLength], line[checksumLength:]
	if !bytes.Equal(sum, checksum(body)) {
		return nil
	}
	r := new(record)
	if err := json.Unmarshal(body, r); err != nil || r.Begin == nil || r.Begin.Agent == nil || r.Completion == nil {
		return nil
	}
	return r
}

// deliver hands what is in the journal to apply, file by file, and deletes each file that was applied whole. apply says
// how many of the records the store will never take: the file of such a one, or of a damaged line, is set aside. It stops
// at the first error; what was applied before is then applied again next time. Appends go on meanwhile.
func (j *journal) deliver(apply func([]*record) (refused int, err error)) error {
	j.mu.Lock()
	j.seal()
	files, err := j.files()
	j.mu.Unlock()
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := j.deliverFile(path, apply); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (j *journal) deliverFile(path string, apply func([]*record) (int, error)) error {
	records, damaged, err := j.read(path)
	if err != nil {
		return err
	}
	refused, err := apply(records)
	if err != nil {
		return err
	}
	if len(damaged) > 0 || refused > 0 {
		err = j.setAside(path, damaged, refused)
	} else {
		err = j.disk.remove(path) // a name that comes back with the power brings what is applied already
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	delete(j.waiting, path)
	j.mu.Unlock()
	if n := len(records) - refused; n > 0 {
		j.log.Info("journal delivered", "completions", n)
	}
	return nil
}

// setAside keeps a file that could not be delivered whole out of the way of those that can: its calls are for a human.
func (j *journal) setAside(path string, damaged []int, refused int) error {
	aside := filepath.Join(filepath.Dir(path), "aside-"+strings.TrimPrefix(filepath.Base(path), "journal-"))
	if err := j.disk.rename(path, aside); err != nil {
		return err
	}
	j.log.Error("journal has completions that can't be booked: all others are, and the file is kept aside; what it says of them is to be booked by hand",
		"file", aside, "damaged-lines", damaged, "refused-by-the-store", refused)
	return j.disk.syncDir(filepath.Dir(path))
}

// record is what the journal keeps of a call that ends.
func (c *Call) record(d *Completion) (*record, error) {
	begin := *c.begin
	if c.begin.Decided != nil {
		decided := *c.begin.Decided
		var err error
		if decided.Input, err = c.input.document(); err != nil {
			return nil, err
		}
		if decided.Output, err = c.output.document(); err != nil {
			return nil, err
		}
		begin.Decided = &decided
	}
	return &record{Begin: &begin, Hold: c.hold, Completion: d}, nil
}
