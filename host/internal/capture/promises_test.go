package capture

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/schema"
)

// promisesEnv names the directory in which TestMakePromises works, when it is run to be watched.
const promisesEnv = "AINFERA_TEST_PROMISES"

// TestMakePromises is the watched half of TestSQLiteKeepsItsPromises: books on SQLite that say on the standard error what
// they have promised as soon as they have. On the way the write-ahead log is emptied into the file, so that the syncs of
// that are watched, too. It ends without closing anything.
func TestMakePromises(t *testing.T) {
	dir := os.Getenv(promisesEnv)
	if dir == "" {
		t.Skip("runs under TestSQLiteKeepsItsPromises")
	}
	ctx := context.Background()
	b, err := Open(ctx, Config{DSN: "sqlite://" + filepath.Join(dir, "new", "books.db")})
	if err != nil {
		t.Fatal(err)
	}
	a := mustAgent(t, b, NewAgent{Name: "a", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 100_000})
	promise := func(what, id string) { fmt.Fprintf(os.Stderr, "promise %s %s\n", what, id) }
	for _, then := range []string{"PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)", ""} {
		var group sync.WaitGroup
		for g := range 3 {
			group.Go(func() {
				for range 2 {
					c := mustBegin(t, b, routed(a, 100))
					promise("begun", c.ID())
					if g == 2 {
						continue // an orphan
					}
					mustComplete(t, c, ended(schema.StatusSucceeded, 40))
					promise("ended", c.ID())
				}
			})
		}
		group.Wait()
		if then != "" {
			if _, err := b.db.ExecContext(ctx, then); err != nil {
				t.Fatal(err)
			}
		}
	}
	os.Exit(0)
}

// TestSQLiteKeepsItsPromises watches every write and every sync that a host on SQLite makes, and puts together from them
// what a disk could hold that lost its power at any of its syncs and promises, whatever it had written by itself of what
// was not synced. From each the next start must know every call that was promised.
func TestSQLiteKeepsItsPromises(t *testing.T) {
	t.Parallel()
	events := watch(t)
	for _, tt := range []struct {
		name    string
		ignored func(path string) bool // syncs that are taken to have done nothing
		loses   bool
	}{
		{"AsItIs", func(string) bool { return false }, false},
		{"WithoutTheSyncsOfTheLog", func(path string) bool { return strings.HasSuffix(path, "-wal") }, true},
		{"WithoutTheSyncsOfTheDirectories", func(path string) bool { return !strings.Contains(filepath.Base(path), ".") }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := replay{t: t, ignored: tt.ignored, known: map[string]map[string]string{}, stop: tt.loses}
			r.run(events)
			t.Logf("%d events, %d moments, %d different disks, %d promises", len(events), r.moments, len(r.known), len(r.promised))
			switch {
			case tt.loses && len(r.lost) == 0:
				t.Error("nothing was lost although syncs did nothing: this test could not fail")
			case !tt.loses && len(r.lost) > 0:
				t.Errorf("lost %d times, at first:\n%s", len(r.lost), strings.Join(r.lost[:min(5, len(r.lost))], "\n"))
			case !tt.loses && (len(r.promised) < 20 || r.moments < 50):
				t.Errorf("%d promises at %d moments: too little was watched", len(r.promised), r.moments)
			}
		})
	}
}

