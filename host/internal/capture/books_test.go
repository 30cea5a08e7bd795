package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// onEachStore runs a test on an empty store of each kind.
func onEachStore(t *testing.T, test func(t *testing.T, config Config)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, Config{DSN: pgtest.DSN(t), Dir: t.TempDir()})
	})
}

func openBooks(t testing.TB, config Config) *Books {
	t.Helper()
	b, err := Open(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func mustAgent(t testing.TB, b *Books, n NewAgent) *Agent {
	t.Helper()
	a, _, err := b.CreateAgent(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

// routed and pinned are calls about to begin.
func routed(a *Agent, hold int64) *Begin {
	id := NewID()
	return &Begin{
		Agent: a, RequestID: id, Endpoint: "/v1/messages", Stream: true, Model: "model-0", Provider: "vendor",
		HoldMicroUSD: hold, RequestHash: "aa", Decided: sampleDecided(id, a.ID, 900, 6),
	}
}

func pinned(a *Agent, hold int64) *Begin {
	n := routed(a, hold)
	n.Decided = nil
	return n
}

func ended(status string, cost int64) *Completion {
	return &Completion{
		Status: status, ServedSlug: "model-1", Provider: "vendor", UpstreamID: "same-id-every-time", FinishReason: "stop",
		Usage: Usage{Input: 10, Output: 20, CacheRead: 3}, CostMicroUSD: cost, VendorCostMicroUSD: cost + 5,
		Attempts: []Attempt{{Model: "model-0", Provider: "vendor", Reason: "status 500", Status: 500, VendorCostMicroUSD: 5},
			{Model: "model-1", Provider: "vendor", Status: 200, VendorCostMicroUSD: cost}},
		TTFT: 10 * time.Millisecond, Latency: 30 * time.Millisecond, ResponseHash: "bb",
	}
}

func mustBegin(t testing.TB, b *Books, n *Begin) *Call {
	t.Helper()
	c, err := b.Begin(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustComplete(t testing.TB, c *Call, d *Completion) {
	t.Helper()
	if err := c.Complete(context.Background(), d); err != nil {
		t.Fatal(err)
	}
}

// checkBooks asserts everything that Check does.
func checkBooks(t testing.TB, b *Books) Report {
	t.Helper()
	r, err := b.Check(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Errorf("check: %s: %d times, %v", v.Rule, v.Count, v.IDs)
	}
	return r
}

func balance(t testing.TB, b *Books, a *Agent) int64 {
	t.Helper()
	w, err := b.Wallet(context.Background(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return w.BalanceMicroUSD
}

func TestWaysOut(t *testing.T) {
	ways := []struct {
		name   string
		end    *Completion
		kind   string
		charge int64
		actual string
	}{
		{"Answered", ended(schema.StatusSucceeded, 70), schema.LedgerSettle, 70, "0.000070"},
		{"AnsweredForMoreThanTheHold", ended(schema.StatusSucceeded, 170), schema.LedgerSettle, 170, "0.000170"},
		{"AnsweredForNothing", ended(schema.StatusSucceeded, 0), schema.LedgerSettle, 0, "0.000000"},
		{"EveryCandidateFailed", ended(schema.StatusFailedProviderError, 70), schema.LedgerRefund, 0, "0.000000"},
		{"ClientWentAway", ended(schema.StatusCancelledClient, 30), schema.LedgerSettle, 30, "0.000030"},
		{"HostGaveUp", ended(schema.StatusFailedHost, 0), schema.LedgerRefund, 0, "0.000000"},
	}
	onEachStore(t, func(t *testing.T, config Config) {
		b := openBooks(t, config)
		for _, way := range ways {
			for _, mode := range []string{schema.WalletMetered, schema.WalletPrepaid} {
				for kind, begin := range map[string]func(*Agent, int64) *Begin{"Routed": routed, "Pinned": pinned} {
					t.Run(way.name+"/"+mode+"/"+kind, func(t *testing.T) {
						a := mustAgent(t, b, NewAgent{Name: t.Name(), WalletMode: mode, BalanceMicroUSD: 1000})
						c := mustBegin(t, b, begin(a, 100))
						if got := balance(t, b, a); got != 900 {
							t.Errorf("got %d while held, want 900", got)
						}
						mustComplete(t, c, way.end)
						if got, want := balance(t, b, a), 1000-way.charge; got != want {
							t.Errorf("got balance %d, want %d", got, want)
						}
						checkWayOut(t, b, c, way.end, way.kind, way.charge, way.actual)
					})
				}
			}
		}
		checkBooks(t, b)
		if dispatch, capture := b.Guard(); dispatch != 0 || capture != 0 {
			t.Errorf("got guard %d and %d, want none", dispatch, capture)
		}
	})
}

func checkWayOut(t *testing.T, b *Books, c *Call, end *Completion, kind string, charge int64, actual string) {
	ctx := context.Background()
	i, err := b.Inference(ctx, c.ID())
	if err != nil {
		t.Fatal(err)
	}
	if i.Status != end.Status || i.CostMicroUSD != charge || i.Model != "model-1" || i.OutputTokens != 20 || i.HoldMicroUSD != 100 {
		t.Errorf("got inference %+v", i)
	}
	entries, err := b.Ledger(ctx, i.AgentID, 10)
	if err != nil || len(entries) != 3 || entries[0].Kind != kind || entries[1].Kind != schema.LedgerHold || entries[0].AmountMicroUSD != 100-charge {
		t.Errorf("got entries %+v, %v, want topup, hold, %s", entries, err, kind)
	}
	o, err := b.OutcomeOf(ctx, c.ID())
	wantEvent := `"router":"direct"`
	if c.OutcomeID() == "" {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v for the outcome of a pinned call, want ErrNotFound", err)
		}
		if !strings.Contains(i.Attempts, `"status":500`) {
			t.Errorf("got attempts %s on the inference", i.Attempts)
		}
	} else {
		wantEvent = `"router":"ainfera-inference"`
		if err != nil || o.OutcomeStatus != end.Status || o.CostActualUSD != actual || o.ServedModelSlug != "model-1" ||
			o.ChosenModelSlug != "model-0" || !strings.Contains(o.Attempts, `"reason":"status 500"`) || o.CompletedAt == nil ||
			o.ID != c.OutcomeID() || o.DecisionType != "deterministic" || o.ChosenPropensity != "1" || o.Source != "prod" {
			t.Errorf("got outcome %+v, %v", o, err)
		}
		input, output, err := b.Decision(ctx, o.ID)
		if want := sampleDecided(o.RequestID, o.AgentID, 900, 6); err != nil || string(input) != string(want.Input) || string(output) != string(want.Output) {
			t.Errorf("got decision\n%s\n%s\n%v", input, output, err)
		}
	}
	checkEvents(t, b, i.AgentID, wantEvent)
	checkReceipt(t, b, c, end.Status)
}

// checkEvents asserts the chain of an agent that made one call.
func checkEvents(t *testing.T, b *Books, agentID, wantEvent string) {
	events, err := b.Events(context.Background(), agentID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		types = append(types, e.EventType)
		canonical, err := proof.Canonical(e.Payload)
		if err != nil || string(canonical) != string(e.Payload) {
			t.Errorf("payload of %s is not canonical: %s", e.EventType, e.Payload)
		}
	}
	want := "agent.created wallet.topped_up inference.requested inference.routed provider.responded ledger.debited receipt.created"
	if got := strings.Join(types, " "); got != want {
		t.Fatalf("got events %s, want %s", got, want)
	}
	if !strings.Contains(string(events[3].Payload), wantEvent) {
		t.Errorf("got %s, want %s in it", events[3].Payload, wantEvent)
	}
	if r := proof.VerifyChain(events); !r.Valid {
		t.Errorf("got a broken chain: %s", r.Reason)
	}
}

func checkReceipt(t *testing.T, b *Books, c *Call, status string) {
	r, err := b.Receipt(context.Background(), c.ReceiptID())
	if err != nil || r.Status != ReceiptSigned || r.InferenceID != c.ID() {
		t.Fatalf("got receipt %+v, %v", r, err)
	}
	// It was signed as it was written, and is verified in canonical form: the two are the same.
	if err := proof.VerifySigned(r.Document, b.Signer().Public()); err != nil || !strings.Contains(string(r.Document), `"status":"`+status+`"`) {
		t.Errorf("receipt: %v: %s", err, r.Document)
	}
	tampered := strings.Replace(string(r.Document), `"output_tokens":20`, `"output_tokens":21`, 1)
	if err := proof.VerifySigned([]byte(tampered), b.Signer().Public()); err == nil {
		t.Error("a receipt with another usage verifies")
	}
}

func TestReject(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		for status, event := range rejectEvents {
			d := sampleDecided("r", a.ID, 1, 3)
			id, err := b.Reject(ctx, &Rejection{Agent: a, RequestID: "r", Endpoint: "/v1/messages", Status: status, Code: "why", Decided: d})
			if err != nil {
				t.Fatal(err)
			}
			o, err := b.Outcome(ctx, id)
			if err != nil || o.OutcomeStatus != status || o.InferenceID != "" || o.Code != "why" || o.CompletedAt == nil {
				t.Errorf("got %+v, %v, want one row for %s", o, err, status)
			}
			input, output, err := b.Decision(ctx, id)
			if err != nil || string(input) != string(d.Input) || string(output) != string(d.Output) {
				t.Errorf("got decision %s, %s, %v", input, output, err)
			}
			id, err = b.Reject(ctx, &Rejection{Agent: a, RequestID: "p", Endpoint: "/v1/messages", Status: status, Pinned: true, Model: "model-0"})
			if err != nil || id != "" {
				t.Errorf("got %q, %v of a pinned call, want no row", id, err)
			}
			events, err := b.Events(ctx, a.ID, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events[len(events)-2:] {
				canonical, _ := proof.Canonical(e.Payload)
				if e.EventType != event || string(canonical) != string(e.Payload) {
					t.Errorf("got %s %s, want a canonical %s", e.EventType, e.Payload, event)
				}
			}
		}
		if _, err := b.Reject(ctx, &Rejection{Agent: a, Status: schema.StatusSucceeded}); err == nil {
			t.Error("a success was booked as a refusal")
		}
		r := checkBooks(t, b)
		if r.Outcomes != int64(len(rejectEvents)) || r.Inferences != 0 || r.Entries != 0 {
			t.Errorf("got %+v, want %d outcomes and nothing else", r, len(rejectEvents))
		}
	})
}

func TestBeginRefuses(t *testing.T) {
	cap100, cap150 := int64(100), int64(150)
	tests := []struct {
		name  string
		agent NewAgent
		holds []int64 // all but the last fit
		want  func(error) bool
	}{
		{"PerCallCap", NewAgent{PerCallCapMicroUSD: &cap100}, []int64{100, 101}, func(err error) bool {
			e := new(CapError)
			return errors.As(err, &e) && !e.Daily && e.CapMicroUSD == 100
		}},
		{"DailyCapCountsOpenHolds", NewAgent{DailyCapMicroUSD: &cap150}, []int64{100, 51}, func(err error) bool {
			e := new(CapError)
			return errors.As(err, &e) && e.Daily && e.DayRemainingMicroUSD == 50
		}},
		{"Funds", NewAgent{WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 120}, []int64{100, 21}, func(err error) bool {
			return errors.Is(err, ErrInsufficientFunds)
		}},
	}
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				test.agent.Name = test.name
				a := mustAgent(t, b, test.agent)
				for i, hold := range test.holds {
					_, err := b.Begin(ctx, routed(a, hold))
					if last := i == len(test.holds)-1; last && !test.want(err) || !last && err != nil {
						t.Errorf("hold %d of %v: got %v", i, test.holds, err)
					}
				}
			})
		}
		t.Run("AgentNotActive", func(t *testing.T) {
			a := mustAgent(t, b, NewAgent{Name: "suspended"})
			if err := b.SetAgentStatus(ctx, a.ID, schema.AgentSuspended); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Begin(ctx, routed(a, 1)); !errors.Is(err, ErrAgentNotActive) {
				t.Errorf("got %v, want ErrAgentNotActive", err)
			}
		})
		t.Run("UnknownAgent", func(t *testing.T) {
			if _, err := b.Begin(ctx, routed(&Agent{ID: "nobody"}, 1)); !errors.Is(err, ErrUnknownAgent) {
				t.Errorf("got %v, want ErrUnknownAgent", err)
			}
		})
		checkBooks(t, b)
	})
}

func TestRaiseHold(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 300})
		c := mustBegin(t, b, routed(a, 100))
		if err := c.RaiseHold(ctx, 250); err != nil || c.HoldMicroUSD() != 250 || balance(t, b, a) != 50 {
			t.Fatalf("got %v, hold %d, balance %d, want 250 held", err, c.HoldMicroUSD(), balance(t, b, a))
		}
		if err := c.RaiseHold(ctx, 301); !errors.Is(err, ErrInsufficientFunds) || c.HoldMicroUSD() != 250 {
			t.Fatalf("got %v, hold %d, want ErrInsufficientFunds and 250 still held", err, c.HoldMicroUSD())
		}
		if err := c.RaiseHold(ctx, 10); err != nil || c.HoldMicroUSD() != 250 {
			t.Fatalf("got %v, hold %d, want nothing changed", err, c.HoldMicroUSD())
		}
		mustComplete(t, c, ended(schema.StatusSucceeded, 400))
		i, err := b.Inference(ctx, c.ID())
		if err != nil || i.UncollectedMicroUSD != 100 || i.CostMicroUSD != 400 || balance(t, b, a) != 0 {
			t.Errorf("got %+v, %v, balance %d, want 100 uncollected and nothing left", i, err, balance(t, b, a))
		}
		if err := c.RaiseHold(ctx, 500); !errors.Is(err, ErrCompleted) {
			t.Errorf("got %v, want ErrCompleted", err)
		}
		if err := c.Complete(ctx, ended(schema.StatusSucceeded, 400)); !errors.Is(err, ErrCompleted) {
			t.Errorf("got %v, want ErrCompleted", err)
		}
		checkBooks(t, b)
	})
}

