package wasm

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	a "github.com/ainfera-ai/router/host/internal/wasm/internal/asm"
	"github.com/ainfera-ai/router/sdk/abi"
)

// TestLinesAMinute: a version's log starts anew each minute, and what it left out is said once.
func TestLinesAMinute(t *testing.T) {
	var l lineLimit
	begin := time.Unix(1e9, 0)
	for minute := range 3 {
		kept, said := 0, 0
		for i := range 3 * maxLogLinesAMinute {
			ok, first := l.take(begin.Add(time.Duration(minute)*time.Minute + time.Duration(i)*time.Millisecond))
			if ok {
				kept++
			}
			if first {
				said++
			}
		}
		if kept != maxLogLinesAMinute || said != 1 {
			t.Errorf("minute %d: kept %d lines and said so %d times", minute, kept, said)
		}
	}
}

// TestLogFlood has a guest say more in every call than any log wants.
func TestLogFlood(t *testing.T) {
	var out bytes.Buffer
	h := open(t, Config{Logger: hclog.New(&hclog.LoggerOptions{Output: &out})})
	m := load(t, h, Spec{Name: "loud", Bytes: chatty(3)})
	for range maxLogLinesAMinute { // of 32 lines each that a call may have
		s := stream(t, m)
		if _, err := s.Open(opening("x")); err == nil {
			t.Fatal("its answer is no batch")
		}
		s.Close()
	}
	if n := strings.Count(out.String(), "guest says: "); n > 2*maxLogLinesAMinute { // a minute may begin on the way
		t.Errorf("%d lines were logged", n)
	}
	if !strings.Contains(out.String(), "guest says more than is logged") {
		t.Error("nobody was told")
	}
}

// TestLinesBelowTheLevel: what a guest says to nobody doesn't keep what it says to the operator out of the log.
func TestLinesBelowTheLevel(t *testing.T) {
	var out bytes.Buffer
	h := open(t, Config{Logger: hclog.New(&hclog.LoggerOptions{Output: &out})})
	m := load(t, h, Spec{Name: "loud", Bytes: chatty(0)})
	for range maxLogLinesAMinute / maxLogLines * 2 {
		s := stream(t, m)
		if _, err := s.Open(opening("x")); err == nil {
			t.Fatal("its answer is no batch")
		}
		s.Close()
	}
	if strings.Contains(out.String(), "guest says") {
		t.Errorf("logged: %.200s", out.String())
	}
}

// chatty is an adapter whose open logs a hundred lines of a level and returns nothing.
func chatty(level int) []byte {
	i, I := a.Types(a.I32), a.Types(a.I64)
	m := a.New()
	log := m.Import(abi.ImportModule, abi.ImportLog, m.Type(i+i+i, ""))
	manifest := `{"name":"loud","version":"0","kind":"adapter"}`
	m.Memory(4)
	m.Data(1024, manifest)
	m.Export(abi.ExportMemory, 2, 0)
	m.Export(abi.ExportAdapter, 0, m.Func(m.Type(i, i), "", a.I32Const(0)))
	m.Export(abi.ExportManifest, 0, m.Func(m.Type("", I), "", a.I64Const(int64(abi.Pack(1024, uint32(len(manifest)))))))
	m.Export(abi.ExportArena, 0, m.Func(m.Type(i, i), "", a.I32Const(32768)))
	var lines []byte
	for range 100 {
		lines = append(lines, a.Cat(a.I32Const(int32(level)), a.I32Const(1024), a.I32Const(8), a.Op(a.Call, log))...)
	}
	call := m.Type(i+i, I)
	m.Export(abi.ExportOpen, 0, m.Func(call, "", lines, a.I64Const(0)))
	m.Export(abi.ExportPush, 0, m.Func(call, "", a.I64Const(0)))
	m.Export(abi.ExportClose, 0, m.Func(m.Type(i, ""), ""))
	return m.Bytes()
}
