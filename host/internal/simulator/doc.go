// Package simulator is vendors on loopback: servers that speak the Anthropic Messages, the OpenAI Chat Completions, the OpenAI
// Responses and Gemini's generateContent wire formats truthfully, and whose answers say that they are simulated. They serve
// the first run, when there are no keys yet, the tests and the benchmarks. The story of a call is handler.answer.
//
// # Answers
//
// An answer is a function of the request and Options.Seed: no clock, no randomness. Its content, ids of tool calls
// included, is the same streamed or not.
//
//   - Text repeats the last user message, and what tools returned. What stands in it between <system-reminder> and
//     </system-reminder> is the caller's program speaking, and not heard.
//   - Tools are called when tool_choice demands it, when the last user message names one, or when it says "use the tool",
//     "call" or the like; two at once when it names several or says "both" or "parallel". Arguments are the JSON object
//     in that message, if there is one, else an instance of the tool's schema. Once the results are there the answer is
//     text.
//   - Thinking comes first when it is asked for. Its signature holds only for that text from that model: a block that
//     was changed, or comes from elsewhere, is refused with a 400. So is a reasoning item of the Responses dialect, by its
//     encrypted content; nothing is ever stored. Gemini signs the first call, or the text, and wants the signature on the
//     same part; a "signed" model signs every answer, and refuses a call of this turn without.
//   - A JSON schema for the answer is answered with an instance of it.
//   - stop_sequences and max_tokens are honoured.
//
// # Tokens
//
// A token is four bytes, begun or full. The prompt is tools (their JSON), system and messages (their text, names,
// arguments and results), three for each message and 1500 for each image or document. Output is thinking, text, and the
// names and arguments of calls; never 0. With cache_control the prompt up to the last mark is written to the cache in
// the first turn of a conversation and read in later ones; the OpenAI dialects report what came before the last message
// as cached from 1024 tokens on, in steps of 128.
//
// # Requests
//
// A body is checked the way the vendor checks it, in the vendor's words: unknown fields, fields that need a beta header,
// max_tokens, the order of tool calls and their results, thinking and its budget. Some models are hard to please, by
// name: a "no-thinking" one refuses thinking, "no-adaptive" its adaptive form, "adaptive-only" a budget, "no-max-tokens"
// refuses max_tokens in the OpenAI dialect. A Gemini model with "-ids" gives its calls ids. Any other name will do, and so will any key that is not empty.
//
// # Directives
//
// A caller asks for faults and delays in the last user message, in the model's name, or in the header X-Sim, the later
// of these over the earlier; in code, Server.Script does the same:
//
//	Tell me more. [[sim status=529 retry-after=7]]
//	sim-small?first=300ms&between=50ms
//	X-Sim: cut-after=3
//
// The words, separated by spaces or &, values with spaces in double quotes; Fault says more on each:
//
//	status=529                  an error of that status, with the vendor's usual message for it
//	error=context               an error by kind; see Fault.Error for the kinds
//	rate-limit                  error=rate_limit with a retry-after, of 7 unless it was set before
//	message="…"                 the error's message
//	retry-after=7               the error's retry-after, in seconds
//	should-retry=false          the error's x-should-retry
//	body=html, body=empty       a proxy's page, or nothing, in place of the JSON; with any status
//	empty                       the same as body=empty: a 200 without a body, where no status is given
//	silent                      no answer at all
//	first=300ms between=50ms    the pace: before the first byte, and between pieces
//	chunks=10 size=300          an answer of so many pieces of so many bytes
//	batch=8                     so many events in a write
//	error-after=3               an error in the stream after so many pieces; 0 is before the first event
//	cut-after=3, torn-after=3   a broken connection, between two events or in the middle of one
//	end-after=3, end-early      an end without the closing frames, after so many pieces or all of them
//	silent-after=3              nothing more
//	stop-for=2s stop-after=1    a pause, after so many pieces
//	heartbeat=500ms             pings (Anthropic) or comments (OpenAI) during the waits
//	usage=none                  no usage
//	in=9 out=9 cache-read=9 cache-write=9   the usage to report
//	finish=refusal              the stop reason to report; in the Responses dialect why the answer is incomplete, or failed
//	tools=a,b                   the tools to call
//
// A piece is a delta that carries text, thinking, a signature or part of a tool call.
package simulator