func TestReceiptIsPendingWhileTheCallIsOpen(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		c := mustBegin(t, b, pinned(a, 1))
		r, err := b.Receipt(ctx, c.ReceiptID())
		if err != nil || r.Status != ReceiptPending || r.Document != nil || r.AgentID != a.ID {
			t.Fatalf("got %+v, %v, want pending", r, err)
		}
		mustComplete(t, c, ended(schema.StatusSucceeded, 1))
		checkReceipt(t, b, c, schema.StatusSucceeded)
		if _, err := b.Receipt(ctx, NewID()); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	})
}

func TestGuardCountsWhatMustNotHappen(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		lost, stray := mustBegin(t, b, routed(a, 1)), mustBegin(t, b, pinned(a, 1))
		if _, err := b.db.ExecContext(ctx, "DELETE FROM routing_outcomes WHERE id = ?", lost.OutcomeID()); err != nil {
			t.Fatal(err)
		}
		other := mustBegin(t, b, routed(a, 1))
		if _, err := b.db.ExecContext(ctx, "UPDATE routing_outcomes SET inference_id = ? WHERE id = ?", stray.ID(), other.OutcomeID()); err != nil {
			t.Fatal(err)
		}
		mustComplete(t, lost, ended(schema.StatusSucceeded, 1))
		mustComplete(t, stray, ended(schema.StatusSucceeded, 1))
		if dispatch, capture := b.Guard(); dispatch != 1 || capture != 1 {
			t.Errorf("got %d and %d, want one each", dispatch, capture)
		}
		r, err := b.Check(ctx)
		if err != nil || r.DispatchWithoutCapture != 1 || r.CaptureWithoutRoute != 1 || r.OK() {
			t.Errorf("got %+v, %v, want one each", r, err)
		}
	})
}

