package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/replay"
)

// change runs a statement on the store, as somebody who should not.
func (r *running) change(query string, args ...any) {
	r.t.Helper()
	path, ok := strings.CutPrefix(r.dsn, "sqlite://")
	if !ok {
		r.t.Fatal("only a SQLite store is changed by hand")
	}
	db, err := sql.Open(sqliteshim.ShimName, "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	res, err := db.ExecContext(r.t.Context(), query, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		r.t.Fatalf("%d rows changed (%v), want 1: %s", n, err, query)
	}
}

// sortOfCalls makes one call of each kind that leaves a row of its own.
func (r *running) sortOfCalls() {
	r.t.Helper()
	for _, c := range []struct {
		body   string
		status int
		header []string
	}{
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "you"), status: 200},
		{body: fmt.Sprintf(hello, "ainfera-inference", true, "you"), status: 200},
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "you"), status: 200, header: []string{"x-ainfera-task-type", "code", "x-ainfera-tags", "a=b"}},
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "you"), status: 200, header: []string{"x-claude-code-session-id", "s1", "x-ainfera-min-quality", "0.75"}},
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "you"), status: 200, header: []string{"x-claude-code-session-id", "s1"}}, // stays
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "you"), status: 422, header: []string{"x-ainfera-min-quality", "0.99"}},
		{body: fmt.Sprintf(hello, "ainfera-inference", false, "x [[sim status=500]]"), status: 503},
		{body: `{"model":"ainfera-inference","max_tokens":10,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 400_000) + `"}]}`, status: 400},
	} {
		if resp, text := r.message(c.body, c.header...); resp.StatusCode != c.status {
			r.t.Fatalf("got %d, want %d: %.300s", resp.StatusCode, c.status, text)
		}
	}
}

