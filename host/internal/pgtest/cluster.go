package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// ErrNoServer means that the machine has no server to start.
var ErrNoServer = errors.New("no PostgreSQL server (initdb, pg_ctl) in PATH or /usr/lib/postgresql: install postgresql")

// A Cluster is a server of its own, in a directory that goes away with it. It ends with the process that started it, even
// one that is killed.
type Cluster struct {
	dir string
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd

	mu sync.Mutex // one word at a time
}

// script makes a cluster in $1 with the options $2, says so, and keeps it until its standard input ends. Until then it
// takes a word a line and answers each with one.
const script = `
initdb -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$1/initdb.log" 2>&1 || { cat "$1/initdb.log" >&2; exit 1; }
up() {
  pg_ctl -D "$1/data" -w -l "$1/server.log" -o "-c listen_addresses='' -c unix_socket_directories='$1' $2 \
-c synchronous_commit=on -c shared_buffers=32MB -c max_connections=200" start
}
up "$@" >/dev/null 2>&1 || { cat "$1/server.log" >&2; exit 1; }
echo ready
while read -r word; do
  case $word in
  stop-*) pg_ctl -D "$1/data" -m "${word#stop-}" -w stop ;;
  start) up "$@" ;;
  esac >/dev/null 2>&1 && echo ready || echo "$word failed"
done
pg_ctl -D "$1/data" -m immediate -w stop >/dev/null 2>&1
cd / && rm -rf "$1"
`

// notDurable saves a test the waiting, together with files in memory where there is room for them: the crash of the
// machine costs its data. fsync stays on, since the product refuses a server without it.
const notDurable = "-c full_page_writes=off"

// roomBytes is what a cluster may need.
const roomBytes = 1 << 30

// memory is a file system in memory with room for a cluster, or nothing.
func memory() string {
	if room("/dev/shm") >= roomBytes {
		return "/dev/shm"
	}
	return ""
}

// Start makes a cluster and starts its server, which listens on a socket in its directory. durable puts it on a disk, as
// it is in service. It returns ErrNoServer where there are no binaries.
func Start(durable bool) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	parent, options := memory(), notDurable
	if durable {
		parent, options = "", ""
	}
	dir, err := os.MkdirTemp(parent, "pgtest")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, cmd: exec.Command("sh", "-c", script, "sh", dir, options)}
	c.cmd.Dir = dir
	c.cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	var complaint strings.Builder
	c.cmd.Stderr = &complaint
	if err := c.launch(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := c.ready(); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start PostgreSQL: %w: %s", err, complaint.String())
	}
	return c, nil
}

func (c *Cluster) launch() (err error) {
	if err = asOtherUser(c.cmd, c.dir); err != nil {
		return err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = bufio.NewReader(out)
	return c.cmd.Start()
}

// ready reads the script's answer.
func (c *Cluster) ready() error {
	line, err := c.out.ReadString('\n')
	if line = strings.TrimSpace(line); err == nil && line == "ready" {
		return nil
	}
	if line == "" {
		line = "it ended"
	}
	return errors.New(line)
}

func (c *Cluster) say(word string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.in, word+"\n"); err != nil {
		return err
	}
	return c.ready()
}

// Halt stops the server and keeps its data: with mode "fast" as an operator would, with "immediate" as a crash does.
func (c *Cluster) Halt(mode string) error { return c.say("stop-" + mode) }

// Resume starts the server again after Halt.
func (c *Cluster) Resume() error { return c.say("start") }

// PID is the process id of the server that runs now.
func (c *Cluster) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(strings.TrimSpace(first))
}

// Stop ends the server and throws its files away.
func (c *Cluster) Stop() {
	c.in.Close()
	_, _ = io.Copy(io.Discard, c.out)
	_ = c.cmd.Wait() // its files are thrown away, so that how it ended does not matter
	os.RemoveAll(c.dir)
}

// DSN is the address of a database of the cluster's; "postgres" is always there.
func (c *Cluster) DSN(database string) string {
	return "postgres://postgres@/" + database + "?sslmode=disable&host=" + url.QueryEscape(c.dir)
}

// Exec runs one statement as the superuser in the database postgres, CREATE DATABASE for instance.
func (c *Cluster) Exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// binaries finds the directory of the server's programs, the newest where there are several.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), "pg_ctl")); err == nil {
				return filepath.Dir(path), nil
			}
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if len(found) == 0 {
		return "", ErrNoServer
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}