func TestBodiesAreKeptOnlyWhereTurnedOn(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			onEachStore(t, func(t *testing.T, config Config) {
				config.KeepBodies = keep
				b := openBooks(t, config)
				a := mustAgent(t, b, NewAgent{Name: "a"})
				n, end := pinned(a, 1), ended(schema.StatusSucceeded, 1)
				n.RequestBody, end.ResponseBody = []byte("what was asked"), []byte("what was answered")
				c := mustBegin(t, b, n)
				mustComplete(t, c, end)
				request, response, err := b.Bodies(context.Background(), c.ID())
				if keep && (err != nil || string(request) != "what was asked" || string(response) != "what was answered") {
					t.Errorf("got %q, %q, %v", request, response, err)
				}
				if !keep && !errors.Is(err, ErrNotFound) {
					t.Errorf("got %q, %q, %v, want ErrNotFound", request, response, err)
				}
			})
		})
	}
}

func TestStatus(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		mustBegin(t, b, routed(a, 30))
		mustComplete(t, mustBegin(t, b, routed(a, 50)), ended(schema.StatusSucceeded, 1))
		s, err := b.Status(context.Background())
		if err != nil || s.OpenCalls != 1 || s.OpenHoldMicroUSD != 30 || len(s.Versions) == 0 || s.Migrated != len(s.Versions) ||
			!strings.Contains(t.Name(), s.Store) || s.Journaled != 0 || s.SigningKeyID != b.Signer().KeyID() {
			t.Errorf("got %+v, %v", s, err)
		}
	})
}