// watch runs TestMakePromises under strace and returns what it did to its files, and promised, in order.
func watch(t *testing.T) []event {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace in PATH: install it to run this test")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "trace")
	watched := filepath.Join(dir, "disk")
	if err := os.Mkdir(watched, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-qq", "-y", "-xx", "-s", "4000000", "-o", log, "-e", "signal=none",
		"-e", "trace=open,openat,creat,pwrite64,pwritev,write,writev,ftruncate,fallocate,fsync,fdatasync,msync,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat",
		self, "-test.run", "^TestMakePromises$")
	cmd.Env = append(os.Environ(), promisesEnv+"="+watched)
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("strace may not watch here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	events, err := parseTrace(string(text), watched)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// A replay is a disk on which the events happen again, and the checks of what it may hold when the power goes.
type replay struct {
	t       *testing.T
	ignored func(path string) bool
	stop    bool // at the first loss

	names    map[string]*inode // as the processes see them
	durable  map[string]*inode // as they were when their directory was synced
	dirs     map[string]bool   // directories that the run has made: whether they are durable
	promised [][2]string
	known    map[string]map[string]string // what the next start finds on a disk: a call's status, by the disk's digest
	moments  int
	lost     []string
}

// An inode is a file: what is durable of it, and the writes since.
type inode struct {
	durable, syncing []byte
	since            []event
	begun            int // how many of since the sync that is under way covers
}

func (r *replay) run(events []event) {
	r.names, r.durable, r.dirs = map[string]*inode{}, map[string]*inode{}, map[string]bool{}
	for i := range events {
		e := &events[i]
		moment := r.apply(e)
		if !moment {
			continue
		}
		r.moments++
		for _, s := range traceSurvivals {
			r.check(s, i)
			if r.stop && len(r.lost) > 0 {
				return
			}
		}
	}
}

// apply carries the event out and reports whether it is a moment to lose the power at.
func (r *replay) apply(e *event) (moment bool) {
	switch e.kind {
	case "promise":
		r.promised = append(r.promised, [2]string{e.path, e.to})
		return true
	case "create":
		if r.names[e.path] == nil {
			r.names[e.path] = &inode{}
		}
	case "mkdir":
		r.dirs[e.path] = false
	case "unlink":
		delete(r.names, e.path)
	case "rename":
		r.names[e.to] = r.names[e.path]
		delete(r.names, e.path)
	case "write", "truncate":
		if r.names[e.path] == nil {
			r.t.Fatalf("%s is written and was never made: the watch has overlooked it", e.path)
		}
		r.names[e.path].since = append(r.names[e.path].since, *e)
	case "sync-begins":
		if n := r.names[e.path]; n != nil && !r.ignored(e.path) {
			n.syncing, n.begun = contents(n.durable, n.since), len(n.since)
		}
		return true
	case "sync-ends":
		r.sync(e.path)
		return true
	}
	return false
}

func (r *replay) sync(path string) {
	if r.ignored(path) {
		return
	}
	if n := r.names[path]; n != nil {
		n.durable, n.since, n.begun = n.syncing, slices.Clone(n.since[n.begun:]), 0
		return
	}
	for p := range r.durable { // a directory: its names are now what they are
		if filepath.Dir(p) == path {
			delete(r.durable, p)
		}
	}
	for p, n := range r.names {
		if filepath.Dir(p) == path {
			r.durable[p] = n
		}
	}
	for d := range r.dirs {
		if filepath.Dir(d) == path {
			r.dirs[d] = true
		}
	}
}

// contents is what a file holds after writes.
func contents(data []byte, writes []event) []byte {
	data = slices.Clone(data)
	for _, w := range writes {
		end := w.offset + int64(len(w.data))
		if w.kind == "truncate" {
			end = w.offset
		} else if w.offset < 0 { // appended
			data = append(data, w.data...)
			continue
		}
		if grow := end - int64(len(data)); grow > 0 {
			data = append(data, make([]byte, grow)...)
		}
		if w.kind == "truncate" {
			data = data[:end]
			continue
		}
		copy(data[w.offset:], w.data)
	}
	return data
}

// A traceSurvival is what the disk had come to write by itself when the power went.
type traceSurvival struct {
	name  string
	names bool
	data  func(since []event) []event
}

var traceSurvivals = []traceSurvival{
	{"nothing", false, func([]event) []event { return nil }},
	{"everything", true, func(since []event) []event { return since }},
	{"the first half, the last write of it torn", true, func(since []event) []event {
		half := slices.Clone(since[:(len(since)+1)/2])
		if n := len(half); n > 0 && half[n-1].kind == "write" {
			half[n-1].data = half[n-1].data[:len(half[n-1].data)/2]
		}
		return half
	}},
	{"every second write", true, func(since []event) []event {
		var some []event
		for i, w := range since {
			if i%2 == 1 {
				some = append(some, w)
			}
		}
		return some
	}},
	{"the last write", true, func(since []event) []event { return since[max(0, len(since)-1):] }},
}

// disk is what the next start finds.
func (r *replay) disk(s traceSurvival) map[string][]byte {
	names := r.durable
	if s.names {
		names = r.names
	}
	files := map[string][]byte{}
	for path, n := range names {
		if strings.HasSuffix(path, "-shm") { // shared memory: made anew
			continue
		}
		if made, ok := r.dirs[filepath.Dir(path)]; ok && !made && !s.names {
			continue // with its directory
		}
		files[filepath.Base(path)] = contents(n.durable, s.data(n.since))
	}
	return files
}

// check has the next start read the disk, and holds that against what was promised.
func (r *replay) check(s traceSurvival, at int) {
	files := r.disk(s)
	digest := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(digest, "%s %d\n%s", name, len(files[name]), files[name])
	}
	key := string(digest.Sum(nil))
	found, ok := r.known[key]
	if !ok {
		var err error
		if found, err = r.start(files); err != nil {
			r.lost = append(r.lost, fmt.Sprintf("event %d, %s survives: %v", at, s.name, err))
			found = nil
		}
		r.known[key] = found
	}
	for _, p := range r.promised {
		status := found[p[1]]
		if status == "" || p[0] == "ended" && status != schema.StatusSucceeded {
			r.lost = append(r.lost, fmt.Sprintf("event %d, %s survives: call %s was %s and is %q", at, s.name, p[1], p[0], status))
			return
		}
	}
}

// fully is how many of the disks are not only looked at: a host starts on every so manyth, and its books are checked.
const fully = 10

// start returns the calls that the store knows, with their statuses.
func (r *replay) start(files map[string][]byte) (map[string]string, error) {
	dir := r.t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "books.db")
	if files["books.db"] == nil {
		return nil, nil
	}
	found, err := statuses(path)
	if err != nil || len(r.known)%fully != 0 {
		return found, err
	}
	b, err := Open(context.Background(), Config{DSN: "sqlite://" + path})
	if err != nil {
		return found, err
	}
	report, err := b.Check(context.Background())
	if err == nil && !report.OK() {
		err = fmt.Errorf("the books are wrong: %v", report.Violations)
	}
	return found, errors.Join(err, b.Close(context.Background()))
}

func statuses(path string) (found map[string]string, err error) {
	db, err := sql.Open(sqliteshim.ShimName, "file:"+path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'inferences'").Scan(&tables); err != nil || tables == 0 {
		return nil, err
	}
	rows, err := db.Query("SELECT id, status FROM inferences")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found = map[string]string{}
	for rows.Next() {
		var id, status string
		if err := rows.Scan(&id, &status); err != nil {
			return nil, err
		}
		found[id] = status
	}
	return found, rows.Err()
}
