package wasm

import (
	"errors"
	"fmt"
	"strings"
)

// A FaultKind says how a guest failed.
type FaultKind string

const (
	// FaultFuel: the call used up its fuel, most likely an endless loop.
	FaultFuel FaultKind = "fuel"
	// FaultMemory: the instance needed more memory than it may have.
	FaultMemory FaultKind = "memory"
	// FaultStack: calls were nested too deep.
	FaultStack FaultKind = "stack"
	// FaultPanic: the guest's own language ended it, with a message.
	FaultPanic FaultKind = "panic"
	// FaultTrap: the code did what no code may, such as an access outside its memory.
	FaultTrap FaultKind = "trap"
	// FaultExit: the guest asked for the end of its process.
	FaultExit FaultKind = "exit"
	// FaultProtocol: the call returned, with something that the ABI doesn't allow.
	FaultProtocol FaultKind = "protocol"
	// FaultLost: another stream's fault took the shared instance, and this one had been fed too much to be replayed.
	FaultLost FaultKind = "lost"
)

// FaultKinds are all kinds, for those who count them.
var FaultKinds = []FaultKind{FaultFuel, FaultMemory, FaultStack, FaultPanic, FaultTrap, FaultExit, FaultProtocol, FaultLost}

// A Fault is a failure of a guest: never the caller's, never the network's. The instance it happened on is gone.
type Fault struct {
	// Plugin is the configured name, Version the manifest's ("" before it was read), Digest that of the module's bytes.
	Plugin, Version, Digest string
	Kind                    FaultKind
	// Call names the export that was running.
	Call string
	// Message is for an operator: what happened, with the figure or the place.
	Message string
	// Output is what the guest printed during the call, cut at 8 KiB. It may quote the guest's input, so it belongs into no
	// log without a second thought.
	Output string
}

// Error names plugin, call, kind and message.
func (f *Fault) Error() string {
	name := f.Plugin
	if f.Version != "" {
		name += " " + f.Version
	}
	return fmt.Sprintf("plugin %s: %s: %s: %s", name, f.Call, f.Kind, f.Message)
}

// A LoadError says why a module was not loaded. What ran before goes on running.
type LoadError struct {
	Plugin string
	// Step is what was being done: "digest", "meter", "imports", "exports", "compile" or "start", in this order.
	Step string
	Err  error
}

// Error names plugin, step and reason. A fault names its plugin itself.
func (e *LoadError) Error() string {
	if f := (*Fault)(nil); errors.As(e.Err, &f) {
		return f.Error()
	}
	return fmt.Sprintf("plugin %s: %s: %v", e.Plugin, e.Step, e.Err)
}

// Unwrap returns the reason, a *Fault when the guest failed at its start.
func (e *LoadError) Unwrap() error { return e.Err }

// An ImportError is the reason of a LoadError at "imports": the module wants what no guest has.
type ImportError struct{ Module, Name string }

// Error names both.
func (e *ImportError) Error() string {
	return fmt.Sprintf("imports %s from %s, which guests may not have", e.Name, e.Module)
}

// Sentinels of calls that did not reach a guest.
var (
	// ErrClosed: the module, the stream or the host was closed.
	ErrClosed = errors.New("wasm: closed")
	// ErrBusy: no instance came free before the context ended, whose error it wraps.
	ErrBusy = errors.New("wasm: all instances are busy")
	// ErrInputTooLarge: the input can't fit into the guest's memory.
	ErrInputTooLarge = errors.New("wasm: input is too large for the guest's memory")
	// ErrKind: an adapter was asked to decide, or a policy to stream.
	ErrKind = errors.New("wasm: module is of another kind")
)

