package gateway

import (
	"slices"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/abi"
)

// droppedFor are the fields of the request that the one who serves is not sent, whoever left them out.
func (c *call) droppedFor(cand *route.Candidate, prep *provider.Prepared) []string {
	list := slices.Clone(c.asked.dropped)
	if cand.DropThinking {
		list = append(list, c.dialect.field("thinking"))
	}
	for _, name := range prep.Dropped() {
		list = append(list, c.dialect.field(name))
	}
	return list
}

// featureStream is what an adapter lists that reads a vendor's stream. One that doesn't is served wrapped.
const featureStream = "stream"

// ask is what the adapter is told of the call. The body is edited as the specification lists, and not otherwise.
func (c *call) ask(up *provider.Upstream, cand *route.Candidate, dep route.Deployment) (*provider.Ask, []string) {
	e := cand.Entry
	streams := up.Feature(featureStream)
	// A body that says "stream" can't pass unread to where there is none.
	verbatim := up.Feature("verbatim") && (streams || !c.req.Stream)
	ask := &provider.Ask{Op: abi.OpChat, Stream: c.req.Stream && streams, Verbatim: verbatim, Thinking: e.CanThink, Model: dep.Upstream,
		Slug: e.Slug, MaxTokens: cand.MaxTokens, MaxOutput: e.MaxOutput, Version: c.r.Header.Get("Anthropic-Version"),
		Beta: c.r.Header.Values("Anthropic-Beta"), InferenceID: c.inferenceID, Attempt: len(c.attempts)}
	spec := c.edits(cand, ask)
	var edits []messages.Edit
	if ask.Verbatim {
		ask.Whole, edits = c.req.Edit(spec)
	} else {
		ask.Body, ask.Refs, edits = c.req.EditSegments(spec)
	}
	return ask, c.listed(edits)
}

// edits is what must change in the request on its way to an entry.
func (c *call) edits(cand *route.Candidate, ask *provider.Ask) messages.EditSpec {
	e := cand.Entry
	spec := messages.EditSpec{Model: ask.Model, MaxTokens: int64(e.MaxOutput), Thinking: messages.ThinkingForm(e.ThinkingForm),
		DefaultMaxTokens: int64(cand.MaxTokens)}
	if cand.DropThinking {
		spec.Thinking = messages.NoThinking
	}
	spec.Foreign = ask.Verbatim && !c.dialect.native()
	if spec.Foreign && spec.DefaultMaxTokens == 0 {
		spec.DefaultMaxTokens = defaultMaxTokens
	}
	spec.StripThinking = c.foreign(e, spec.Foreign)
	return spec
}

// defaultMaxTokens is asked for where neither the caller nor the catalogue's entry has a limit and the API insists on one.
const defaultMaxTokens = 4096

// foreign says which thinking of the history the entry must not be sent: what another model is known to have signed, and
// what nobody has. A caller that pinned its model is left to know what it sends, but for one who need not know that
// thinking is signed.
func (c *call) foreign(e *route.Entry, translated bool) func(signature []byte) bool {
	if !c.plan.Routed {
		if !translated {
			return nil
		}
		return func(signature []byte) bool { return len(signature) == 0 }
	}
	return func(signature []byte) bool {
		if len(signature) == 0 {
			return true
		}
		issuer := c.world.Router.Issuer(c.agent.ID, messages.HashSignature(signature))
		return issuer != "" && issuer != e.Slug
	}
}

// listed are the edits that a caller is told of: not the model's name, which every routed call has changed, and not our
// own fields.
func (c *call) listed(edits []messages.Edit) []string {
	var out []string
	for _, e := range edits {
		switch e.Field {
		case "model", "routing_hint", "task_type", "agent_id":
		default:
			out = append(out, c.dialect.field(e.Field)+" "+string(e.Action))
		}
	}
	return out
}
