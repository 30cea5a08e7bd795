package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/author"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A recording is what `plugin record` was asked for.
type recording struct {
	provider, url, keyEnv string
	body, model, name     string
	stream                bool
}

func authorRecord(o *options) *cobra.Command {
	var rec recording
	cmd := &cobra.Command{
		Use:   "record [DIR]",
		Short: "Make one real call through the plugin, and keep it as a case without its secrets",
		Long: "Compiles the plugin, has it build the request for --body, sends that as a server would, and writes the vendor's answer\n" +
			"and what the plugin makes of it to testdata/NAME.txtar. Where it is sent and the key come from --provider, a block of\n" +
			"the configuration, or from --url and --key-env. Keys, cookies and ids of accounts are left out; read the file before\n" +
			"you commit it all the same, since nothing knows every shape of a secret.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPlugin(cmd.Context(), args, func(p *author.Plugin) error {
				return rec.make(cmd.Context(), o, p, cmd.InOrStdin(), cmd.OutOrStdout())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&rec.provider, "provider", "", "a provider of the configuration, for its base_url, auth and settings")
	f.StringVar(&rec.url, "url", "", "the vendor's base URL, instead of a provider")
	f.StringVar(&rec.keyEnv, "key-env", "", "with --url: the variable that holds the bearer token")
	f.StringVar(&rec.body, "body", "-", "file with the caller's request in the Anthropic Messages shape; - reads standard input")
	f.StringVar(&rec.model, "model", "", "the vendor's name for the model")
	f.StringVar(&rec.name, "name", "recorded", "what the case is called, which is its file's name as well")
	f.BoolVar(&rec.stream, "stream", true, "ask for a stream")
	cmd.MarkFlagsOneRequired("provider", "url")
	cmd.MarkFlagsMutuallyExclusive("provider", "url")
	_ = cmd.MarkFlagRequired("model") // the flag is there
	return cmd
}

func (rec *recording) make(ctx context.Context, o *options, p *author.Plugin, stdin io.Reader, out io.Writer) error {
	path := filepath.Join(p.Dir, "testdata", rec.name+".txtar")
	if filepath.Base(path) != rec.name+".txtar" {
		return fmt.Errorf("--name %q: want a file's name", rec.name)
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already: name another with --name", path)
	}
	body, err := rec.read(stdin)
	if err != nil {
		return err
	}
	b, err := p.Build(ctx, "")
	if err != nil {
		return err
	}
	if b.Manifest.Kind != wasm.KindAdapter {
		return fmt.Errorf("%s is a policy: its cases are inputs, which `ainfera policy replay` and the books have", b.Manifest.Name)
	}
	vendor, err := rec.vendor(o, b.Manifest)
	if err != nil {
		return err
	}
	f, err := rec.call(ctx, p, b, vendor, body)
	if err != nil {
		return err
	}
	f.Name, f.Path = rec.name, path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	r, err := author.TestModule(ctx, p.Sandbox, b.Module, []*sdktest.File{f}, author.TestOptions{Update: true, Repros: filepath.Dir(path)})
	if err != nil {
		return err
	}
	printTests(out, r, p.Dir)
	fmt.Fprintf(out, "written: %s, with the status %d; read it before you commit it\n", path, f.Response().Status)
	return nil
}

func (rec *recording) read(stdin io.Reader) ([]byte, error) {
	var body []byte
	var err error
	if rec.body == "-" {
		body, err = io.ReadAll(stdin)
	} else {
		body, err = os.ReadFile(rec.body)
	}
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	var short bytes.Buffer
	if err := json.Compact(&short, body); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return short.Bytes(), nil
}

// A vendor is where a recording's call goes.
type vendor struct {
	base     *url.URL
	auth     provider.Auth
	secrets  []string
	settings json.RawMessage
}

