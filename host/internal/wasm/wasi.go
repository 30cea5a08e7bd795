package wasm

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/ainfera-ai/router/host/internal/wasm/meter"
	"github.com/ainfera-ai/router/sdk/abi"
)

// wasiModule is the only system that guests know.
const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	errnoSuccess = 0
	errnoBadf    = 8
	errnoFault   = 21
	errnoInval   = 28
	errnoNosys   = 52
)

// Bounds on what one host call does, so that a guest pays for its work and not the host.
const (
	maxVectors       = 1024
	maxSubscriptions = 1024
)

// The logical clock. It begins at the same moment in every instance and moves by one nanosecond a read: Go's collector
// compares readings and gives up on a clock that stands still or leaps.
const (
	clockEpoch int64 = 1_767_225_600_000_000_000 // 2026-01-01T00:00:00Z
	clockStart int64 = 1_000_000_000
	randomSeed       = 0x9e3779b97f4a7c15
)

// A system is what one instance sees of the world, and what it printed. Its zero value is not ready: reset it.
type system struct {
	now     int64
	random  uint64
	printed []byte
	lines   int // log calls of this call
}

// systemState is the part that a snapshot restores.
type systemState struct {
	now    int64
	random uint64
}

func (s *system) reset() {
	s.now, s.random, s.printed, s.lines = clockStart, randomSeed, s.printed[:0], 0
}

func (s *system) state() systemState { return systemState{s.now, s.random} }

func (s *system) restore(st systemState) {
	s.now, s.random = st.now, st.random
	s.printed, s.lines = s.printed[:0], 0
}

