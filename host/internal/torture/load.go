package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A load is the callers and what they were told.
type load struct {
	p      plan
	fleet  *fleet
	client *http.Client
	saw    tally

	mu      sync.Mutex
	answers []answer
}

// An answer is one that its caller got whole.
type answer struct {
	inference, model string
	routed, replayed bool
	key              string // the agent and the Idempotency-Key, where there was one
	input, output    int64  // the usage that the caller was told
}

// A request is what a caller asks.
type request struct {
	agent, model, key string
	stream            bool
	words             string        // for the vendor
	patience          time.Duration // zero: the caller waits for the answer
}

func newLoad(p plan, f *fleet) *load {
	return &load{p: p, fleet: f, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: p.callers}}}
}

// run has the callers call until ctx ends, and waits for the answers that are under way.
func (l *load) run(ctx context.Context) {
	var callers sync.WaitGroup
	for n := range l.p.callers {
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(l.p.seed, 1000+uint64(n)))
			for i := 0; ctx.Err() == nil; i++ {
				r := draw(rng)
				if rng.IntN(8) == 0 {
					r.key = fmt.Sprintf("key-%d-%d", l.p.seed, rng.IntN(60)) // of which callers share some
					r.stream, r.model, r.agent, r.words = len(r.key)%2 == 0, "ainfera-inference", "metered", ""
				}
				l.call(context.WithoutCancel(ctx), l.fleet.hosts[rng.IntN(len(l.fleet.hosts))].address(), r)
			}
		})
	}
	callers.Wait()
	l.client.CloseIdleConnections()
}

// manners are what vendors are asked to do; the plain ones are the most frequent.
var manners = []string{
	"", "", "", "", "", "[[sim chunks=12 between=10ms]]", "[[sim first=80ms]]", "[[sim chunks=40 between=15ms]]", "[[sim usage=none]]",
	"[[sim status=529]]", "[[sim status=400]]", "[[sim status=500]]", "[[sim error-after=2]]", "[[sim cut-after=3]]", "[[sim torn-after=1]]",
	"[[sim end-early]]", "[[sim empty]]", "[[sim silent]]", "[[sim silent-after=2]]",
}

func draw(rng *rand.Rand) request {
	r := request{
		agent:  []string{"metered", "metered", "prepaid", "capped"}[rng.IntN(4)],
		model:  []string{"ainfera-inference", "ainfera-inference", "ainfera-auto", "one", "two"}[rng.IntN(5)],
		stream: rng.IntN(2) == 0,
		words:  manners[rng.IntN(len(manners))],
	}
	if rng.IntN(6) == 0 {
		r.patience = time.Duration(1+rng.IntN(400)) * time.Millisecond
	}
	return r
}

// callWithin is how long any caller waits, for a host that is frozen say.
const callWithin = 20 * time.Second

// call makes one call and notes what came of it.
func (l *load) call(ctx context.Context, url string, r request) {
	patience := r.patience
	if patience == 0 {
		patience = callWithin
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, status, err := l.ask(ctx, url, r)
	switch {
	case ctx.Err() != nil:
		l.saw.add("that they had left", 1)
	case err != nil && status == 0:
		l.saw.add("no host", 1)
		time.Sleep(50 * time.Millisecond)
	case err != nil:
		l.saw.add("an answer cut short", 1)
	case status != http.StatusOK:
		l.saw.add(strconv.Itoa(status)+"s", 1)
		if status == http.StatusServiceUnavailable {
			time.Sleep(50 * time.Millisecond)
		}
	default:
		l.saw.add("whole answers", 1)
		if got.replayed {
			l.saw.add("replays among them", 1)
		}
		l.mu.Lock()
		l.answers = append(l.answers, got)
		l.mu.Unlock()
	}
}

// ask sends the request and reads the answer to its end. status is 0 where no answer came at all.
func (l *load) ask(ctx context.Context, url string, r request) (got answer, status int, err error) {
	body, err := json.Marshal(map[string]any{
		"model": r.model, "max_tokens": 300, "stream": r.stream,
		"messages": []any{map[string]any{"role": "user", "content": strings.TrimSpace("Hello " + r.key + " " + r.words)}},
	})
	if err != nil {
		return got, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return got, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("X-Api-Key", l.fleet.keys[r.agent])
	if r.key != "" {
		req.Header["Idempotency-Key"] = []string{r.key}
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return got, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body) // an error is a connection that broke before the end
	if err != nil || resp.StatusCode != http.StatusOK {
		return got, resp.StatusCode, err
	}
	got = answer{inference: resp.Header.Get("X-Ainfera-Inference-Id"), model: resp.Header.Get("X-Ainfera-Model"),
		routed: strings.HasPrefix(r.model, "ainfera"), replayed: resp.Header.Get("X-Ainfera-Replayed") != ""}
	if r.key != "" {
		got.key = r.agent + " " + r.key
	}
	return got, resp.StatusCode, got.read(text, r.stream)
}

// usage is what an answer says it cost.
type usage struct {
	Input  *int64 `json:"input_tokens"`
	Output *int64 `json:"output_tokens"`
}

var errNotWhole = errors.New("the answer is not whole")

// read takes the usage out of an answer, and reports one that does not end as an answer does.
func (a *answer) read(text []byte, stream bool) error {
	if !stream {
		var message struct {
			Type  string
			Usage usage
		}
		if err := json.Unmarshal(text, &message); err != nil || message.Type != "message" {
			return errNotWhole
		}
		return a.take(message.Usage)
	}
	var last struct {
		Type    string
		Message struct{ Usage usage }
		Usage   usage
	}
	for line := range strings.Lines(string(text)) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		last.Type, last.Message.Usage, last.Usage = "", usage{}, usage{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			return errNotWhole
		}
		switch last.Type {
		case "message_start":
			_ = a.take(last.Message.Usage)
		case "message_delta":
			_ = a.take(last.Usage) // the later word counts
		}
	}
	if last.Type != "message_stop" {
		return errNotWhole
	}
	return nil
}

func (a *answer) take(u usage) error {
	if u.Input != nil {
		a.input = *u.Input
	}
	if u.Output != nil {
		a.output = *u.Output
	}
	if u.Input == nil || u.Output == nil {
		return errNotWhole
	}
	return nil
}
