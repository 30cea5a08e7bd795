// Package pgtest is a throw-away PostgreSQL for tests: one cluster a test binary, one database a test.
//
// A package that uses it has a TestMain of one line:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// The cluster starts with the first test that asks for it, listens on a socket in a directory of its own, and goes away
// with the test binary, even one that is killed.
package pgtest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// own is this test binary's server.
var own struct {
	once      sync.Once
	cluster   *Cluster
	err       error
	databases atomic.Int64
}

// Main runs the tests and stops the cluster, if one of them started it.
func Main(m *testing.M) {
	code := m.Run()
	Stop()
	os.Exit(code)
}

// Stop ends the cluster, if a test started it. It is for packages whose TestMain has more to do than Main.
func Stop() {
	if own.cluster != nil {
		own.cluster.Stop()
	}
}

// DSN returns the address of an empty database that is the test's own and is dropped when it ends. A test on a machine
// without a server is skipped, and says so.
func DSN(t testing.TB) string {
	t.Helper()
	own.once.Do(func() { own.cluster, own.err = Start(false) })
	if errors.Is(own.err, ErrNoServer) {
		t.Skip(own.err)
	}
	if own.err != nil {
		t.Fatal(own.err)
	}
	name := "test_" + strconv.FormatInt(own.databases.Add(1), 10)
	administer(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return own.cluster.DSN(name)
}

func administer(t testing.TB, statement string) {
	t.Helper()
	if err := own.cluster.Exec(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}
