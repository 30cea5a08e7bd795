package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/host/internal/swaptorture"
)

// targetP99 is how many times as long the slowest hundredth of streams may take while versions are swapped.
const targetP99 = 1.5

// bench measures what a swap costs: the operator, from staging a module that was compiled before to its serving; and callers,
// whose short streams are timed without swaps and with one every so often, in one run on one server.
func bench(ctx context.Context, p plan) error {
	s, err := startServer(ctx, p.binary)
	if err != nil {
		return err
	}
	defer s.stop()
	o, err := s.options(16, "[[sim chunks=10 size=60 between=5ms]]")
	if err != nil {
		return err
	}
	o.Swaps = 2 * buildsOf
	if _, err := swaptorture.Run(ctx, o); err != nil { // compiles each build, once
		return fmt.Errorf("warm up: %w", err)
	}
	o.Swaps, o.Pause, o.Calm = 40, 400*time.Millisecond, 20*time.Second
	report, err := swaptorture.Run(ctx, o)
	if err != nil {
		return err
	}
	ratio := float64(report.During.Quantile(.99)) / float64(report.Before.Quantile(.99))
	verdict := "reached"
	if ratio > targetP99 {
		verdict = "MISSED"
	}
	fmt.Printf("\nswap of a version under %d streams, %d swaps, the module in the cache of compiled ones\n", o.Streams, report.Swaps)
	fmt.Printf("  staged p50 %s p99 %s, activated p50 %s p99 %s\n", ms(report.Staged.Quantile(.5)), ms(report.Staged.Quantile(.99)),
		ms(report.Activated.Quantile(.5)), ms(report.Activated.Quantile(.99)))
	fmt.Printf("  streams of some 60 ms: p99 %s without swaps, %s with: %.2f× (target at most %.1f×: %s)\n",
		ms(report.Before.Quantile(.99)), ms(report.During.Quantile(.99)), ratio, targetP99, verdict)
	return nil
}
