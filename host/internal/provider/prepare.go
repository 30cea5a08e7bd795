package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A Prepared is a request that the adapter has built and nobody has sent. It holds an instance of the guest until Close,
// or until Send hands it to the Answer. Not safe for concurrent use.
type Prepared struct {
	up      *Upstream
	ask     *Ask
	guest   Guest
	release func()
	module  string

	method  string
	url     *url.URL
	header  http.Header
	body    segments
	framing string
	dropped []string
	refused int
	lent    bool // to an Answer
	try     Try
}

// A Try is what one try took, for attempts and metrics. Durations are from Started and 0 for what didn't happen.
type Try struct {
	Provider string
	// Module is the digest of the adapter's module.
	Module  string
	Started time.Time
	// Status is the vendor's HTTP status.
	Status int
	// Connect is when there was a connection to send on, new or kept from before.
	Connect time.Duration
	// Sends is on how many connections the request was put: more than one where a kept one turned out to be closed, none
	// where there was no connection at all. The vendor may have seen each of them.
	Sends     int
	Head      time.Duration
	FirstByte time.Duration
	Ended     time.Duration
	// SentBytes is the size of the request's body, ReceivedBytes what came of the answer's.
	SentBytes, ReceivedBytes int64
}

// Prepare has the adapter build the vendor's request; nothing is sent and nothing needs to be booked. The error is a
// *Refusal when this vendor can't take the request, a *Failure in PhaseGuest when the module is at fault, and one of which
// Cancelled tells when the caller went away while waiting for an instance.
func (u *Upstream) Prepare(ctx context.Context, ask *Ask) (*Prepared, error) {
	adapter, release := u.adapter()
	p := &Prepared{up: u, ask: ask, release: release, module: adapter.Digest()}
	if err := p.build(ctx, adapter); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Prepared) build(ctx context.Context, adapter Adapter) error {
	if err := p.ask.check(adapter); err != nil {
		return fmt.Errorf("provider %s: %w", p.up.name, err)
	}
	guest, err := adapter.NewStream(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("provider %s: wait for the adapter: %w: %w", p.up.name, ErrCallerLeft, context.Cause(ctx))
		}
		return p.fault("new stream", err)
	}
	p.guest = guest
	settings := p.up.settings
	if own, ok := adapter.(adapterWithSettings); ok {
		settings = own.Settings()
	}
	batch, err := guest.Open(p.ask.records(settings)...)
	if err != nil {
		return p.fault("open", err)
	}
	out, refusal, err := readOutline(batch, p.ask)
	if err != nil {
		return p.fault("open", err)
	}
	if refusal != nil {
		refusal.Provider = p.up.name
		return refusal
	}
	return p.take(out)
}

// check finds calls that the gateway may not make.
func (a *Ask) check(adapter Adapter) error {
	switch {
	case a.Verbatim && !adapter.Feature(featureVerbatim):
		return errors.New("verbatim lane: the adapter doesn't list the feature")
	case a.Verbatim && a.Whole == nil:
		return errors.New("verbatim lane: no body")
	case !a.Verbatim && a.Body == nil:
		return errors.New("translated lane: no body")
	}
	return nil
}

const featureVerbatim = "verbatim"

// take makes the guest's outline into a request, within the base URL and without what isn't the guest's to say.
func (p *Prepared) take(out *outline) error {
	if out.Method != http.MethodPost && out.Method != http.MethodGet {
		return p.fault("open", fmt.Errorf("%w: method %q", errContract, out.Method))
	}
	switch out.Framing {
	case abi.FramingSSE, abi.FramingNDJSON, abi.FramingJSON, abi.FramingJSONArray, abi.FramingAWS:
	default:
		return p.fault("open", fmt.Errorf("%w: framing %q", errContract, out.Framing))
	}
	target, dropped, err := join(p.up.base, out.Path, out.Query, p.up.ownQuery)
	if err != nil {
		return p.fault("open", fmt.Errorf("%w: %w", errContract, err))
	}
	p.method, p.url, p.body, p.framing, p.dropped = out.Method, target, out.body, out.Framing, out.dropped
	p.header, p.refused = requestHeaders(out.Headers, p.up.ownHeader)
	if dropped {
		p.refused++
	}
	return nil
}

// fault is the module's failure.
func (p *Prepared) fault(step string, err error) *Failure {
	return &Failure{
		Provider: p.up.name, Phase: PhaseGuest, Kind: abi.ErrAPI, Status: p.try.Status, Module: p.module,
		Verbatim: p.ask.Verbatim, Message: "the adapter failed", cause: fmt.Errorf("%s: %w", step, err),
	}
}

// Dropped lists the request fields that this vendor can't take, for x-ainfera-dropped.
func (p *Prepared) Dropped() []string { return p.dropped }

// RefusedHeaders counts the headers and query parameters that were taken out because only the host may set them.
func (p *Prepared) RefusedHeaders() int { return p.refused }

// Module is the digest of the adapter's module that built the request.
func (p *Prepared) Module() string { return p.module }

// Try returns the numbers of the try so far. It may be asked after Close.
func (p *Prepared) Try() Try {
	t := p.try
	t.Provider, t.Module, t.SentBytes = p.up.name, p.module, p.body.size()
	return t
}

// Close gives the guest back, unless Send was called: then the Answer does, or Send has. It may be called any number of
// times.
func (p *Prepared) Close() {
	if !p.lent {
		p.free()
	}
}

// free gives the guest and its generation back, once.
func (p *Prepared) free() {
	if p.guest != nil {
		p.guest.Close()
		p.guest = nil
	}
	if p.release != nil {
		p.release()
		p.release = nil
	}
}
