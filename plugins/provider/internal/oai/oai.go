// Package oai is what OpenAI's two protocols, Chat Completions and Responses, have in common beside their words: limits of
// names, what a schema must be, how usage adds up, and what is known of models by their names.
package oai

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/names"
)

// MaxToolName is how long OpenAI lets a tool's name be; Anthropic lets it be twice that, and MCP servers need it.
const MaxToolName = 64

// CallID is a tool call's id as the vendor gets it: its own again when it made it, and a name made of it, the same for call
// and result, when it is longer than the vendor takes.
func CallID(client string, most int) string {
	id := sdk.VendorToolID(client)
	if len(id) > most && id == client {
		return "call_" + names.Long(id)
	}
	return id
}

// MadeCallID is an id for a call that came without one. It need only be unique in its conversation.
func MadeCallID(answer, name string, block uint16) string {
	return "call_" + strconv.FormatUint(uint64(names.Of(answer).With(name)), 16) + "_" + strconv.Itoa(int(block))
}

// maxUser is how long OpenAI lets a user's identifier be.
const maxUser = 64

// User is metadata.user_id as the vendor gets it, "" where there is none or the vendor doesn't take one, which is then
// listed. One that is too long is replaced by its hash, which is as stable.
func User(metadata jscan.Value, takes bool, out *sdk.Request) (user string) {
	for key, v := range metadata.Fields() {
		id := v.String()
		switch {
		case string(key) != "user_id":
			out.Dropped("metadata." + string(key))
		case id == "":
		case !takes:
			out.Dropped("metadata.user_id")
		case len(id) > maxUser:
			user = "user-" + names.Long(id)
		default:
			user = id
		}
	}
	return user
}

// AppendFilename appends the name of a file that is sent along, as a JSON string: its title, which need not be a name.
// OpenAI goes by a name's ending to see that it is a PDF.
func AppendFilename(b []byte, title jscan.Value) []byte {
	name := title.Escaped()
	if len(name) == 0 {
		return append(b, `"document.pdf"`...)
	}
	b = append(append(b, '"'), name...)
	if !strings.HasSuffix(strings.ToLower(string(name)), ".pdf") {
		b = append(b, ".pdf"...)
	}
	return append(b, '"')
}

// Split makes usage of the vendor's sums, with what u says of cache and reasoning: input holds what was read from the cache
// and written to it, and output the reasoning, except where the total shows that it doesn't (xAI, and Gemini behind these
// protocols) or the reasoning alone is more (Vercel's gateway).
func Split(u *sdk.Usage, input, output, total int64) {
	switch {
	case total-input > output:
		output = total - input
	case u.Reasoning > output:
		output += u.Reasoning
	}
	u.Output = output
	u.Input = max(0, input-u.CacheRead-u.CacheWrite)
}