func TestOneHostAStore(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		if _, err := Open(ctx, config); err == nil || !strings.Contains(err.Error(), "another host") {
			t.Errorf("got %v, want a word about the other host", err)
		}
		config.Command = true
		command := openBooks(t, config)
		a := mustAgent(t, command, NewAgent{Name: "made by a command"})
		if _, err := b.TopUp(ctx, a.ID, 5, ""); err != nil {
			t.Errorf("the host does not know the command's agent: %v", err)
		}
		if _, err := command.TopUp(ctx, a.ID, 5, "gift"); err != nil || balance(t, b, a) != 10 {
			t.Errorf("got %v, balance %d, want 10", err, balance(t, b, a))
		}
		if w, err := b.TopUp(ctx, a.ID, 1, ""); err != nil || w.BalanceMicroUSD != 11 {
			t.Errorf("got %+v, %v, want 11: the host must see what the command wrote", w, err)
		}
		if _, err := command.Begin(ctx, routed(a, 1)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable: a command takes no calls", err)
		}
		checkBooks(t, b)
	})
}

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	const secret = "hunter2secret"
	dir := t.TempDir()
	for name, dsn := range map[string]string{
		"ErrUnknownStore":  "mysql://u:" + secret + "@h/d",
		"ErrUnreachable":   "postgres://u:" + secret + "@127.0.0.1:1/d?sslmode=disable&connect_timeout=2",
		"ErrMalformed":     "postgres://u:" + secret + "@h:port/d",
		"ErrBadParameters": "postgres://u:" + secret + "@h/d?sslmode=nonsense",
		"ErrNoFile":        "sqlite://" + dir,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Open(ctx, Config{DSN: dsn, Dir: filepath.Join(dir, name)})
			if err == nil {
				b.Close(ctx)
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestPostgresThatCouldLoseCommitsIsRefused(t *testing.T) {
	dsn := pgtest.DSN(t) + "&synchronous_commit=off"
	if _, err := Open(context.Background(), Config{DSN: dsn, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Fatalf("got %v, want a refusal that says what to turn on", err)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "books.db")
	b := openBooks(t, Config{DSN: "sqlite://" + path})
	first := b.Signer().KeyID()
	for _, file := range []string{path, filepath.Join(filepath.Dir(path), "signing_key.pem")} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", file, info.Mode(), err)
		}
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if again := openBooks(t, Config{DSN: "sqlite://" + path}); again.Signer().KeyID() != first || first == "" {
		t.Errorf("got key %s, then %s, want the same", first, again.Signer().KeyID())
	}
}