// next is splitmix64.
func (s *system) next() uint64 {
	s.random += randomSeed
	z := s.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// A hostFunc is one import: stack holds its arguments, and its result goes to stack[0].
type hostFunc func(in *instance, stack []uint64)

// An importable is a function that guests may import.
type importable struct {
	params, results string // "i" is an i32, "I" an i64
	run             hostFunc
}

// errno makes a function that does nothing but say no.
func errno(n uint64, params string) importable {
	return importable{params, "i", func(_ *instance, stack []uint64) { stack[0] = n }}
}

var ownImports = map[string]importable{abi.ImportLog: {"iii", "", guestLog}}

// importables lists all that guests may import, by module. Sockets are missing on purpose: a guest that imports one was not
// written for this host, and its author should learn that at load.
var importables = map[string]map[string]importable{
	abi.ImportModule: ownImports,
	draftImports:     ownImports,
	wasiModule: {
		"args_get":                empty("ii"),
		"args_sizes_get":          {"ii", "i", emptySizes},
		"environ_get":             empty("ii"),
		"environ_sizes_get":       {"ii", "i", emptySizes},
		"clock_res_get":           {"ii", "i", clockRes},
		"clock_time_get":          {"iIi", "i", clockTime},
		"random_get":              {"ii", "i", randomGet},
		"sched_yield":             empty(""),
		"proc_exit":               {"i", "", procExit},
		"proc_raise":              errno(errnoNosys, "i"),
		"poll_oneoff":             {"iiii", "i", pollOneoff},
		"fd_write":                {"iiii", "i", fdWrite},
		"fd_fdstat_get":           {"ii", "i", fdStat},
		"fd_advise":               errno(errnoBadf, "iIIi"),
		"fd_allocate":             errno(errnoBadf, "iII"),
		"fd_close":                errno(errnoBadf, "i"),
		"fd_datasync":             errno(errnoBadf, "i"),
		"fd_fdstat_set_flags":     errno(errnoBadf, "ii"),
		"fd_fdstat_set_rights":    errno(errnoBadf, "iII"),
		"fd_filestat_get":         errno(errnoBadf, "ii"),
		"fd_filestat_set_size":    errno(errnoBadf, "iI"),
		"fd_filestat_set_times":   errno(errnoBadf, "iIIi"),
		"fd_pread":                errno(errnoBadf, "iiiIi"),
		"fd_prestat_dir_name":     errno(errnoBadf, "iii"),
		"fd_prestat_get":          errno(errnoBadf, "ii"),
		"fd_pwrite":               errno(errnoBadf, "iiiIi"),
		"fd_read":                 errno(errnoBadf, "iiii"),
		"fd_readdir":              errno(errnoBadf, "iiiIi"),
		"fd_renumber":             errno(errnoBadf, "ii"),
		"fd_seek":                 errno(errnoBadf, "iIii"),
		"fd_sync":                 errno(errnoBadf, "i"),
		"fd_tell":                 errno(errnoBadf, "ii"),
		"path_create_directory":   errno(errnoBadf, "iii"),
		"path_filestat_get":       errno(errnoBadf, "iiiii"),
		"path_filestat_set_times": errno(errnoBadf, "iiiiIIi"),
		"path_link":               errno(errnoBadf, "iiiiiii"),
		"path_open":               errno(errnoBadf, "iiiiiIIii"),
		"path_readlink":           errno(errnoBadf, "iiiiii"),
		"path_remove_directory":   errno(errnoBadf, "iii"),
		"path_rename":             errno(errnoBadf, "iiiiii"),
		"path_symlink":            errno(errnoBadf, "iiiii"),
		"path_unlink_file":        errno(errnoBadf, "iii"),
	},
}

func empty(params string) importable { return errno(errnoSuccess, params) }

// signature is an importable's type in the words of the meter.
func (im *importable) signature() meter.FuncType {
	return meter.FuncType{Params: meterTypes(im.params), Results: meterTypes(im.results)}
}

func meterTypes(s string) (out []meter.ValueType) {
	for _, c := range s {
		out = append(out, map[rune]meter.ValueType{'i': meter.I32, 'I': meter.I64}[c])
	}
	return out
}

func apiTypes(s string) (out []api.ValueType) {
	for _, c := range s {
		out = append(out, map[rune]api.ValueType{'i': api.ValueTypeI32, 'I': api.ValueTypeI64}[c])
	}
	return out
}

// instanceKey finds the instance in the context of a call. A call's context is made with the instance, once: the caller's
// own means nothing to a guest, which can't be interrupted.
type instanceKey struct{}

// provide gives a runtime those functions that the module imports.
func provide(ctx context.Context, rt wazero.Runtime, imports []meter.Import) error {
	used := map[string]map[string]bool{}
	for _, im := range imports {
		if used[im.Module] == nil {
			used[im.Module] = map[string]bool{}
		}
		used[im.Module][im.Name] = true
	}
	for module, names := range used {
		b := rt.NewHostModuleBuilder(module)
		for name := range names {
			im := importables[module][name]
			b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
				im.run(ctx.Value(instanceKey{}).(*instance), stack)
			}), apiTypes(im.params), apiTypes(im.results)).WithName(name).Export(name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

func emptySizes(in *instance, stack []uint64) {
	ok := in.mem.WriteUint32Le(uint32(stack[0]), 0) && in.mem.WriteUint32Le(uint32(stack[1]), 0)
	stack[0] = faultUnless(ok)
}

func faultUnless(ok bool) uint64 {
	if ok {
		return errnoSuccess
	}
	return errnoFault
}

func clockRes(in *instance, stack []uint64) {
	stack[0] = faultUnless(in.mem.WriteUint64Le(uint32(stack[1]), 1))
}

func clockTime(in *instance, stack []uint64) {
	id, at := uint32(stack[0]), uint32(stack[2])
	in.sys.now++
	t := in.sys.now
	switch id {
	case 0:
		t += clockEpoch
	case 1, 2, 3:
	default:
		stack[0] = errnoInval
		return
	}
	stack[0] = faultUnless(in.mem.WriteUint64Le(at, uint64(t)))
}

func randomGet(in *instance, stack []uint64) {
	b, ok := in.mem.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		stack[0] = errnoFault
		return
	}
	in.spend(int64(len(b)) >> 3)
	for len(b) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], in.sys.next())
		b = b[copy(b, word[:]):]
	}
	stack[0] = errnoSuccess
}