// exitError travels through the runtime when a guest asks to exit.
type exitError struct{ code uint32 }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// fault turns what the runtime said into a Fault and ends the instance.
func (in *instance) fault(call string, budget int64, err error) *Fault {
	f := in.m.newFault(call)
	f.Output = in.sys.output()
	text, place := guestPanic(f.Output)
	var exit *exitError
	switch {
	case in.fuelLeft() < 0:
		f.Kind = FaultFuel
		f.Message = fmt.Sprintf("used up its fuel of %d units", budget)
	case isOutOfMemory(f.Output):
		f.Kind = FaultMemory
		f.Message = fmt.Sprintf("needs more than the %d bytes of memory that it may have", in.m.meta.MaxMemoryBytes)
	case text != "":
		f.Kind, f.Message = FaultPanic, shown(text, maxMessage/2) // the place is worth more than the end of a long text
		if place != "" {
			f.Message += " at " + place
		}
	case errors.As(err, &exit):
		f.Kind = FaultExit
		f.Message = fmt.Sprintf("ended itself with exit code %d", exit.code)
	case strings.Contains(err.Error(), "stack overflow"):
		f.Kind, f.Message = FaultStack, "calls are nested too deep"
	default:
		f.Kind, f.Message = FaultTrap, trapMessage(err)
	}
	f.Message = shown(f.Message, maxMessage)
	in.poison(f)
	return f
}

// maxMessage is what is kept of a message; the guest may have written most of it.
const maxMessage = 1 << 10

// shown is a message as a log, a row and a terminal may have it: one line, cut at so many bytes.
func shown(s string, at int) string {
	s = printable([]byte(s[:min(len(s), 2*at)]))
	if len(s) <= at {
		return s
	}
	return strings.ToValidUTF8(s[:at], "") + "…"
}

// protocol is the fault of a guest that returned something it may not.
func (in *instance) protocol(call, format string, args ...any) *Fault {
	f := in.m.newFault(call)
	f.Kind = FaultProtocol
	f.Message = fmt.Sprintf(format, args...)
	f.Output = in.sys.output()
	in.poison(f)
	return f
}

func (m *Module) newFault(call string) *Fault {
	return &Fault{Plugin: m.spec.Name, Version: m.manifest.Version, Digest: m.digest, Call: call}
}

// trapMessage is the runtime's reason and the innermost function that has a name.
func trapMessage(err error) string {
	lines := strings.Split(err.Error(), "\n")
	msg := strings.TrimPrefix(lines[0], "wasm error: ")
	for _, l := range lines[1:] {
		l = strings.TrimSpace(l)
		if i := strings.IndexByte(l, '('); i > 0 && strings.HasPrefix(l, ".") && !strings.HasPrefix(l, ".$") {
			return msg + " in " + l[1:i]
		}
	}
	return msg
}

func isOutOfMemory(output string) bool {
	return strings.Contains(output, "fatal error: out of memory") ||
		strings.Contains(output, "fatal error: runtime: out of memory") ||
		strings.Contains(output, "fatal error: runtime: cannot allocate") ||
		strings.Contains(output, "runtime: out of memory")
}

// guestPanic finds the message of a Go or Rust panic in what the guest printed, and the first place in it that isn't the
// language's own runtime.
func guestPanic(output string) (message, place string) {
	lines := strings.Split(output, "\n")
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: "):
			return l, goPlace(lines[i+1:])
		case strings.HasPrefix(l, "thread '") && strings.Contains(l, " panicked at "):
			// Rust: thread 'main' panicked at src/lib.rs:3:9:\nmessage
			_, at, _ := strings.Cut(l, " panicked at ")
			if i+1 < len(lines) && lines[i+1] != "" {
				return "panic: " + lines[i+1], strings.TrimSuffix(at, ":")
			}
			return "panic: " + at, ""
		}
	}
	return "", ""
}

// goPlace reads a Go trace, which is pairs of lines: a function, then a tab and "file:line +offset".
func goPlace(trace []string) string {
	for i := 0; i+1 < len(trace); i++ {
		fn, at := trace[i], trace[i+1]
		if !strings.HasPrefix(at, "\t") || strings.HasPrefix(fn, "\t") {
			continue
		}
		if strings.HasPrefix(fn, "panic(") || strings.HasPrefix(fn, "runtime.") || strings.HasPrefix(fn, "created by runtime") ||
			strings.HasPrefix(fn, "internal/runtime/") || strings.Contains(at, "_cgo_gotypes") || strings.Contains(at, "<autogenerated>") {
			continue
		}
		at, _, _ = strings.Cut(strings.TrimSpace(at), " +0x")
		return at
	}
	return ""
}