// otherFloor is the floor with another digest, as a rebuild of it has.
func otherFloor(t *testing.T) string {
	t.Helper()
	module, err := os.ReadFile(guest(t, "./plugins/policy/floor"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "floor2.wasm")
	custom := append([]byte{0, 9, 5}, "otherDATA"[:8]...) // a section that means nothing
	if err := os.WriteFile(path, append(module, custom...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Everything that was decided is decided again, bytes for bytes, also what another version of the module decided; and a
// row that somebody changed is named.
func TestReproduce(t *testing.T) {
	r := start(t)
	r.sortOfCalls()
	if status := r.stop(); status != exitOK {
		t.Fatalf("status %d: %s", status, r.logs)
	}
	config, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	swapped := strings.Replace(string(config), guest(t, "./plugins/policy/floor"), otherFloor(t), 1)
	if err := os.WriteFile(r.config, []byte(swapped), 0o600); err != nil {
		t.Fatal(err)
	}
	key := r.key
	r.serve()
	r.key = key
	r.sortOfCalls()
	if n := len(r.all("SELECT DISTINCT policy_module FROM routing_outcomes WHERE policy_module IS NOT NULL")); n != 2 {
		t.Fatalf("%d modules decided, want 2", n)
	}
	if status, out := r.command("store", "gc", "--older-than", "0s"); status != exitOK || !strings.Contains(out, "every module is in use") {
		t.Errorf("a module that rows name is not in use: status %d:\n%s", status, out)
	}
	status, out := r.command("policy", "reproduce", "--since", "1h") // beside the running server
	if status != exitOK || !strings.Contains(out, "14 of 14 decisions reproduced, by 2 modules") ||
		!strings.Contains(out, "2 rows without a decision: rejected_capability request_too_large_for_any_model") {
		t.Errorf("status %d:\n%s", status, out)
	}
	if status, out := r.command("policy", "reproduce", "--since", "2099-01-01", "--until", "2099-01-02"); status != exitOK || !strings.Contains(out, "0 of 0") {
		t.Errorf("of a time in which nothing happened: status %d:\n%s", status, out)
	}
	if status, out := r.command("policy", "reproduce", "--since", "yesterday"); status != exitUsage || !strings.Contains(out, "--since") {
		t.Errorf("of a time that is none: status %d:\n%s", status, out)
	}
	r.doctored(t)
}

// doctored changes rows by hand, one way each, and expects reproduce to name them and no others.
func (r *running) doctored(t *testing.T) {
	rows := r.all("SELECT id, policy_module FROM routing_outcomes WHERE decision IS NOT NULL AND decision_rule = 'cheapest_clearing_floor' ORDER BY id")
	output, input, lost := rows[0][0], rows[1][0], rows[len(rows)-1][1]
	r.change("UPDATE routing_outcomes SET decision = ? WHERE id = ?", append([]byte{0}, `{"is_reject":true}`...), output)
	r.change("UPDATE routing_outcomes SET decision_input = (SELECT decision_input FROM routing_outcomes WHERE id = ?) WHERE id = ?", rows[2][0], input)
	status, out := r.command("policy", "reproduce", "--since", "1h")
	if status != exitViolation || !strings.Contains(out, "DIFFERS "+output) || !strings.Contains(out, "DIFFERS "+input) ||
		strings.Count(out, "DIFFERS") != 2 || !strings.Contains(out, "12 of 14 decisions reproduced") {
		t.Errorf("status %d, want %s and %s named alone:\n%s", status, output, input, out)
	}
	r.change("DELETE FROM modules WHERE digest = ?", lost)
	status, out = r.command("policy", "reproduce", "--since", "1h", "--json")
	var report struct {
		Differs []replay.Difference
		Sum     replay.Reproduction
	}
	body, _, _ := strings.Cut(out, "ainfera: ") // what goes to standard error
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ids := map[string]string{}
	for _, d := range report.Differs {
		ids[d.OutcomeID] = d.Why
	}
	if status != exitViolation || len(ids) != 9 || report.Sum.Differing != 9 || report.Sum.Reproduced != 5 ||
		!strings.Contains(ids[rows[len(rows)-1][0]], "not in the store") {
		t.Errorf("status %d, %+v, %d rows named, want 9:\n%s", status, report.Sum, len(ids), out)
	}
}

// costOf is tokens at prices in cents a million: (in·a + out·b) / 100, half-even to a micro-USD. It is done here by other
// means than the product's.
func costOf(in, out, a, b int64) int64 {
	sum := big.NewRat(in*a+out*b, 100)
	whole := new(big.Int).Quo(sum.Num(), sum.Denom())
	rest := new(big.Rat).Sub(sum, new(big.Rat).SetInt(whole))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole.Int64()
}

// usd prints micro-USD below ten dollars.
func usd(micro int64) string { return fmt.Sprintf("%d.%06d", micro/1_000_000, micro%1_000_000) }

// used is what a row's policy was told to expect and what its vendor counted.
type used struct{ estimated, reserved, in, out int64 }

// usedBy reads the rows' tokens, oldest first. A row that was refused has used nothing.
func (r *running) usedBy() (rows []used) {
	r.t.Helper()
	books, err := capture.Open(r.t.Context(), capture.Config{DSN: r.dsn, Dir: r.dir, Command: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer books.Close(r.t.Context())
	for _, row := range r.all("SELECT id, coalesce(usage, '{}') FROM routing_outcomes ORDER BY created_at, id") {
		input, _, err := books.Decision(r.t.Context(), row[0])
		if err != nil {
			r.t.Fatal(err)
		}
		request := gjson.GetBytes(input, "request")
		rows = append(rows, used{request.Get("estimated_input_tokens").Int(), request.Get("reserved_max_tokens").Int(),
			gjson.Get(row[1], "input_tokens").Int(), gjson.Get(row[1], "output_tokens").Int()})
	}
	return rows
}

// TestReplay asks what a default floor of 0.65 would have done instead of 0.50. What it must say is worked out by hand from
// the standard catalogue: o-plain (q 0.60) costs 0.10 and 0.20 USD a million tokens, o-tools (q 0.70) 0.20 and 0.40,
// a-tools (q 0.80) 0.50 and 1.00.
func TestReplay(t *testing.T) {
	r := start(t)
	calls := []struct {
		status int
		header []string
		slug   string // which the caller would have had; empty: nobody
		in     int64  // its prices in cents a million
		out    int64
	}{
		{200, nil, "o-tools", 20, 40},
		{200, nil, "o-tools", 20, 40},
		{200, []string{"x-ainfera-min-quality", "0.50"}, "o-plain", 10, 20}, // the caller named the floor
		{200, []string{"x-ainfera-task-type", "chat"}, "a-tools", 50, 100},  // 0.58 and 0.15 is 0.73
		{200, []string{"x-ainfera-budget-usd", "0.0002"}, "", 0, 0},         // o-tools' 500 tokens of output cost as much alone
		{422, []string{"x-ainfera-min-quality", "0.99"}, "", 0, 0},
	}
	for _, c := range calls {
		if resp, text := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "you"), c.header...); resp.StatusCode != c.status {
			t.Fatalf("got %d, want %d: %s", resp.StatusCode, c.status, text)
		}
	}
	r.stop()
	var projected, projectedThen, actual, actualThen, spared int64
	for i, u := range r.usedBy() {
		if c := calls[i]; c.slug != "" {
			projected, projectedThen = projected+costOf(u.estimated, u.reserved, 10, 20), projectedThen+costOf(u.estimated, u.reserved, c.in, c.out)
			actual, actualThen = actual+costOf(u.in, u.out, 10, 20), actualThen+costOf(u.in, u.out, c.in, c.out)
		} else if c.status == 200 {
			spared = costOf(u.in, u.out, 10, 20)
		}
	}
	floor := []string{"policy", "replay", "--since", "1h", "--settings", "floor_delta=0.15", "--settings", "floor_max=0.80"}
	status, out := r.command(append(floor, "--json")...)
	var got replay.Replay
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitOK {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	if g := got.Total; g.Rows != 6 || g.Same != 1 || g.Other != 3 || g.Refused != 1 || g.Accepted != 0 || g.StillRefused != 1 || g.Unpriced != 0 || g.CachedInput != 0 {
		t.Errorf("got %+v, want 6 rows: 1 the same, 3 others, 1 newly refused, 1 still", g)
	}
	for _, f := range []struct {
		name           string
		got            replay.Figure
		rows, was, now int64
	}{{"projected", got.Total.Projected, 4, projected, projectedThen}, {"actual", got.Total.Actual, 4, actual, actualThen}, {"spared", got.Total.Spared, 1, spared, 0}} {
		if f.got.Rows != f.rows || f.got.Recorded.String() != usd(f.was) || f.got.Replayed.String() != usd(f.now) || f.was == 0 {
			t.Errorf("got %s %+v, want %s → %s of %d", f.name, f.got, usd(f.was), usd(f.now), f.rows)
		}
	}
	wantPicks := []replay.Pick{{From: "o-plain", To: "o-tools", Rows: 2}, {From: "o-plain", To: "", Rows: 1}, {From: "o-plain", To: "a-tools", Rows: 1}}
	if !slices.Equal(got.Picks, wantPicks) {
		t.Errorf("got picks %+v, want %+v", got.Picks, wantPicks)
	}
	cells := map[string]int64{}
	for _, g := range got.Groups {
		cells[g.Cell] = g.Rows
	}
	if want := map[string]int64{"general:o-plain:balanced": 4, "chat:o-plain:balanced": 1, "general:none:balanced": 1}; !maps.Equal(cells, want) {
		t.Errorf("got cells %v, want %v", cells, want)
	}
	status, text := r.command(floor...)
	if status != exitOK || !strings.Contains(text, usd(actual)+" → "+usd(actualThen)+" (4)") {
		t.Errorf("status %d, want the actual cost in it:\n%s", status, text)
	}
	t.Log("\n" + text)
	r.otherReplays()
}

// otherReplays are asked of TestReplay's rows.
func (r *running) otherReplays() {
	r.t.Helper()
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"NothingIsAsked", nil, exitUsage, "--module, --settings or --preference"},
		{"NoSuchSetting", []string{"--settings", "flor_delta=0.1"}, exitUsage, "floor_delta (string)"},
		{"NoSuchSettingOfTheModule", []string{"--module", guest(r.t, "./host/testdata/guests/dictator"), "--settings", "floor_delta=0.1"}, exitUsage, "dictator 0.0.1 has no such setting"},
		{"NotASetting", []string{"--settings", "floor_delta"}, exitUsage, "name=value"},
		{"NoSuchPreference", []string{"--preference", "speed"}, exitUsage, `"speed"`},
		{"NoPolicy", []string{"--module", guest(r.t, "./plugins/provider/openai")}, exitUsage, "ainfera_policy_v1"},
		// balanced binds what has decided: not a byte may differ.
		{"BalancedIsWhatItWas", []string{"--preference", "balanced"}, exitOK, "6 of them byte for byte the same"},
		{"SameModule", []string{"--module", guest(r.t, "./plugins/policy/floor")}, exitOK, "6 of them byte for byte the same"},
		// 0.50 and 0.10 is 0.60, which o-plain has; chat's 0.58 becomes 0.68, for which o-tools is enough.
		{"Quality", []string{"--preference", "quality"}, exitOK, "o-plain  o-tools  1\n"},
		{"PolicyThatFails", []string{"--module", guest(r.t, "./host/testdata/guests/dictator"), "--settings", "do=panic"}, exitOK, "6 would not be decided at all"},
		{"PolicyThatInvents", []string{"--module", guest(r.t, "./host/testdata/guests/dictator"), "--settings", "do=stranger"}, exitOK, `"made-up", which was not offered`},
	} {
		r.t.Run(tc.name, func(t *testing.T) {
			status, out := r.command(append([]string{"policy", "replay", "--since", "1h"}, tc.args...)...)
			if status != tc.status || !strings.Contains(out, tc.want) {
				t.Errorf("got status %d, want %d and %q:\n%s", status, tc.status, tc.want, out)
			}
		})
	}
}