// procExit ends the call: the panic is recovered by the runtime, which returns it as the call's error.
func procExit(_ *instance, stack []uint64) { panic(&exitError{uint32(stack[0])}) }

// pollOneoff sleeps without waiting. The earliest of the clocks that are asked for moves the logical clock and fires; a
// file never gets ready, since there is none.
func pollOneoff(in *instance, stack []uint64) {
	from, to, n, result := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	stack[0] = errnoInval
	if n == 0 || n > maxSubscriptions {
		return
	}
	in.spend(int64(n))
	subs, ok := in.mem.Read(from, n*48)
	events, ok2 := in.mem.Read(to, n*32)
	if stack[0] = errnoFault; !ok || !ok2 {
		return
	}
	began, wake, found := in.sys.now, int64(math.MaxInt64), false
	for i := range int(n) {
		if s := subs[i*48:]; s[8] == 0 {
			wake, found = min(wake, deadline(s, began)), true
		}
	}
	if found {
		in.sys.now = max(began, wake)
	}
	count := 0
	for i := range int(n) {
		s := subs[i*48:]
		var no uint16
		switch {
		case s[8] != 0:
			no = errnoBadf
		case deadline(s, began) > in.sys.now:
			continue
		}
		var e [32]byte
		copy(e[:8], s[:8])
		binary.LittleEndian.PutUint16(e[8:], no)
		e[10] = s[8]
		copy(events[count*32:], e[:])
		count++
	}
	stack[0] = faultUnless(in.mem.WriteUint32Le(result, uint32(count)))
}

// deadline is when a clock subscription fires, on the logical clock that stands at now; never so late that the clock could
// overflow.
func deadline(sub []byte, now int64) int64 {
	timeout := int64(min(binary.LittleEndian.Uint64(sub[24:]), math.MaxInt64/4))
	if binary.LittleEndian.Uint16(sub[40:])&1 == 0 {
		return min(now+timeout, math.MaxInt64/4)
	}
	if binary.LittleEndian.Uint32(sub[16:]) == 0 {
		timeout -= clockEpoch
	}
	return timeout
}

// fdStat describes the two files there are, so that Go's runtime can tell they are open for writing.
func fdStat(in *instance, stack []uint64) {
	fd, at := uint32(stack[0]), uint32(stack[1])
	if fd != 1 && fd != 2 {
		stack[0] = errnoBadf
		return
	}
	var st [24]byte
	st[0] = 2                                        // a character device
	binary.LittleEndian.PutUint64(st[8:], 1<<6|1<<0) // rights: fd_write, fd_datasync
	stack[0] = faultUnless(in.mem.Write(at, st[:]))
}

func fdWrite(in *instance, stack []uint64) {
	fd, vectors, n, result := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	switch {
	case fd != 1 && fd != 2:
		stack[0] = errnoBadf
		return
	case n > maxVectors:
		stack[0] = errnoInval
		return
	}
	in.spend(int64(n))
	total := uint32(0)
	for i := range n {
		at, ok1 := in.mem.ReadUint32Le(vectors + i*8)
		size, ok2 := in.mem.ReadUint32Le(vectors + i*8 + 4)
		b, ok3 := in.mem.Read(at, size)
		if !ok1 || !ok2 || !ok3 {
			stack[0] = errnoFault
			return
		}
		in.sys.print(b)
		total += size
	}
	stack[0] = faultUnless(in.mem.WriteUint32Le(result, total))
}

// guestLog is abi.ImportLog. Levels are 0 debug, 1 info, 2 warn, 3 error; others are error.
func guestLog(in *instance, stack []uint64) {
	level, at, size := uint32(stack[0]), uint32(stack[1]), uint32(stack[2])
	in.spend(64)
	if in.sys.lines++; in.sys.lines > maxLogLines {
		return
	}
	b, ok := in.mem.Read(at, min(size, abi.MaxLogBytes))
	if !ok {
		return
	}
	levels := [...]hclog.Level{hclog.Debug, hclog.Info, hclog.Warn, hclog.Error}
	in.m.say(levels[min(level, 3)], "guest says", printable(b))
}
