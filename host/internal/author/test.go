package author

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A Report is what a plugin's tests came to.
type Report struct {
	Manifest wasm.Manifest
	Cases    []*CaseReport
	// GoErr is what `go test` said in the plugin's directory, nil when it passed; GoRun is false where there are no sources, and
	// after a fault.
	GoErr error
	GoRun bool
	// Rewritten are the cases that an update changed.
	Rewritten []string
}

// A CaseReport is one case and what became of each check.
type CaseReport struct {
	File   *sdktest.File
	Checks []Check
	// Fuel is what the whole case used.
	Fuel int64
}

// A Check is one way in which a case was played.
type Check struct {
	Name string
	Note string // for the table: how much was tried
	Err  error  // nil when it passed
	// Repro is the file that holds the input of a fault.
	Repro string
}

// Faulted says that a case ended in a fault of the module's.
func (r *Report) Faulted() bool {
	return slices.ContainsFunc(r.Cases, func(c *CaseReport) bool {
		return slices.ContainsFunc(c.Checks, func(check Check) bool { return isFault(check.Err) })
	})
}

// Failed counts the checks that did not pass, go test among them.
func (r *Report) Failed() int {
	n := 0
	if r.GoErr != nil {
		n++
	}
	for _, c := range r.Cases {
		for _, check := range c.Checks {
			if check.Err != nil {
				n++
			}
		}
	}
	return n
}

// Test compiles the plugin and plays its cases on the module, and its own tests as Go. update makes the cases want what comes
// out now, before anything is judged.
//
// After a fault its tests as Go are left out: they play the same cases, and where the sandbox stopped a loop, a deadlock or a
// heap without end, nothing would stop them.
func (p *Plugin) Test(ctx context.Context, update bool) (*Report, error) {
	module, err := p.compile(ctx)
	if err != nil {
		return nil, err
	}
	files, err := p.Cases()
	if err != nil {
		return nil, err
	}
	r, err := TestModule(ctx, p.Sandbox, module, files, TestOptions{Update: update, Repros: filepath.Join(p.Dir, "testdata")})
	if err != nil {
		return nil, p.explain(ctx, err)
	}
	if r.Faulted() {
		return r, nil
	}
	r.GoRun = true
	var failed *CompileError
	if _, err := p.goCommand(ctx, false, "test", "-count=1", "."); errors.As(err, &failed) {
		r.GoErr = errors.New(failed.Output)
	} else if err != nil {
		return nil, err
	}
	return r, nil
}

// TestOptions are for TestModule.
type TestOptions struct {
	// Update rewrites the cases' files.
	Update bool
	// Repros is where the input of a fault is kept; nowhere when it is empty.
	Repros string
}

// TestModule plays cases on a module.
func TestModule(ctx context.Context, sandbox *wasm.Host, module []byte, files []*sdktest.File, opt TestOptions) (*Report, error) {
	t := &tester{ctx: ctx, opt: opt}
	var err error
	if t.alone, err = sandbox.Load(ctx, wasm.Spec{Name: "plugin", Bytes: module}); err != nil {
		return nil, err
	}
	defer t.alone.Close()
	t.report.Manifest = t.alone.Manifest()
	if t.alone.Kind() == wasm.KindAdapter {
		if t.shared, err = sandbox.Load(ctx, wasm.Spec{Name: "plugin", Bytes: module, Isolation: wasm.IsolationShared, MemoryBytes: roomToLeak}); err != nil {
			return nil, err
		}
		defer t.shared.Close()
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.file(f); err != nil {
			return nil, err
		}
	}
	return &t.report, nil
}

// A tester plays cases on two instances of a module: each stream on one of its own, and all on the same.
type tester struct {
	ctx           context.Context
	opt           TestOptions
	alone, shared *wasm.Module
	report        Report
}

func (t *tester) file(f *sdktest.File) error {
	c := &CaseReport{File: f}
	t.report.Cases = append(t.report.Cases, c)
	if (f.Input != nil) != (t.alone.Kind() == wasm.KindPolicy) {
		return fmt.Errorf("%s: is no case for %s %s", f.Path, map[wasm.Kind]string{wasm.KindPolicy: "a", wasm.KindAdapter: "an"}[t.alone.Kind()], t.alone.Kind())
	}
	before := f.Bytes()
	if f.Input != nil {
		t.decide(f, c)
	} else {
		t.stream(f, c)
	}
	if !t.opt.Update || slices.Equal(before, f.Bytes()) {
		return nil
	}
	t.report.Rewritten = append(t.report.Rewritten, f.Path)
	return os.WriteFile(f.Path, f.Bytes(), 0o644)
}

// decide plays a policy's case.
func (t *tester) decide(f *sdktest.File, c *CaseReport) {
	got, stats, err := t.alone.Decide(t.ctx, f.Input)
	c.Fuel = stats.FuelUsed
	if err == nil && t.opt.Update {
		f.Decision = sdktest.Indent(got)
	}
	if err == nil {
		err = f.CompareDecision(got)
	}
	c.add(Check{Name: "case", Err: err, Repro: t.known(f, err)})
	if isFault(err) {
		return
	}
	const times = 100
	check := Check{Name: "twice", Note: fmt.Sprintf("%d×", times)}
	for range times {
		again, stats, err := t.alone.Decide(t.ctx, f.Input)
		switch {
		case err != nil:
			check.Err = err
		case !slices.Equal(again, got):
			check.Err = fmt.Errorf("decided otherwise the second time (- first, + second):\n%s", sdktest.Diff(string(sdktest.Indent(got)), string(sdktest.Indent(again))))
		case stats.FuelUsed != c.Fuel:
			check.Err = fmt.Errorf("used %d fuel the first time and %d the second", c.Fuel, stats.FuelUsed)
		}
		if check.Err != nil {
			break
		}
	}
	c.add(check)
}

