package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/schema"
)

// A powerDisk keeps apart what is durable from what only seems so, and loses its power at the operation failAt.
type powerDisk struct {
	failAt  int // -1: never
	ops     int
	dead    bool
	names   map[string]*node
	durable map[string]*node // the names as they were last synced
	// noSync and noSyncDir make the syncs do nothing, as a host that left them out.
	noSync, noSyncDir bool
}

// A node is a file: what was written, and what of it is durable.
type node struct{ data, synced []byte }

type powerFile struct {
	d *powerDisk
	n *node
}

var errPower = errors.New("the power is gone")

func newPowerDisk(failAt int) *powerDisk {
	return &powerDisk{failAt: failAt, names: map[string]*node{}, durable: map[string]*node{}}
}

// step counts an operation, and reports that it is not carried out.
func (d *powerDisk) step() error {
	if d.ops == d.failAt {
		d.dead = true
	}
	if d.dead {
		return errPower
	}
	d.ops++
	return nil
}

func (d *powerDisk) create(path string) (diskFile, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	if d.names[path] != nil {
		return nil, fs.ErrExist
	}
	n := &node{}
	d.names[path] = n
	return powerFile{d, n}, nil
}

func (f powerFile) Write(b []byte) (int, error) {
	dead := f.d.dead
	if err := f.d.step(); err != nil {
		if !dead {
			f.n.data = append(f.n.data, b[:len(b)/2]...) // the write that the power went in
		}
		return 0, err
	}
	f.n.data = append(f.n.data, b...)
	return len(b), nil
}

func (f powerFile) Sync() error {
	if f.d.noSync {
		return nil
	}
	if err := f.d.step(); err != nil {
		return err
	}
	f.n.synced = slices.Clone(f.n.data)
	return nil
}

func (f powerFile) Truncate(size int64) error {
	if err := f.d.step(); err != nil {
		return err
	}
	f.n.data = f.n.data[:size]
	return nil
}

func (f powerFile) Close() error { return nil }

func (d *powerDisk) read(path string) ([]byte, error) {
	if d.dead {
		return nil, errPower
	}
	if n := d.names[path]; n != nil {
		return slices.Clone(n.data), nil
	}
	return nil, fs.ErrNotExist
}

func (d *powerDisk) list(dir, pattern string) ([]string, error) {
	if d.dead {
		return nil, errPower
	}
	var paths []string
	for path := range d.names {
		if ok, _ := filepath.Match(pattern, filepath.Base(path)); ok && filepath.Dir(path) == dir {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

func (d *powerDisk) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *powerDisk) remove(path string) error {
	if d.names[path] == nil {
		return fs.ErrNotExist
	}
	if err := d.step(); err != nil {
		return err
	}
	delete(d.names, path)
	return nil
}

func (d *powerDisk) syncDir(string) error {
	if d.noSyncDir {
		return nil
	}
	if err := d.step(); err != nil {
		return err
	}
	d.durable = maps.Clone(d.names)
	return nil
}

// A survival is what the disk had come to write by itself of what was not synced when the power went.
type survival struct {
	name  string
	names bool // the directory
	data  func(n *node) []byte
}

var survivals = []survival{
	{"Nothing", false, func(n *node) []byte { return n.synced }},
	{"Everything", true, func(n *node) []byte { return n.data }},
	{"NamesWithoutContent", true, func(n *node) []byte { return n.synced }},
	{"ContentWithoutNames", false, func(n *node) []byte { return n.data }},
	{"HalfTheContent", true, func(n *node) []byte { return append(slices.Clip(n.synced), n.tail(false)...) }},
	{"ZeroesForContent", true, func(n *node) []byte { return append(slices.Clip(n.synced), n.tail(true)...) }},
}

// tail is what of an unsynced end is found: its first half, or as many zeroes as it was long.
func (n *node) tail(zeroes bool) []byte {
	if !bytes.HasPrefix(n.data, n.synced) {
		return nil // the file was cut since
	}
	rest := n.data[len(n.synced):]
	if zeroes {
		return make([]byte, len(rest))
	}
	return rest[:len(rest)/2]
}

// reboot is the disk as the next start finds it.
func (d *powerDisk) reboot(s survival) *powerDisk {
	names := d.durable
	if s.names {
		names = d.names
	}
	next := newPowerDisk(-1)
	for path, n := range names {
		data := slices.Clone(s.data(n))
		next.names[path] = &node{data, data}
	}
	next.durable = maps.Clone(next.names)
	return next
}

// String is all that is on the disk.
func (d *powerDisk) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		fmt.Fprintf(&b, "%s %q\n", path, d.names[path].data)
	}
	return b.String()
}

// A powerRun is one life of a host on a powerDisk.
type powerRun struct {
	config Config
	disk   *powerDisk
	agent  *Agent
	key    string  // the signing key that the store knows, empty before
	calls  []*Call // all that began
	kept   []*Call // those whose completion was acknowledged
	opened bool
}

