package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/pgtest"
)

// A ledgerStore is a store that the books are measured on.
type ledgerStore struct {
	name   string
	dsn    string
	target float64
}

// measureBooks loads a server that writes every call down and one that doesn't, in turn, on each store. Callers,
// vendors, the two servers and PostgreSQL share the machine, as they do where a small fleet runs.
func measureBooks(ctx context.Context, r *rig) error {
	off, err := r.server(ctx, r.unbooked, "sqlite://"+r.dir+"/unbooked.db")
	if err != nil {
		return err
	}
	defer off.stop()
	if err := measureStore(ctx, r, ledgerStore{"SQLite", "sqlite://" + r.dir + "/books.db", targetSQLite}, off); err != nil {
		return err
	}
	cluster, err := pgtest.Start(true)
	if errors.Is(err, pgtest.ErrNoServer) {
		fmt.Printf("\nSKIPPED: the books on PostgreSQL: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer cluster.Stop()
	return measureStore(ctx, r, ledgerStore{"PostgreSQL, which syncs", cluster.DSN("postgres"), targetPostgres}, off)
}

// measureStore compares a server on a store with off. The server is gone before its store is.
func measureStore(ctx context.Context, r *rig, st ledgerStore, off side) error {
	on, err := r.server(ctx, r.binary, st.dsn)
	if err == nil {
		err = compareBooks(ctx, r.plan, st, off, on)
		on.stop()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", st.name, err)
	}
	return nil
}

// compareBooks prints the median of the rounds' ratios of calls a second, and how long the decisions' rows took.
func compareBooks(ctx context.Context, p plan, st ledgerStore, off, on side) error {
	fmt.Printf("\ncalls a second with the books on %s, over calls a second without any; 64 callers, one agent, so one chain\n", st.name)
	warm := p
	warm.calls = 500
	for _, s := range []side{off, on} {
		if _, err := smallCalls(ctx, s, warm); err != nil {
			return err
		}
	}
	before, err := durableTimes(ctx, on)
	if err != nil {
		return err
	}
	var ratios []float64
	for range p.rounds {
		without, err := callsPerSecond(ctx, off, p)
		if err != nil {
			return err
		}
		with, err := callsPerSecond(ctx, on, p)
		if err != nil {
			return err
		}
		ratios = append(ratios, with/without)
		fmt.Printf("  without %6.0f calls/s, with %6.0f calls/s\n", without, with)
	}
	after, err := durableTimes(ctx, on)
	if err != nil {
		return err
	}
	sort.Float64s(ratios)
	ratio, verdict := ratios[len(ratios)/2], "reached"
	if ratio < st.target {
		verdict = "MISSED"
	}
	times := after.since(before)
	fmt.Printf("  %.2f× (target at least %.1f×: %s); a decision was durable after p50 %v, p99 %v\n", ratio, st.target, verdict, times.quantile(.5), times.quantile(.99))
	return nil
}

func callsPerSecond(ctx context.Context, s side, p plan) (float64, error) {
	began := time.Now()
	out, err := smallCalls(ctx, s, p)
	return float64(out.units) / time.Since(began).Seconds(), err
}

// A histogram is one of Prometheus': how many observations were at most as long as each bound, in seconds.
type histogram []struct {
	bound float64
	count float64
}

// durableTimes reads what the server's own clock says of its decisions.
func durableTimes(ctx context.Context, s side) (histogram, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var h histogram
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), `ainfera_decision_durable_seconds_bucket{le="`)
		bound, count, cut := strings.Cut(rest, `"} `)
		if !ok || !cut {
			continue
		}
		b, err := strconv.ParseFloat(bound, 64)
		if err != nil {
			return nil, fmt.Errorf("read the metrics: %w", err)
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return nil, fmt.Errorf("read the metrics: %w", err)
		}
		h = append(h, struct{ bound, count float64 }{b, n})
	}
	if len(h) == 0 {
		return nil, errors.New("the server's metrics have no ainfera_decision_durable_seconds")
	}
	return h, nil
}

// since is what h has more than before.
func (h histogram) since(before histogram) histogram {
	for i := range h {
		h[i].count -= before[i].count
	}
	return h
}

// quantile is the upper bound of the bucket in which it lies: no less than the truth, and at most half as much more.
func (h histogram) quantile(q float64) time.Duration {
	all := h[len(h)-1].count
	for _, b := range h {
		if b.count >= q*all {
			return time.Duration(b.bound * float64(time.Second)).Round(10 * time.Microsecond)
		}
	}
	return 0
}
