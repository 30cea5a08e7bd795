package sdk

import (
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A Call is what the host asks of an adapter. It, and every slice reached from it, is valid during Adapter.Open.
type Call struct {
	// Op is abi.OpChat or abi.OpCount.
	Op string
	// Stream says that the caller wants the answer as it comes.
	Stream bool
	// Model is the vendor's name for the model, Slug the catalogue's.
	Model, Slug string
	// MaxTokens is what may be answered at most, already lowered to what the model has; 0 when nothing is known.
	MaxTokens int
	// MaxOutput is what the model has.
	MaxOutput int
	// Thinking says that the model can think.
	Thinking bool
	// AnthropicVersion and Beta are the caller's headers of those names; Beta is split and in the caller's order.
	AnthropicVersion string
	Beta             []string
	// Verbatim says that the caller speaks Anthropic and the manifest has the feature: there is no Body.
	Verbatim bool
	// Body is the caller's request in the Anthropic shape, checked to be JSON by the host, with base64 data replaced by
	// "ainfera-ref:N".
	Body []byte

	settings jscan.Value
	defaults []Setting
	known    []known // the settings, once one was asked for
	last     int     // the place in known of the one that was found last
}

// A known setting is one that was found in settings.
type known struct {
	name  []byte
	value jscan.Value
}

// setting finds a setting. Adapters ask for one after the other, so the settings are walked once, and asking in their
// order, which is the alphabet's, finds each at the first look.
func (c *Call) setting(name string) jscan.Value {
	if len(c.known) == 0 {
		c.last = -1
		for key, v := range c.settings.Fields() {
			c.known = append(c.known, known{key, v})
		}
	}
	for range c.known {
		if c.last++; c.last >= len(c.known) {
			c.last = 0
		}
		if k := &c.known[c.last]; string(k.name) == name {
			return k.value
		}
	}
	return nil
}

// Settings is all settings as the host wrote them, JSON, or nil. Where the bytes are the same, so is every setting; see
// Options.
func (c *Call) Settings() []byte { return c.settings }

// String is a setting's text, "" when it is not set and has no default.
func (c *Call) String(name string) string {
	if v := c.setting(name); v.Kind() == jscan.String {
		return v.String()
	}
	s, _ := c.fallback(name).(string)
	return s
}

// Bool is a setting's truth.
func (c *Call) Bool(name string) bool {
	if v := c.setting(name); v.Kind() == jscan.Bool {
		return v.Bool()
	}
	b, _ := c.fallback(name).(bool)
	return b
}

// Int is a setting's whole number.
func (c *Call) Int(name string) int {
	if n, ok := c.setting(name).Int(); ok {
		return int(n)
	}
	n, _ := c.fallback(name).(int)
	return n
}

// Float is a setting's number.
func (c *Call) Float(name string) float64 {
	if f, ok := c.setting(name).Float(); ok {
		return f
	}
	switch n := c.fallback(name).(type) {
	case float64:
		return n
	case int:
		return float64(n)
	}
	return 0
}

// Strings is a setting's list.
func (c *Call) Strings(name string) []string {
	v := c.setting(name)
	if v.Kind() != jscan.Array {
		list, _ := c.fallback(name).([]string)
		return list
	}
	return stringsOf(v)
}

// fallback is the manifest's default. The host fills defaults in; this is for adapters run without one.
func (c *Call) fallback(name string) any {
	for i := range c.defaults {
		if c.defaults[i].Name == name {
			return c.defaults[i].Default
		}
	}
	return nil
}

// read takes the records of an open batch.
func (c *Call) read(batch []byte, defaults []Setting) {
	r, err := abi.NewReader(batch)
	if err != nil {
		panic("sdk: open: " + err.Error())
	}
	*c = Call{defaults: defaults, known: c.known[:0]}
	opened, segments := false, 0
	for {
		rec, ok, err := r.Next()
		if err != nil {
			panic("sdk: open: " + err.Error())
		}
		if !ok {
			break
		}
		switch rec.Kind {
		case abi.KindOpen:
			opened = true
			c.readOpen(rec.Payload)
		case abi.KindBody:
			c.join(rec.Payload, segments)
			segments++
		}
	}
	if !opened {
		panic("sdk: open: the batch holds no Open record")
	}
}

// join adds a segment of the body. The usual single one stays where it is.
func (c *Call) join(p []byte, nth int) {
	if nth == 0 {
		c.Body = p[:len(p):len(p)]
		return
	}
	c.Body = append(c.Body, p...)
}

// openKeys are the keys of an Open record, in the order in which the host writes them.
var openKeys = [...]string{"op", "stream", "model", "slug", "max_tokens", "max_output", "thinking", "anthropic_version", "beta",
	"settings", "verbatim"}

func (c *Call) readOpen(payload []byte) {
	var f [len(openKeys)]jscan.Value
	r := jscan.NewReader(payload)
	r.Pick(f[:], openKeys[:]...)
	if err := r.End(); err != nil {
		panic("sdk: open: " + err.Error())
	}
	c.Op, c.Stream, c.Model, c.Slug = f[0].String(), f[1].Bool(), f[2].String(), f[3].String()
	c.MaxTokens, c.MaxOutput, c.Thinking = int(f[4].IntOr(0)), int(f[5].IntOr(0)), f[6].Bool()
	c.AnthropicVersion, c.Beta = f[7].String(), stringsOf(f[8])
	c.settings, c.Verbatim = f[9], f[10].Bool()
}

// release lets go of the arena's bytes.
func (c *Call) release() {
	clear(c.known)
	*c = Call{known: c.known[:0]}
}

func stringsOf(v jscan.Value) []string {
	var list []string
	for item := range v.Items() {
		list = append(list, item.String())
	}
	return list
}