// live has a host journal, deliver and journal again, until the power goes or all is done.
func (r *powerRun) live(t *testing.T) {
	store := &flakyStore{}
	config := r.config
	config.disk = r.disk
	config.wrap = func(e engine) engine {
		store.engine = e
		return store
	}
	b, err := Open(context.Background(), config)
	if err != nil {
		if !r.disk.dead {
			t.Fatal(err)
		}
		return
	}
	defer func() { // the process is gone, its connections too
		b.stranded.take()
		store.away.Store(true)
		crashed(t, b, store)
	}()
	r.key, r.opened = b.Signer().KeyID(), true
	r.agent = mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
	for range 5 {
		r.calls = append(r.calls, mustBegin(t, b, routed(r.agent, 100)))
	}
	complete := func(calls ...*Call) {
		for _, c := range calls {
			if c.Complete(context.Background(), ended(schema.StatusSucceeded, 40)) == nil {
				r.kept = append(r.kept, c)
			}
		}
	}
	store.away.Store(true)
	complete(r.calls[0], r.calls[1])
	_ = b.deliverJournal(context.Background()) // the store is away: the files stay, and the next append begins another
	complete(r.calls[2])
	store.away.Store(false)
	_ = b.deliverJournal(context.Background()) // what is applied is removed, unless the power goes
	store.away.Store(true)
	complete(r.calls[3], r.calls[4])
}

// crashed closes the store under the books, so that nothing more is written to either.
func crashed(t *testing.T, b *Books, store *flakyStore) {
	t.Helper()
	close(b.closing)
	b.tasks.Wait()
	if err := b.writer.close(context.Background()); err != nil {
		t.Fatal(err)
	}
	errs := []error{store.engine.close(), b.db.Close()}
	for _, l := range b.locks {
		errs = append(errs, l.unlock())
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// after starts the next host on what is left and returns what it finds missing.
func (r *powerRun) after(t *testing.T, left *powerDisk) (lost []string) {
	config := r.config
	config.disk = left
	b, err := Open(context.Background(), config)
	if err != nil {
		return []string{"the host does not start: " + err.Error()}
	}
	defer func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if r.opened && b.Signer().KeyID() != r.key {
		lost = append(lost, "the signing key")
	}
	for i, c := range r.calls {
		row, err := b.Inference(context.Background(), c.ID())
		if err != nil {
			t.Fatal(err)
		}
		switch kept := slices.Contains(r.kept, c); {
		case kept && (row.Status != schema.StatusSucceeded || row.CostMicroUSD != 40):
			lost = append(lost, fmt.Sprintf("call %d was acknowledged and is %s", i, row.Status))
		case !kept && row.Status != schema.StatusSucceeded && row.Status != schema.StatusFailedHost:
			lost = append(lost, fmt.Sprintf("call %d is %s", i, row.Status))
		}
	}
	checkBooks(t, b)
	if _, err := config.disk.read(filepath.Join(r.config.Dir, "signing_key.pem")); err != nil {
		lost = append(lost, "the signing key's file")
	}
	return lost
}

// losses takes the power away at every operation on the disk, and for each has the next host start on everything that
// may be left. It returns how many ways there were and what was lost in them.
func losses(t *testing.T, prepare func(*powerDisk), stop bool) (ways int, lost []string) {
	dir := t.TempDir() // as the host sees it; its store is where the run says
	for at := 0; ; at++ {
		store := filepath.Join(t.TempDir(), "books.db")
		r := &powerRun{config: Config{DSN: "sqlite://" + store, Dir: dir}, disk: newPowerDisk(at)}
		prepare(r.disk)
		r.live(t)
		seen := map[string]bool{}
		for _, s := range survivals {
			next := r.disk.reboot(s)
			if seen[next.String()] {
				continue // another survival leaves the same
			}
			seen[next.String()] = true
			copied := filepath.Join(t.TempDir(), "books.db")
			copyFile(t, store, copied)
			r.config.DSN = "sqlite://" + copied
			ways++
			for _, l := range r.after(t, next) {
				lost = append(lost, fmt.Sprintf("power lost at operation %d, %s survives: %s", at, s.name, l))
			}
			if stop && len(lost) > 0 {
				return ways, lost
			}
		}
		if !r.disk.dead {
			return ways, lost
		}
	}
}

// copyFile copies a closed store, where there is one.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever the disk has written of what was not synced, a completion that was acknowledged is booked, the signing key is
// the same, and the host starts.
func TestLossOfPowerAtEveryOperation(t *testing.T) {
	t.Parallel()
	ways, lost := losses(t, func(*powerDisk) {}, false)
	for _, l := range lost {
		t.Error(l)
	}
	if ways < 50 {
		t.Errorf("the power was lost in %d ways only", ways)
	}
	t.Logf("%d ways to lose the power", ways)
}

// The same test finds what a host would lose that left a sync out: it is a test that can fail.
func TestLossOfPowerIsNoticedWithoutSync(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*powerDisk){
		"OfTheFile":      func(d *powerDisk) { d.noSync = true },
		"OfTheDirectory": func(d *powerDisk) { d.noSyncDir = true },
	} {
		t.Run(name, func(t *testing.T) {
			if ways, lost := losses(t, prepare, true); len(lost) == 0 {
				t.Errorf("nothing was lost in %d ways, although nothing was synced", ways)
			}
		})
	}
}
