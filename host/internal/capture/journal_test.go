package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/schema"
)

func journalLine(t testing.TB, agent, id string) string {
	t.Helper()
	r := record{Begin: &Begin{Agent: &Agent{ID: agent}, InferenceID: id}, Completion: ended(schema.StatusSucceeded, 40)}
	line, err := r.line()
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

func TestParseJournal(t *testing.T) {
	one, two := journalLine(t, "a", "1"), journalLine(t, "a", "2")
	for _, tt := range []struct {
		name, data string
		records    int
		damaged    []int
		torn       int
	}{
		{"Empty", "", 0, nil, 0},
		{"Whole", one + two, 2, nil, 0},
		{"TornLastLineIsNoRecord", one + two[:20], 1, nil, 20},
		{"OneByteShortIsTorn", one + two[:len(two)-1], 1, nil, len(two) - 1},
		{"DamagedInTheMiddle", one + strings.Replace(two, "vendor", "vendar", 1) + one, 2, []int{2}, 0},
		{"DamagedFirst", "\x00\x00\x00\n" + one, 1, []int{1}, 0},
		{"EmptyLine", one + "\n" + two, 2, []int{2}, 0},
		{"TwoLinesGrownTogether", strings.TrimSuffix(one, "\n") + two, 0, []int{1}, 0},
		{"RightSumOfNoRecord", "c5e5b8ce {}\n" + one, 1, []int{1}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records, damaged, torn := parseJournal([]byte(tt.data))
			if len(records) != tt.records || fmt.Sprint(damaged) != fmt.Sprint(tt.damaged) || torn != tt.torn {
				t.Errorf("got %d records, damaged %v, torn %d, want %d, %v, %d", len(records), damaged, torn, tt.records, tt.damaged, tt.torn)
			}
		})
	}
}

// Whatever a file holds, its good lines come back as they were written, and every other line is counted.
func FuzzParseJournal(f *testing.F) {
	one := journalLine(f, "a", "1")
	for _, seed := range []string{"", one, one + one[:9], "\n\n", "00000000 {}\n", one[:8] + "\t" + one[9:], strings.Repeat("x", 100)} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		records, damaged, torn := parseJournal(data)
		if lines := bytes.Count(data, []byte{'\n'}); len(records)+len(damaged) != lines {
			t.Fatalf("%d records and %d damaged of %d lines", len(records), len(damaged), lines)
		}
		if last := len(data) - bytes.LastIndexByte(data, '\n') - 1; torn != last {
			t.Fatalf("torn %d, want %d", torn, last)
		}
		// Written between what is there, a record is found whatever stands before and behind it.
		cut := max(0, min(at, len(data)))
		joined := string(data[:cut]) + "\n" + one + string(data[cut:])
		with, _, _ := parseJournal([]byte(joined))
		found := false
		for _, r := range with {
			found = found || r.Begin.InferenceID == "1" && r.Completion.CostMicroUSD == 40 && r.Begin.Agent.ID == "a"
		}
		if !found {
			t.Fatalf("the record was lost in %q", joined)
		}
	})
}

