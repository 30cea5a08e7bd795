package simulator

import (
	"hash/crc64"
	"strings"

	"github.com/tidwall/gjson"
)

// bytesPerToken is the tokenizer: four bytes of text, begun or full, are one token.
const bytesPerToken = 4

// imageTokens is what an image or a document counts, whatever its size.
const imageTokens = 1500

// ask is what a caller asked for, once its dialect is out of the way. Its strings share the request's body.
type ask struct {
	model     string // without directives
	stream    bool
	maxTokens int // 0: no limit
	stops     []string

	thinking     bool
	hideThinking bool // a signature without its text

	tools    []tool
	choice   choice
	named    string // the tool of chooseNamed
	parallel bool

	schema gjson.Result // of the answer; does not exist when none was asked for
	asJSON bool         // any JSON object will do

	text      string   // of the last user message, directives taken out; empty when it only carries tool results
	results   []string // of the tools, in the last message or messages
	images    int      // in the last user message
	documents int

	prompt prompt
	key    uint64 // of all that the answer depends on, the seed included

	wantUsage bool   // OpenAI: stream_options.include_usage
	sealed    bool   // Responses: reasoning is wanted in a form that can be sent back
	fault     *Fault // asked for in text or model; never nil
}

type tool struct {
	name   string
	schema gjson.Result
}

type choice uint8

const (
	chooseAuto choice = iota
	chooseNone
	chooseAny
	chooseNamed
)

// prompt is the size of what was sent, in tokens. total includes the cached ones.
type prompt struct {
	total, cacheRead, cacheWrite5m, cacheWrite1h int
}

func (p prompt) uncached() int { return p.total - p.cacheRead - p.cacheWrite5m - p.cacheWrite1h }

func tokens(s string) int { return (len(s) + bytesPerToken - 1) / bytesPerToken }

var crcTable = crc64.MakeTable(crc64.ECMA)

// sum digests parts to the number that ids are made of. It is a checksum and not a hash: what matters is that it is the
// same on every machine and cheap over a body of megabytes.
func sum(seed uint64, parts ...string) uint64 {
	for _, p := range parts {
		seed = crc64.Update(seed, crcTable, []byte(p))
		seed = seed*0x9E3779B97F4A7C15 + uint64(len(p)) // so that moving a boundary changes it
	}
	return seed
}

// id makes an identifier that looks like a vendor's: prefix, then 16 hex digits of key and n.
func id(prefix string, key uint64, n int) string {
	key = (key ^ uint64(n+1)) * 0x9E3779B97F4A7C15
	var b [16]byte
	for i := range b {
		b[i] = hexDigits[key>>60]
		key <<= 4
	}
	return prefix + string(b[:])
}

// plainText joins the text blocks of a content value, which may be a string or a list of blocks.
func plainText(content gjson.Result) string {
	if content.Type == gjson.String {
		return content.Str
	}
	var sb strings.Builder
	content.ForEach(func(_, block gjson.Result) bool {
		if t := block.Get("text"); t.Type == gjson.String {
			if sb.Len() > 0 {
				sb.WriteByte('\n')
			}
			sb.WriteString(t.Str)
		}
		return true
	})
	return sb.String()
}