func (rec *recording) vendor(o *options, m wasm.Manifest) (vendor, error) {
	var v vendor
	var err error
	raw, given := rec.url, map[string]any(nil)
	if rec.provider != "" {
		cfg, err := config.Load(o.config, os.LookupEnv)
		if err != nil {
			return v, err
		}
		p := providerOf(cfg, rec.provider)
		if p == nil {
			return v, fmt.Errorf("%s has no provider %q", o.config, rec.provider)
		}
		_, simulated := p.Simulated()
		switch {
		case simulated:
			return v, fmt.Errorf("provider %q is simulated, and has no answers worth keeping: give it the vendor's base_url", rec.provider)
		case p.Auth.Kind == config.AuthSigV4:
			return v, fmt.Errorf("provider %q signs its requests for their host, and what is recorded goes through another", rec.provider)
		}
		raw, given = p.BaseURL, p.Settings
		if v.auth, err = authOf(p); err != nil {
			return v, err
		}
		v.secrets = []string{p.Auth.Token.Reveal(), p.Auth.Value.Reveal()}
	} else if rec.keyEnv != "" {
		key := os.Getenv(rec.keyEnv)
		if key == "" {
			return v, fmt.Errorf("--key-env: %s is not set", rec.keyEnv)
		}
		v.auth, v.secrets = provider.Bearer{Token: provider.Secret(key)}, []string{key}
	}
	if v.base, err = url.Parse(raw); err != nil || v.base.Host == "" || v.base.Scheme != "http" && v.base.Scheme != "https" {
		return v, errors.New("base URL: want http(s)://HOST/…")
	}
	v.settings, err = completed(given, m)
	return v, err
}

func providerOf(cfg *config.Config, name string) *config.Provider {
	for i := range cfg.Providers {
		if cfg.Providers[i].Name == name {
			return &cfg.Providers[i]
		}
	}
	return nil
}

// A tap passes calls on to the vendor and keeps the last answer as it came.
type tap struct {
	mu      sync.Mutex
	status  int
	headers http.Header
	body    bytes.Buffer
	err     error // why there is no answer
}

// serve listens on loopback and passes on to base's host; the returned URL has base's path.
func (t *tap) serve(base *url.URL) (string, func() error, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = base.Scheme, base.Host, base.Host
		},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.err = err
			w.WriteHeader(http.StatusBadGateway)
		},
		ModifyResponse: func(r *http.Response) error {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.status, t.headers = r.StatusCode, r.Header.Clone()
			t.body.Reset()
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, &t.body), r.Body}
			return nil
		},
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	here := *base
	here.Scheme, here.Host = "http", ln.Addr().String()
	return here.String(), func() error {
		err := server.Shutdown(context.Background())
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// call makes the call as a server would, with the tap between, and returns the case without its secrets.
func (rec *recording) call(ctx context.Context, p *author.Plugin, b *author.Built, v vendor, body []byte) (f *author.Case, err error) {
	m, err := p.Sandbox.Load(ctx, wasm.Spec{Name: b.Manifest.Name, Bytes: b.Module})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var t tap
	here, end, err := t.serve(v.base)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	var seen author.Recorder
	err = rec.send(ctx, provider.Config{Name: b.Manifest.Name, BaseURL: here, Auth: v.auth, Settings: v.settings, AllowPrivate: true,
		Adapter: func() (provider.Adapter, func()) {
			return recordedAdapter{&adapter{m: m, settings: v.settings}, &seen}, func() {}
		},
		Logger: hclog.NewNullLogger()}, body)
	err = errors.Join(err, end()) // from here on nobody writes to the tap
	if t.status == 0 {
		return nil, fmt.Errorf("the vendor did not answer: %w", cmp.Or(t.err, err))
	}
	f = seen.File()
	f.End = 0
	f.Body = author.ScrubBytes(f.Body, v.secrets...)
	f.Answer = author.AnswerText(t.status, author.ScrubHeaders(t.headers), author.ScrubBytes(t.body.Bytes(), v.secrets...))
	return f, nil
}

// send makes the call and reads the answer to its end. An answer that is an error's is as good a case as any.
func (rec *recording) send(ctx context.Context, c provider.Config, body []byte) error {
	up, err := provider.New(c)
	if err != nil {
		return err
	}
	defer up.Close()
	var asked struct {
		MaxTokens int `json:"max_tokens"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	prepared, err := up.Prepare(ctx, &provider.Ask{Stream: rec.stream, Model: rec.model, MaxTokens: asked.MaxTokens, Body: body})
	if err != nil {
		return err
	}
	defer prepared.Close()
	answer, err := prepared.Send(ctx)
	if err != nil {
		return err
	}
	defer answer.Close()
	for {
		if _, err := answer.Next(ctx); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A recordedAdapter notes what its streams are given.
type recordedAdapter struct {
	*adapter
	seen *author.Recorder
}

var _ provider.Adapter = recordedAdapter{}

func (a recordedAdapter) NewStream(ctx context.Context) (provider.Guest, error) {
	g, err := a.adapter.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	return &recordedStream{g, a.seen}, nil
}

// A recordedStream notes what it is given.
type recordedStream struct {
	provider.Guest
	seen *author.Recorder
}

// Open implements provider.Guest.
func (s *recordedStream) Open(recs ...abi.Record) ([]byte, error) {
	s.seen.Open(recs)
	return s.Guest.Open(recs...)
}
