// Package swaptorture is a load under which the versions of plugins are swapped.
//
// It talks to a server over HTTP alone, as callers and operators do. Every stream is held to be whole and the same as the
// first, every swap to be taken. The short form runs in make test against a server in the test's process; run, below, is the
// long one, against a server of its own.
package swaptorture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// Options are what a run does. All but Pause, Calm and Note are required.
type Options struct {
	// URL and Key are for callers, Admin and Token for operators.
	URL, Key, Admin, Token string
	// Body is a streamed request to /v1/messages, whose answer is the same every time.
	Body string
	// Streams is how many are in flight at any time.
	Streams int
	// Swaps is how often a version is staged and activated, each of Builds' plugins in turn.
	Swaps  int
	Builds map[string][][]byte
	// Pause is between two swaps. Defaults to none.
	Pause time.Duration
	// Calm is how long the load runs before the first swap, to compare with. Defaults to none.
	Calm time.Duration
	// Note is told after every swap, from one goroutine.
	Note func(swaps int)
}

// A Report is what a run came to.
type Report struct {
	// Streams and Swaps are those that were made; each stream was whole.
	Streams, Swaps int
	// Before and During are how long streams took, from request to last byte: those that began before the first swap, and
	// those that began between the first and the last.
	Before, During Times
	// Staged and Activated are how long the operator waited for each.
	Staged, Activated Times
}

// A caller shares what all streams need.
type caller struct {
	o      *Options
	client *http.Client
	want   string // what every stream comes to

	mu       sync.Mutex
	report   Report
	swapping bool
}

// Run loads the server and swaps. The first stream that is not whole, and the first swap that is refused, is its error.
func Run(ctx context.Context, o Options) (Report, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: o.Streams + 1, DisableCompression: true}
	defer transport.CloseIdleConnections()
	c := &caller{o: &o, client: &http.Client{Transport: transport}}
	var err error
	if c.want, err = c.stream(ctx); err != nil {
		return c.report, fmt.Errorf("the first stream: %w", err)
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, o.Streams)
	var callers sync.WaitGroup
	for range o.Streams {
		callers.Go(func() {
			for loading.Err() == nil {
				if err := c.once(ctx); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	err = c.swaps(ctx, failed)
	stop()
	callers.Wait() // streams in flight end by themselves
	close(failed)
	for f := range failed {
		err = errors.Join(err, f)
	}
	c.report.Before.sort()
	c.report.During.sort()
	return c.report, err
}

// once is one stream, timed.
func (c *caller) once(ctx context.Context) error {
	began := time.Now()
	c.mu.Lock()
	during := c.swapping
	c.mu.Unlock()
	got, err := c.stream(ctx)
	if err != nil {
		return err
	}
	if got != c.want {
		return fmt.Errorf("a stream came to\n%s\nwant\n%s", got, c.want)
	}
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Streams++
	switch {
	case !during:
		c.report.Before = append(c.report.Before, took)
	case c.swapping:
		c.report.During = append(c.report.During, took)
	}
	return nil
}

// stream makes one call and returns what all streams have in common: the events in their order, and the text.
func (c *caller) stream(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.URL+"/v1/messages", strings.NewReader(c.o.Body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.o.Key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := c.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("call: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000)) // what there is of it says enough
		return "", fmt.Errorf("call: status %d: %s", resp.StatusCode, text)
	}
	said, err := outline(resp.Body)
	if err != nil {
		return "", fmt.Errorf("request %s: %w", resp.Header.Get("Request-Id"), err)
	}
	return said, nil
}

// outline reads a stream of the Anthropic grammar and checks it: every event as it should be, the last one message_stop.
func outline(body io.Reader) (string, error) {
	var events, text strings.Builder
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	name, last := "", ""
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case len(line) == 0:
			name = ""
		case bytes.HasPrefix(line, []byte("event: ")):
			name = string(line[len("event: "):])
		case bytes.HasPrefix(line, []byte("data: ")):
			data := line[len("data: "):]
			if !gjson.ValidBytes(data) || gjson.GetBytes(data, "type").Str != name {
				return "", fmt.Errorf("event %q holds %.200s", name, data)
			}
			if name == "error" {
				return "", fmt.Errorf("the stream broke: %.500s", data)
			}
			if name != "ping" {
				fmt.Fprintf(&events, "%s %s\n", name, gjson.GetBytes(data, "index").Raw)
				last = name
			}
			text.WriteString(gjson.GetBytes(data, "delta.text").Str)
		default:
			return "", fmt.Errorf("a line that is no part of an event: %.200q", line)
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read the stream after %q: %w", last, err)
	}
	if last != "message_stop" {
		return "", fmt.Errorf("the stream ended with %q", last)
	}
	return events.String() + text.String(), nil
}
