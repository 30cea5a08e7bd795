package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
)

// flatAfter is how many chunks a guest may take to come to the memory that it then keeps.
const flatAfter = 20_000

// chunks feeds one stream of the openai adapter, whose instance is never rewound, and holds the guest to the memory that it
// had after the first of them.
func chunks(ctx context.Context, n int) (err error) {
	dir, err := os.MkdirTemp("", "ainfera-chunks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
	module, err := builtin.Module("openai")
	if err != nil {
		return err
	}
	m, err := sandbox.Load(ctx, wasm.Spec{Name: "openai", Bytes: module, Kind: wasm.KindAdapter})
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.NewStream(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := begin(s); err != nil {
		return err
	}
	chunk := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767323045,"model":"m","choices":[{"index":0,"delta":{"content":"` +
		strings.Repeat("the text of it ", 15) + `"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	began, steady := time.Now(), int64(0)
	for i := range n {
		out, err := s.Push(abi.Record{Kind: abi.KindFrame, Payload: chunk})
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i+1, err)
		}
		if r, err := abi.NewReader(out); err != nil || r.Count() == 0 {
			return fmt.Errorf("chunk %d came to nothing: %v", i+1, err)
		}
		if i+1 == min(flatAfter, n) {
			steady = m.Stats().MemoryBytes
		}
		if i%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	took, end := time.Since(began), m.Stats().MemoryBytes
	fmt.Printf("%d chunks of %d bytes through one stream: %s a chunk; guest memory %d KiB after %d, %d KiB at the end\n",
		n, len(chunk), (took / time.Duration(max(n, 1))).Round(10*time.Nanosecond), steady>>10, min(flatAfter, n), end>>10)
	if end > steady {
		return fmt.Errorf("guest memory grew from %d to %d bytes", steady, end)
	}
	return nil
}

// begin opens the stream up to its head.
func begin(s *wasm.Stream) error {
	call := `{"op":"chat","stream":true,"model":"m","slug":"m","max_tokens":64,"max_output":32000,"settings":{"max_tokens_field":"max_tokens","path":"/chat/completions"}}`
	_, err := s.Open(abi.Record{Kind: abi.KindOpen, Payload: []byte(call)},
		abi.Record{Kind: abi.KindBody, Payload: []byte(`{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say much."}]}`)})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if _, err = s.Push(abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"text/event-stream"}}`)}); err != nil {
		return fmt.Errorf("head: %w", err)
	}
	return nil
}
