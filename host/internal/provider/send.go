package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// What a simulated vendor is told of the call.
const (
	simulatedInference = "X-Ainfera-Inference-Id"
	simulatedAttempt   = "X-Ainfera-Attempt"
)

// Send adds the provider's authentication, sends the request and waits for the response head. It is called once. ctx
// governs the whole try: when it ends, the connection to the vendor does too, also in the midst of the answer.
//
// The error is a *Failure, or wraps ctx's when the caller went away (Cancelled tells). After either the guest has been
// given back.
func (p *Prepared) Send(ctx context.Context) (*Answer, error) {
	a := &Answer{p: p, caller: ctx.Done(), streamed: p.framing != abi.FramingJSON}
	a.idle = &lapse{"no further byte", p.up.limits.Idle}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.watch = newWatch(a.cancel, p.firstLapse(a.streamed))
	p.lent, p.try.Started = true, time.Now()

	resp, err := p.roundTrip(a.ctx)
	if err == nil {
		p.try.Status, p.try.Head = resp.StatusCode, time.Since(p.try.Started)
		a.resp = resp
		err = a.judge()
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (p *Prepared) firstLapse(streamed bool) *lapse {
	if streamed {
		return &lapse{"no first byte", p.up.limits.FirstByte}
	}
	return &lapse{"no whole answer", p.up.limits.Total}
}

// roundTrip sends the request. The transport is used bare: a client would follow redirects, keep cookies, and put the
// URL, with a key in its query, into its errors.
func (p *Prepared) roundTrip(ctx context.Context) (*http.Response, error) {
	target := *p.url
	req := &http.Request{
		Method: p.method, URL: &target, Host: target.Host, Header: p.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if n := p.body.size(); n > 0 {
		req.Body, req.ContentLength = p.body.reader(), n
		req.GetBody = func() (io.ReadCloser, error) { return p.body.reader(), nil }
	}
	if err := p.authorise(ctx, req); err != nil {
		return nil, err
	}
	if p.up.simulated {
		req.Header[simulatedInference] = []string{p.ask.InferenceID}
		req.Header[simulatedAttempt] = []string{strconv.Itoa(p.ask.Attempt)}
	}
	// Present but empty: nothing is sent, and the transport may send again when a kept connection turns out to have been
	// closed before any answer came.
	req.Header["Idempotency-Key"] = nil
	var connected, sends atomic.Int64 // the transport may still be dialling for others when it has given up on this request
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected.Store(int64(time.Since(p.try.Started)))
		sends.Add(1)
	}}
	resp, err := p.up.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	p.try.Connect, p.try.Sends = time.Duration(connected.Load()), int(sends.Load())
	switch {
	case err == nil:
		return resp, nil
	case p.try.Connect == 0:
		return nil, p.broken(ctx, PhaseConnect, err)
	}
	return nil, p.broken(ctx, PhaseSend, err)
}

// authorise adds the provider's credentials, which may have to be fetched first.
func (p *Prepared) authorise(ctx context.Context, req *http.Request) error {
	if p.up.auth == nil {
		return nil
	}
	err := p.up.auth.apply(ctx, req, p.body, time.Now())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return p.broken(ctx, PhaseConnect, err)
	}
	f := p.unusable(PhaseConnect, "the provider's credentials could not be used")
	f.Kind, f.cause = abi.ErrAuthentication, err
	return f
}

// broken is the error for a connection that failed, a deadline that passed, or a caller who left.
func (p *Prepared) broken(ctx context.Context, phase Phase, err error) error {
	var l *lapse
	cause := context.Cause(ctx)
	if cause != nil && !errors.As(cause, &l) {
		return fmt.Errorf("provider %s: %w: %w", p.up.name, ErrCallerLeft, cause)
	}
	f := p.unusable(phase, "the connection to the vendor broke")
	f.cause = err
	switch {
	case l != nil:
		f.Kind, f.Message, f.cause = abi.ErrTimeout, "the vendor didn't answer in time", l
	case timedOut(err):
		f.Kind, f.Message = abi.ErrTimeout, "the vendor didn't answer in time"
	case errors.Is(err, ErrPrivateAddress):
		f.Message = "the vendor's address is refused"
	}
	return f
}

