package main

import (
	"context"
	"strings"
	"testing"
)

// A page is a store of which the test says what it holds.
type page struct {
	inferences [][]string // id, status, model, outcome_id, outcome, input, output, attempts, outcome's status, estimated
	below      string
}

func (p *page) dsn() string     { return "" }
func (p *page) faults() []fault { return nil }

func (p *page) rows(_ context.Context, query string) ([][]string, error) {
	switch {
	case strings.Contains(query, "FROM inferences"):
		return p.inferences, nil
	case strings.Contains(query, "balance_after"):
		return [][]string{{p.below}}, nil
	}
	return [][]string{{"0"}}, nil
}

func (p *page) count(ctx context.Context, query string) (int, error) {
	return countOf(p.rows(ctx, query))
}

func row(id, status, attempts string) []string {
	return []string{id, status, "one", "o-" + id, "o-" + id, "11", "16", attempts, status, "no"}
}

// Whatever can go wrong between a caller, the books and a vendor is noticed.
func TestReconciliationNotices(t *testing.T) {
	one := `[{"status":200}]`
	whole := answer{inference: "1", model: "one", routed: true, input: 11, output: 16}
	with := func(change func(*answer)) answer {
		a := whole
		change(&a)
		return a
	}
	changed := func(column int, text string) []string {
		r := row("1", "succeeded", one)
		r[column] = text
		return r
	}
	for _, tt := range []struct {
		name    string
		rows    [][]string
		tries   map[try]int
		answers []answer
		below   string
		guard   float64
		want    string // part of the one mismatch; empty is none
	}{
		{name: "OK", rows: [][]string{row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1}, answers: []answer{whole}},
		{name: "OKSentAgain", rows: [][]string{row("1", "succeeded", `[{"status":200,"sends":2}]`)}, tries: map[try]int{{"1", 0}: 2}},
		{name: "OKCrashed", rows: [][]string{row("1", "failed_host", "")}, tries: map[try]int{{"1", 3}: 1}},
		{name: "OKEstimated", rows: [][]string{append(row("1", "succeeded", one)[:9], "yes")}, tries: map[try]int{{"1", 0}: 1},
			answers: []answer{with(func(a *answer) { a.input, a.output = 0, 0 })}},
		{name: "UnknownCall", tries: map[try]int{{"9", 0}: 1}, want: "which the books do not know"},
		{name: "CallWithoutID", tries: map[try]int{{"", -1}: 1}, want: `call ""`},
		{name: "TryWithoutNumber", rows: [][]string{row("1", "failed_host", "")}, tries: map[try]int{{"1", -1}: 1}, want: "without the number"},
		{name: "TryNotListed", rows: [][]string{row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1, {"1", 1}: 1}, want: "try 1 of call 1"},
		{name: "SeenTooOften", rows: [][]string{row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 2}, want: "2 times"},
		{name: "SeenAndNeverSent", rows: [][]string{row("1", "failed_provider_error", `[{"sends":0,"reason":"kept_out"}]`)}, tries: map[try]int{{"1", 0}: 1}, want: "says 0 (kept_out)"},
		{name: "AnsweredAndNeverSeen", rows: [][]string{row("1", "succeeded", one)}, want: "which no vendor saw"},
		{name: "TwoOutcomes", rows: [][]string{row("1", "succeeded", one), row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1}, want: "more than one outcome"},
		{name: "NoOutcome", rows: [][]string{changed(4, "")}, tries: map[try]int{{"1", 0}: 1}, want: `with id ""`},
		{name: "OutcomeDisagrees", rows: [][]string{changed(8, "pending")}, tries: map[try]int{{"1", 0}: 1}, want: "its outcome is pending"},
		{name: "AnsweredAndUnknown", answers: []answer{whole}, want: "do not know"},
		{name: "AnsweredAndFailed", rows: [][]string{row("1", "failed_host", "")}, answers: []answer{whole}, want: "answered whole and is failed_host"},
		{name: "OtherUsage", rows: [][]string{row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1},
			answers: []answer{with(func(a *answer) { a.output = 17 })}, want: "11 and 17 tokens"},
		{name: "OtherModel", rows: [][]string{changed(2, "two")}, tries: map[try]int{{"1", 0}: 1}, answers: []answer{whole}, want: "the books have two"},
		{name: "PinnedWithOutcome", rows: [][]string{row("1", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1},
			answers: []answer{with(func(a *answer) { a.routed = false })}, want: "was routed: false"},
		{name: "KeyAnsweredTwice", rows: [][]string{row("1", "succeeded", one), row("2", "succeeded", one)}, tries: map[try]int{{"1", 0}: 1, {"2", 0}: 1},
			answers: []answer{with(func(a *answer) { a.key = "k" }), with(func(a *answer) { a.key, a.inference = "k", "2" })}, want: "key k was answered"},
		{name: "BelowZero", below: "3", want: "below zero 3 times"},
		{name: "Guard", guard: 1, want: "the guards counted 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.below == "" {
				tt.below = "0"
			}
			r := &reconciliation{store: &page{tt.rows, tt.below}, vendors: &vendors{tries: tt.tries}, answers: tt.answers}
			if err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.guards(tt.guard)
			switch {
			case tt.want == "" && len(r.mismatches) > 0:
				t.Errorf("got %q, want none", r.mismatches)
			case tt.want != "" && (len(r.mismatches) != 1 || !strings.Contains(r.mismatches[0], tt.want)):
				t.Errorf("got %q, want one of %q", r.mismatches, tt.want)
			}
		})
	}
}

func TestAnswersAreWholeOrNot(t *testing.T) {
	start := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
	delta := "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":6,\"output_tokens\":9}}\n\n"
	stop := "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	for _, tt := range []struct {
		name, text    string
		stream, whole bool
		input, output int64
	}{
		{"Stream", start + delta + stop, true, true, 6, 9},
		{"NoDelta", start + stop, true, true, 5, 1},
		{"Cut", start + delta, true, false, 0, 0},
		{"Error", start + "event: error\ndata: {\"type\":\"error\"}\n\n", true, false, 0, 0},
		{"Document", `{"type":"message","usage":{"input_tokens":5,"output_tokens":9}}`, false, true, 5, 9},
		{"HalfADocument", `{"type":"message","usage":{"input_to`, false, false, 0, 0},
		{"AnotherDocument", `{"type":"error"}`, false, false, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a answer
			err := a.read([]byte(tt.text), tt.stream)
			if (err == nil) != tt.whole || tt.whole && (a.input != tt.input || a.output != tt.output) {
				t.Errorf("got %+v, %v, want whole %v with %d and %d", a, err, tt.whole, tt.input, tt.output)
			}
		})
	}
}