// stream plays an adapter's case in every way that a network and a caller have.
func (t *tester) stream(f *sdktest.File, c *CaseReport) {
	sc, err := stage(t.ctx, t.alone, f)
	var whole play
	if err == nil {
		whole, err = run(t.ctx, t.alone, sc.Exchange)
	}
	if err == nil {
		if t.opt.Update {
			f.Update(whole.result)
		}
		c.Fuel = whole.fuel
		err = f.Compare(whole.result)
	}
	c.add(Check{Name: "case", Err: err, Repro: t.known(f, err)})
	if whole.result == nil || isFault(err) {
		return
	}
	c.add(t.cuts(f, sc, whole))
	c.add(t.cancelled(f, sc))
	c.add(t.twice(sc, whole))
	c.add(t.memory(sc))
}

// cuts plays the answer in every distribution over two pushes that some cut of its bytes makes, and all in one.
func (t *tester) cuts(f *sdktest.File, sc *script, whole play) Check {
	check := Check{Name: "cuts"}
	splits, n, err := sc.cuts()
	if err != nil {
		check.Err = err
		return check
	}
	if n > 0 {
		check.Note = fmt.Sprintf("%d bytes", n)
	}
	for _, at := range append([]int{-1}, splits...) {
		x := sc.Exchange
		x.Together, x.Split = true, []int{at}
		again, err := run(t.ctx, t.alone, x)
		if err == nil {
			err = same(whole, again)
		}
		if err != nil {
			check.Err, check.Repro = fmt.Errorf("with a cut before frame %d: %w", at, err), t.keep(f, err, nil)
			return check
		}
	}
	return check
}

// cancelled ends the answer after every frame: the caller went, or the connection broke.
func (t *tester) cancelled(f *sdktest.File, sc *script) Check {
	check := Check{Name: "cancel", Note: fmt.Sprintf("%d×2", len(sc.Answer.Frames)+1)}
	if sc.Answer.Status == 0 {
		check.Note = ""
		return check
	}
	for n := range len(sc.Answer.Frames) + 1 {
		for why, word := range map[abi.EndReason]string{abi.EndCancelled: "cancelled", abi.EndBroken: "broken"} {
			if _, err := run(t.ctx, t.alone, sc.until(n, why)); err != nil {
				check.Err = fmt.Errorf("%s after %d frames: %w", word, n, err)
				check.Repro = t.keep(f, err, func(f *sdktest.File) { f.End, f.Answer = why, sc.answerUntil(f.Answer, n) })
				return check
			}
		}
	}
	return check
}

// twice plays it on fresh instances: bytes and fuel must be the same.
func (t *tester) twice(sc *script, whole play) Check {
	check := Check{Name: "twice"}
	again, err := run(t.ctx, t.alone, sc.Exchange)
	switch {
	case err != nil:
		check.Err = err
	case !slices.Equal(again.result.Events, whole.result.Events):
		check.Err = errors.New("its events differ from run to run: is a map walked?")
	case again.fuel != whole.fuel:
		check.Err = fmt.Errorf("used %d fuel the first time and %d the second: is a map walked?", whole.fuel, again.fuel)
	default:
		check.Err = same(whole, again)
	}
	return check
}

// A guest's collector lets the heap grow to some MiB before it begins, so that memory is looked at in rounds: it is flat when
// two in a row added nothing. One that never is may only grow so far as a collector that has not begun lets it: a leak of
// half a KiB a stream grows further.
const (
	roundRuns   = 1000
	maxRounds   = 20
	uncollected = 8 << 20
	roomToLeak  = 256 << 20 // of the instance: one that is half full would be left, and its growth not be seen
)

// memory plays it over and over on one instance, as a server does with a module that is shared among streams.
func (t *tester) memory(sc *script) Check {
	check := Check{Name: "memory"}
	for range runtime.GOMAXPROCS(0) { // a stream on every instance there will be: one that everybody has left is rewound
		stays, err := t.shared.NewStream(t.ctx)
		if err != nil {
			check.Err = err
			return check
		}
		defer stays.Close()
	}
	x := sc.Exchange
	x.Together = true
	flat, before, first := 0, int64(0), int64(0)
	for round := 1; flat < 2 && round <= maxRounds; round++ {
		for n := range roundRuns {
			if _, err := run(t.ctx, t.shared, x); err != nil {
				check.Err = fmt.Errorf("repetition %d on one instance: %w", (round-1)*roundRuns+n+1, err)
				return check
			}
		}
		now := t.shared.Stats().MemoryBytes
		if flat++; now > before {
			flat = 0
		}
		if before = now; round == 1 {
			first = now
		}
		check.Note = fmt.Sprintf("%d×", round*roundRuns)
		if grown := now - first; grown > uncollected {
			check.Err = fmt.Errorf("memory grew by %d KiB over %d streams on one instance, %d bytes a stream: something is kept of each",
				grown>>10, (round-1)*roundRuns, grown/int64((round-1)*roundRuns))
			return check
		}
	}
	return check
}

// same says in what two plays of a case differ, however their events were cut.
func same(want, got play) error {
	if d := sdktest.Diff(string(want.result.RequestJSON()), string(got.result.RequestJSON())); d != "" {
		return fmt.Errorf("the request differs (- before, + now):\n%s", d)
	}
	if d := sdktest.Diff(string(want.result.MessageJSON()), string(got.result.MessageJSON())); d != "" {
		return fmt.Errorf("the message differs (- before, + now):\n%s", d)
	}
	return nil
}

func (c *CaseReport) add(check Check) { c.Checks = append(c.Checks, check) }

func isFault(err error) bool {
	var f *wasm.Fault
	return errors.As(err, &f)
}