// judge looks at the response head: an error answer is read whole and becomes a *Failure, anything that can't be an
// answer does so at once.
func (a *Answer) judge() error {
	p, h := a.p, a.resp.Header
	status := a.resp.StatusCode
	switch {
	case status >= 400:
		return a.refused()
	case status < 200 || status >= 300:
		return p.unusable(PhaseAnswer, "the vendor redirects, which is not followed: base_url must be where it points")
	}
	if enc := strings.TrimSpace(h.Get("Content-Encoding")); enc != "" && !strings.EqualFold(enc, "identity") {
		return p.unusable(PhaseBody, fmt.Sprintf("the vendor answered in content-encoding %.32q, which was not asked for", enc))
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if kind == "text/html" {
		return p.unusable(PhaseBody, "the vendor answered with a web page: base_url may be wrong")
	}
	if kind == "application/json" && (p.framing == abi.FramingSSE || p.framing == abi.FramingAWS) {
		a.document = true // asked to stream, it didn't
	}
	if kind == "text/event-stream" && p.framing == abi.FramingJSON && !p.ask.Verbatim {
		p.framing = abi.FramingSSE // asked not to, it did; a caller of the verbatim lane expects one document
	}
	return a.begin()
}

// unusable is a failure that is the vendor's.
func (p *Prepared) unusable(phase Phase, message string) *Failure {
	return &Failure{Provider: p.up.name, Phase: phase, Kind: abi.ErrAPI, Status: p.try.Status, Module: p.module,
		Verbatim: p.ask.Verbatim, Message: message}
}

// refused makes an error answer into a *Failure, in the adapter's words where it has some.
func (a *Answer) refused() error {
	p, h := a.p, a.resp.Header
	body, err := io.ReadAll(io.LimitReader(a.resp.Body, int64(p.up.limits.ErrorBodyBytes)))
	if cause := context.Cause(a.ctx); err != nil && cause != nil && len(body) == 0 {
		return p.broken(a.ctx, PhaseBody, err)
	}
	p.try.ReceivedBytes = int64(len(body))
	status := a.resp.StatusCode
	f := &Failure{
		Provider: p.up.name, Phase: PhaseAnswer, Kind: kindOf(status), Status: status, Module: p.module,
		Message: fmt.Sprintf("the vendor answered %d", status), RetryAfter: retryAfter(h, time.Now()),
		Body: p.up.Redact(body), Header: http.Header{}, Verbatim: p.ask.Verbatim,
	}
	if ct := h.Get("Content-Type"); ct != "" {
		f.Header.Set("Content-Type", ct)
	}
	word, err := a.askAboutError(body)
	if err != nil { // the vendor's no stands, whatever became of the guest
		p.up.log.Warn("adapter could not judge an error answer", "provider", p.up.name, "module", p.module,
			"status", status, "inference", p.ask.InferenceID, "error", err)
		return f
	}
	f.Kind = word.Kind
	if word.Message != "" {
		f.Message = string(p.up.Redact([]byte(word.Message)))
	}
	if f.RetryAfter == 0 {
		f.RetryAfter = word.retryAfter()
	}
	return f
}

// askAboutError has the guest judge an error document.
func (a *Answer) askAboutError(body []byte) (*vendorError, error) {
	batch, err := a.p.guest.Push(a.head(),
		abi.Record{Kind: abi.KindFrame, Flags: abi.FlagDocument, Payload: body},
		abi.Record{Kind: abi.KindEnd, Flags: uint8(abi.EndOfBody)})
	if err != nil {
		return nil, err
	}
	ev, err := readEvents(batch)
	if err != nil {
		return nil, err
	}
	if ev.failed == nil {
		return nil, fmt.Errorf("%w: no error event for status %d", errContract, a.resp.StatusCode)
	}
	return ev.failed, nil
}

// head is KindHead: the status, and the headers that a guest sees, in lower case and sorted.
func (a *Answer) head() abi.Record {
	names := make([]string, 0, len(a.resp.Header))
	for name := range a.resp.Header {
		if shown(strings.ToLower(name)) {
			names = append(names, name)
		}
	}
	sort.Strings(names) // canonical form, which sorts as the lower case does
	b := append(make([]byte, 0, 256), `{"status":`...)
	b = append(jwrite.AppendInt(b, a.resp.StatusCode), `,"headers":{`...)
	for _, name := range names {
		b = jwrite.AppendString(jwrite.AppendKey(b, strings.ToLower(name)), strings.Join(a.resp.Header[name], ", "))
	}
	b = append(b, "}}"...)
	return abi.Record{Kind: abi.KindHead, Payload: b}
}
