package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config is what an upstream is made from. Zero values mean what the fields say.
type Config struct {
	// Name is the provider's label; it is in errors and logs.
	Name string
	// BaseURL is where the vendor's paths begin. An address or localhost written here may be dialled even though it
	// isn't public.
	BaseURL string
	// Auth is nil for none.
	Auth Auth
	// Settings are the adapter's, as ValidateSettings returned them. Defaults to {}.
	Settings []byte
	// Adapter returns the generation that serves now, and what to call once when the call is over. It is called for
	// every Prepare, so that a swap takes effect with the next call.
	Adapter func() (a Adapter, release func())
	Limits  Limits
	// AllowPrivate permits addresses that aren't public: loopback, private networks, link-local.
	AllowPrivate bool
	// Simulated says that the vendor is one of our own simulator's. It is told the ids of the call and of the try, so that
	// what vendors saw can be held against what was booked; a real vendor never is.
	Simulated bool
	// Logger gets what is the operator's to mend. Defaults to none.
	Logger hclog.Logger
}

// Limits bound one try. A zero field takes its value from DefaultLimits.
type Limits struct {
	// Connect is for TCP, and again for TLS. Defaults to 5 seconds.
	Connect time.Duration
	// FirstByte is for streams: from sending to the first byte of the answer's body. Defaults to 120 seconds.
	FirstByte time.Duration
	// Idle is for streams: between bytes. Defaults to 120 seconds.
	Idle time.Duration
	// Total is for what isn't streamed: from sending to the last byte. Defaults to 600 seconds.
	Total time.Duration
	// Linger is how long a stream whose answer is complete may stay open, for a late usage. Defaults to 2 seconds.
	Linger time.Duration
	// ErrorBodyBytes is how much of an error answer is read. Defaults to 64 KiB.
	ErrorBodyBytes int
	// DocumentBytes is how large an answer that isn't streamed may be. Defaults to 32 MiB.
	DocumentBytes int
}

// DefaultLimits returns the limits that an empty configuration has.
func DefaultLimits() Limits {
	return Limits{
		Connect:        5 * time.Second,
		FirstByte:      120 * time.Second,
		Idle:           120 * time.Second,
		Total:          600 * time.Second,
		Linger:         2 * time.Second,
		ErrorBodyBytes: 64 << 10,
		DocumentBytes:  32 << 20,
	}
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, def *time.Duration }{
		{&l.Connect, &d.Connect}, {&l.FirstByte, &d.FirstByte}, {&l.Idle, &d.Idle}, {&l.Total, &d.Total}, {&l.Linger, &d.Linger},
	} {
		if *f.have <= 0 {
			*f.have = *f.def
		}
	}
	if l.ErrorBodyBytes <= 0 {
		l.ErrorBodyBytes = d.ErrorBodyBytes
	}
	if l.DocumentBytes <= 0 {
		l.DocumentBytes = d.DocumentBytes
	}
	return l
}

// An Upstream is one provider of the configuration. It is safe for concurrent use.
type Upstream struct {
	name      string
	base      *url.URL
	auth      Auth
	ownHeader string // what only auth may set
	ownQuery  string
	settings  json.RawMessage
	adapter   func() (Adapter, func())
	limits    Limits
	transport *http.Transport
	simulated bool
	log       hclog.Logger
}

// New checks the configuration and makes the upstream. Nothing is dialled. Errors name the field and never repeat a
// credential; the caller adds the provider's name.
func New(c Config) (*Upstream, error) {
	base, err := parseBase(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.Adapter == nil {
		return nil, errors.New("no adapter")
	}
	if c.Settings == nil {
		c.Settings = []byte("{}")
	}
	if _, _, err := scanObject(c.Settings); err != nil || !json.Valid(c.Settings) {
		return nil, fmt.Errorf("settings: %w", errNotObject)
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	c.Limits = c.Limits.withDefaults()
	u := &Upstream{
		name: c.Name, base: base, auth: c.Auth, settings: c.Settings, adapter: c.Adapter, limits: c.Limits, log: c.Logger,
		simulated: c.Simulated,
		transport: newTransport(&c, newDialRule(base.Hostname(), c.AllowPrivate)),
	}
	if c.Auth != nil {
		if err := c.Auth.check(); err != nil {
			return nil, err
		}
		u.ownHeader, u.ownQuery = c.Auth.owns()
		if s, ok := c.Auth.(starter); ok {
			if u.auth, err = s.start(&c); err != nil {
				return nil, err
			}
		}
	}
	return u, nil
}

// Name is the provider's label.
func (u *Upstream) Name() string { return u.name }

// Feature says whether the adapter that serves now lists the feature. The next call may find another generation.
func (u *Upstream) Feature(name string) bool {
	a, release := u.adapter()
	defer release()
	return a.Feature(name)
}

// Verbatim says whether a caller who speaks Anthropic gets the vendor's own bytes.
func (u *Upstream) Verbatim() bool { return u.Feature(featureVerbatim) }

// Module is the digest of the adapter that serves now.
func (u *Upstream) Module() string {
	a, release := u.adapter()
	defer release()
	return a.Digest()
}

// Redact takes the provider's credentials out of a vendor's text, should it echo them.
func (u *Upstream) Redact(text []byte) []byte {
	if u.auth == nil {
		return text
	}
	return redact(text, u.auth.secrets())
}

// Close gives up the connections that no call is using. Calls in flight go on, and close theirs.
func (u *Upstream) Close() { u.transport.CloseIdleConnections() }
