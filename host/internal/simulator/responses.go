package simulator

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// responses is OpenAI's Responses API. What it has in common with Chat Completions, headers and errors, is the same.
type responses struct{ openai }

func (responses) name() string { return Responses }

func (responses) operation(method, path string) operation {
	switch {
	case method == http.MethodPost && path == "/v1/responses":
		return opChat
	case method == http.MethodPost && path == "/v1/responses/input_tokens":
		return opCount
	case method == http.MethodGet && path == "/v1/models":
		return opModels
	}
	return opNone
}

func (responses) appendCount(b []byte, tokens int) []byte {
	return append(appendField(b, `{"object":"response.input_tokens","input_tokens":`, tokens), '}')
}

// status is how an answer ended, in the vendor's words, and why where it is incomplete.
func (ans *answer) status() (status, reason string) {
	switch {
	case ans.native == "completed" || ans.native == "failed":
		return ans.native, ""
	case ans.native != "":
		return "incomplete", ans.native
	case ans.stop == stopLength:
		return "incomplete", "max_output_tokens"
	}
	return "completed", ""
}

// An outputItem is one element of an answer's output.
type outputItem struct {
	prefix string // of its id: rs, msg or fc
	n      int
	call   call // of fc
}

// output is what an answer consists of, in the order in which it comes.
func (ans *answer) output() (items []outputItem) {
	if ans.signed {
		items = append(items, outputItem{prefix: "rs"})
	}
	if ans.text != "" {
		items = append(items, outputItem{prefix: "msg"})
	}
	for i, c := range ans.calls {
		items = append(items, outputItem{prefix: "fc", n: i, call: c})
	}
	return items
}

// id is the item's own; a call's result names the call by another.
func (it *outputItem) id(ans *answer) string {
	if it.prefix == "fc" {
		return "fc_sim" + it.call.id
	}
	return it.prefix + "_sim" + ans.id
}

// appendItem appends an item, as it is at its end, or with full false at its beginning.
func (it *outputItem) appendItem(b []byte, a *ask, ans *answer, full bool) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, it.id(ans))
	switch it.prefix {
	case "rs":
		b = append(b, `,"type":"reasoning","summary":[`...)
		if shown := ans.shownThinking(a); full && shown != "" {
			b = appendSummary(b, shown)
		}
		b = append(b, ']')
		if full && a.sealed {
			b = append(b, `,"encrypted_content":`...)
			b = appendString(b, seal(a.model, ans.thinking))
		}
		return append(b, '}')
	case "msg":
		b = append(b, `,"type":"message","status":`...)
		b = appendString(b, it.status(ans, full))
		b = append(b, `,"role":"assistant","content":[`...)
		if full {
			b = appendOutputText(b, ans.text)
		}
		return append(b, "]}"...)
	}
	args := ""
	if full {
		args = it.call.args
	}
	b = append(b, `,"type":"function_call","status":`...)
	b = appendString(b, it.status(ans, full))
	b = append(b, `,"call_id":"call_sim`...)
	b = append(b, it.call.id...)
	b = append(b, `","name":`...)
	b = appendString(b, it.call.name)
	b = append(b, `,"arguments":`...)
	return append(appendString(b, args), '}')
}

func (it *outputItem) status(ans *answer, full bool) string {
	switch {
	case !full:
		return "in_progress"
	case ans.stop == stopLength && it.prefix == "msg":
		return "incomplete"
	}
	return "completed"
}

func appendSummary(b []byte, text string) []byte {
	b = append(b, `{"type":"summary_text","text":`...)
	return append(appendString(b, text), '}')
}

func appendOutputText(b []byte, text string) []byte {
	b = append(b, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...)
	return append(appendString(b, text), '}')
}

// appendResponse appends the response object: as it is at the end, or with full false at the beginning.
func appendResponse(b []byte, a *ask, ans *answer, full bool) []byte {
	status, reason := "in_progress", ""
	if full {
		status, reason = ans.status()
	}
	b = append(b, `{"id":"resp_sim`...)
	b = append(b, ans.id...)
	b = appendField(b, `","object":"response","created_at":`, created)
	b = append(b, `,"status":`...)
	b = appendString(b, status)
	b = append(b, `,"background":false,"error":`...)
	if status == "failed" {
		b = append(b, `{"code":"server_error","message":"The server had an error while processing your request. Sorry about that!"}`...)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"incomplete_details":`...)
	if reason != "" {
		b = append(appendString(append(b, `{"reason":`...), reason), '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"instructions":null,"metadata":{},"model":`...)
	b = appendString(b, a.model)
	b = append(b, `,"output":[`...)
	if full {
		for i, it := range ans.output() {
			if i > 0 {
				b = append(b, ',')
			}
			b = it.appendItem(b, a, ans, true)
		}
	}
	b = append(b, `],"parallel_tool_calls":true,"previous_response_id":null,"service_tier":"default","store":false,"truncation":"disabled","usage":`...)
	if !full || ans.noUsage {
		return append(b, "null}"...)
	}
	return append(appendResponsesUsage(b, ans), '}')
}

func appendResponsesUsage(b []byte, ans *answer) []byte {
	b = appendField(b, `{"input_tokens":`, ans.prompt.total)
	b = appendField(b, `,"input_tokens_details":{"cached_tokens":`, ans.prompt.cacheRead)
	b = appendField(b, `},"output_tokens":`, ans.outputTokens)
	b = appendField(b, `,"output_tokens_details":{"reasoning_tokens":`, ans.thoughtTokens)
	b = appendField(b, `},"total_tokens":`, ans.prompt.total+ans.outputTokens)
	return append(b, '}')
}

func (responses) appendDocument(b []byte, a *ask, ans *answer) []byte {
	return appendResponse(b, a, ans, true)
}

func (responses) appendErrorEvent(b []byte, e *failure) []byte {
	b = append(b, "event: error\ndata: {\"type\":\"error\",\"code\":"...)
	b = appendOrNull(b, e.code)
	b = append(b, `,"message":`...)
	b = appendString(b, e.openaiText())
	b = append(b, `,"param":`...)
	b = appendOrNull(b, e.param)
	return append(b, ",\"sequence_number\":0}\n\n"...)
}

// seal is the encrypted content of a reasoning item: its text, and the signature that only this model gives it. It keeps
// no secret either.
func seal(model, thinking string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(thinking)) + "." + sign(model, thinking)
}

// unseal reports whether a model has sealed this.
func unseal(model, sealed string) bool {
	text, signature, _ := strings.Cut(sealed, ".")
	thinking, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && signature == sign(model, string(thinking))
}