// What can't be booked is named and kept aside; everything around it is booked, and the host starts.
func TestDamagedJournalIsSetAside(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		if config.Dir == "" {
			config.Dir = t.TempDir()
		}
		logs := &lockedLog{}
		config.Logger = hclog.New(&hclog.LoggerOptions{Output: logs})
		b, store := openFlaky(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		calls := []*Call{mustBegin(t, b, routed(a, 100)), mustBegin(t, b, pinned(a, 100)), mustBegin(t, b, routed(a, 100))}
		store.away.Store(true)
		for _, c := range calls {
			mustComplete(t, c, ended(schema.StatusSucceeded, 40))
		}
		files, err := b.journal.files()
		if err != nil || len(files) != 1 {
			t.Fatalf("got %v, %v, want one file", files, err)
		}
		crash(t, b)
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(data, []byte{'\n'})
		lines[1][len(lines[1])/2] ^= 1
		stranger := []byte(journalLine(t, "nobody", NewID()))
		if err := os.WriteFile(files[0], bytes.Join(append(lines, stranger), nil), 0o600); err != nil {
			t.Fatal(err)
		}

		b = openBooks(t, config)
		for i, want := range []string{schema.StatusSucceeded, schema.StatusFailedHost, schema.StatusSucceeded} {
			if got, err := b.Inference(ctx, calls[i].ID()); err != nil || got.Status != want {
				t.Errorf("call %d: got %s, %v, want %s", i, got.Status, err, want)
			}
		}
		aside, err := filepath.Glob(filepath.Join(config.Dir, "aside-*"))
		if err != nil || len(aside) != 1 || b.journal.pending() != 0 {
			t.Errorf("got %v, %v, %d pending, want the file aside", aside, err, b.journal.pending())
		}
		if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Contains(kept, lines[1]) {
			t.Errorf("the damaged line is not in %s (%v)", aside[0], err)
		}
		if text := logs.String(); !strings.Contains(text, aside[0]) || !strings.Contains(text, "damaged-lines=[2]") || !strings.Contains(text, "agent-id=nobody") {
			t.Errorf("the log does not name what is damaged:\n%s", text)
		}
		checkBooks(t, b)
	})
}

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A long outage fills several files, each delivered by itself.
func TestJournalBeginsAnotherFile(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(osDisk{}, dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	const records = 5
	j.most = 30_000
	for range records {
		r := &record{Begin: &Begin{Agent: &Agent{ID: "a"}}, Completion: &Completion{ResponseBody: make([]byte, 10_000)}}
		if err := j.append(r, nil); err != nil {
			t.Fatal(err)
		}
	}
	files, err := j.files()
	if err != nil || len(files) != 2 || j.pending() != records {
		t.Fatalf("got %d files, %v, %d pending, want 2 and %d", len(files), err, j.pending(), records)
	}
	again, err := openJournal(osDisk{}, dir, hclog.NewNullLogger())
	if err != nil || again.pending() != records {
		t.Fatalf("got %v, %d pending, want %d", err, again.pending(), records)
	}
	var batches []int
	err = again.deliver(func(r []*record) (int, error) {
		batches = append(batches, len(r))
		return 0, nil
	})
	if err != nil || fmt.Sprint(batches) != "[3 2]" || again.pending() != 0 {
		t.Errorf("got %v, %v, %d pending, want [3 2] and none", batches, err, again.pending())
	}
}

// A fullDisk has no room for the journal while it is full. What fits of a write it takes.
type fullDisk struct {
	disk
	full atomic.Bool
}

type fullFile struct {
	diskFile
	d *fullDisk
}

func (d *fullDisk) create(path string) (diskFile, error) {
	f, err := d.disk.create(path)
	return fullFile{f, d}, err
}

func (f fullFile) Write(b []byte) (int, error) {
	if !f.d.full.Load() {
		return f.diskFile.Write(b)
	}
	n, err := f.diskFile.Write(b[:len(b)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

// openWithoutRoom opens books with a call each that ended when the store was away and the disk full, behind one for which
// there was room.
func openWithoutRoom(t *testing.T, config Config) (b *Books, store *flakyStore, d *fullDisk, calls []*Call) {
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	d = &fullDisk{disk: osDisk{}}
	config.disk = d
	b, store = openFlaky(t, config)
	a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
	calls = []*Call{mustBegin(t, b, routed(a, 100)), mustBegin(t, b, routed(a, 100)), mustBegin(t, b, pinned(a, 100))}
	store.away.Store(true)
	mustComplete(t, calls[0], ended(schema.StatusSucceeded, 40))
	d.full.Store(true)
	for _, c := range calls[1:] {
		if err := c.Complete(context.Background(), ended(schema.StatusSucceeded, 40)); !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v, want that neither takes it", err)
		}
		if err := c.Complete(context.Background(), ended(schema.StatusSucceeded, 40)); !errors.Is(err, ErrCompleted) {
			t.Errorf("got %v, want that it is the books' business now", err)
		}
	}
	if n := b.stranded.count(); n != 2 {
		t.Fatalf("got %d stranded, want 2", n)
	}
	return b, store, d, calls
}

func wantSucceeded(t *testing.T, b *Books, calls []*Call) {
	t.Helper()
	for _, c := range calls {
		if i, err := b.Inference(context.Background(), c.ID()); err != nil || i.Status != schema.StatusSucceeded || i.CostMicroUSD != 40 {
			t.Errorf("got %s, %d, %v, want succeeded for 40", i.Status, i.CostMicroUSD, err)
		}
	}
	checkBooks(t, b)
}

// Nothing is dropped because something is full: a completion that neither the store nor the disk takes waits for one.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	onEachStore(t, func(t *testing.T, config Config) {
		t.Run("TheStoreComesBack", func(t *testing.T) {
			b, store, d, calls := openWithoutRoom(t, config)
			for range 3 { // each try finds no room, and leaves no files behind
				if err := b.endStranded(ctx); err == nil || b.stranded.count() != 2 {
					t.Fatalf("got %v, %d stranded, want both kept", err, b.stranded.count())
				}
			}
			if files, err := b.journal.files(); err != nil || len(files) != 1 {
				t.Errorf("got %v, %v, want the one file that there was room for", files, err)
			}
			store.away.Store(false)
			if err := errors.Join(b.endStranded(ctx), b.deliverJournal(ctx)); err != nil || b.stranded.count() != 0 {
				t.Errorf("got %v, %d stranded, want none", err, b.stranded.count())
			}
			wantSucceeded(t, b, calls)
			d.full.Store(false)
		})
	})
	t.Run("ThereIsRoomAgain", func(t *testing.T) {
		b, store, d, calls := openWithoutRoom(t, Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
		d.full.Store(false)
		if err := b.endStranded(ctx); err != nil || b.stranded.count() != 0 || b.journal.pending() != 3 {
			t.Errorf("got %v, %d stranded, %d journaled, want all journaled", err, b.stranded.count(), b.journal.pending())
		}
		store.away.Store(false)
		if err := b.deliverJournal(ctx); err != nil {
			t.Error(err)
		}
		wantSucceeded(t, b, calls)
	})
	t.Run("TheStopWaits", func(t *testing.T) {
		config := Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db"), Dir: t.TempDir()}
		logs := &lockedLog{}
		config.Logger = hclog.New(&hclog.LoggerOptions{Output: logs})
		b, _, d, calls := openWithoutRoom(t, config)
		closed := make(chan error, 1)
		go func() { closed <- b.Close(ctx) }()
		waitFor(func() bool { return strings.Contains(logs.String(), "written nowhere") })
		select {
		case err := <-closed:
			t.Fatalf("the books closed over what they had not written: %v", err)
		default:
		}
		d.full.Store(false)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wantSucceeded(t, openBooks(t, config), calls)
	})
	t.Run("TheStopGivesUpAloud", func(t *testing.T) {
		b, store, _, _ := openWithoutRoom(t, Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
		brief, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := b.landStranded(brief); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 calls") {
			t.Errorf("got %v, want that two calls are lost", err)
		}
		store.away.Store(false) // for the end of the test
	})
}
