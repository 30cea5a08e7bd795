// Package chat is the OpenAI Chat Completions dialect of callers.
//
// [Translate] makes a Messages request of a caller's body. A [Stream] makes chat.completion.chunk frames of the answer's
// frames, which are in Anthropic's grammar whoever gave it, and [Completion] makes a chat.completion of a whole one. What
// a client puts together from the chunks is what it would have been sent whole.
//
// Text is never unescaped on the way: what stands between the quotes of one dialect's JSON stands between the other's.
package chat
