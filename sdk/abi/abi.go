// Package abi is the wire between the host and its guests: export names, record kinds and the batch layout.
//
// Host and guest both import it, and it imports nothing, so that what one writes is by construction what the other
// reads. The prose form, byte by byte and with a worked example, is sdk/README.md; a guest in another language needs
// only that page.
//
// A batch is what crosses the line in one call, in either direction:
//
//	 0        4        8
//	┌────────┬────────┬──────────┬──────────┬─ …
//	│ stream │ count  │ record 0 │ record 1 │
//	└────────┴────────┴──────────┴──────────┴─ …
//
// and a record is:
//
//	 0      1       2       4        8
//	┌──────┬───────┬───────┬────────┬─────────────────┐
//	│ kind │ flags │ block │ length │ payload (length)│
//	└──────┴───────┴───────┴────────┴─────────────────┘
//
// All integers are little-endian and unsigned; nothing is padded or aligned.
package abi

// Exports of a guest. Every guest exports Memory, Manifest, Arena and the marker of its kind; an adapter adds Open, Push
// and Close, a policy adds Decide. A reactor's Initialize is called once, before anything else, when it is there.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"

	// ExportAdapter and ExportPolicy mark kind and major version: (hostCaps i32) -> guestCaps i32, both sets of
	// Cap bits. The host calls it once an instance, after Initialize. A bit that both sides set is in force.
	ExportAdapter = "ainfera_adapter_v1"
	ExportPolicy  = "ainfera_policy_v1"

	// ExportManifest is () -> i64, a packed result holding the manifest as JSON, without a batch around it.
	ExportManifest = "ainfera_manifest"
	// ExportArena is (size i32) -> i32: the guest makes sure that its input arena holds size bytes and returns its
	// address. The address holds until the next ExportArena.
	ExportArena = "ainfera_arena"

	// ExportOpen is (stream i32, length i32) -> i64: a new stream; the arena holds a batch of Open and Body records.
	ExportOpen = "ainfera_open"
	// ExportPush is (stream i32, length i32) -> i64: the arena holds a batch of Head, Frame and End records.
	ExportPush = "ainfera_push"
	// ExportClose is (stream i32) -> (): the stream is over, whatever state it was in; its handle may be used again.
	ExportClose = "ainfera_close"
	// ExportDecide is (call i32, length i32) -> i64: the arena holds a batch with one Input record.
	ExportDecide = "ainfera_decide"
)

// Imports a guest may have, beside the WASI functions that sdk/README.md lists.
const (
	ImportModule = "ainfera_v1"
	// ImportLog is (level i32, ptr i32, len i32) -> (): one line for the operator's log, cut at MaxLogBytes.
	ImportLog = "log"
)

// Reserved is the prefix of names that belong to the host: a module that exports one is refused.
const Reserved = "ainfera.host."

// MajorVersion is the version that the marker exports and ImportModule end in. It stays: what is added within it is
// negotiated by Cap bits, and unknown kinds of records are passed over.
const MajorVersion = 1

// Capabilities, negotiated by the marker export. None is defined yet; unknown bits are ignored by both sides.
const (
	CapNone uint32 = 0
)

// Limits that both sides hold to.
const (
	MaxRecordBytes   = 64 << 20
	MaxManifestBytes = 64 << 10
	MaxLogBytes      = 4 << 10
)

// A Kind says what a record is. Numbers are never used again for something else.
type Kind uint8

// Records that the host sends.
const (
	// KindOpen describes the call: JSON, see Open's fields in sdk/README.md.
	KindOpen Kind = 0x01
	// KindBody is a segment of the caller's body in the Anthropic shape, JSON once the segments are joined. Strings of
	// base64 data are replaced by references ("ainfera-ref:N") and never enter the guest.
	KindBody Kind = 0x02
	// KindHead is the vendor's response head: JSON {"status":200,"headers":{"content-type":"…"}}, names in lower case.
	KindHead Kind = 0x03
	// KindFrame is one frame of the vendor's answer. For SSE, block is the length of the event name that precedes the
	// data in the payload; FlagDocument is set when the payload is a whole document rather than an element of a stream.
	KindFrame Kind = 0x04
	// KindEnd says that no more frames come; flags hold an EndReason.
	KindEnd Kind = 0x05
	// KindInput is a policy's input: JSON.
	KindInput Kind = 0x06
)

// Records that a guest sends to build the vendor's request.
const (
	// KindRequest is JSON {"method","path","query","headers":{},"framing"}; it precedes the body's records.
	KindRequest Kind = 0x40
	// KindRequestBody is the next piece of the vendor's body, raw.
	KindRequestBody Kind = 0x41
	// KindRequestRef puts the bytes of a reference here: payload is a u32, the N of "ainfera-ref:N".
	KindRequestRef Kind = 0x42
	// KindRequestWhole takes the caller's body as the host prepared it. The payload, when not empty, is JSON
	// {"set":{"field":value},"delete":["field"]}, applied to top-level fields, bytes elsewhere untouched.
	KindRequestWhole Kind = 0x43
	// KindRefuse ends the open: this adapter can't carry this request. JSON {"kind","message"}.
	KindRefuse Kind = 0x44
	// KindDropped names one request field that this vendor can't take, raw.
	KindDropped Kind = 0x45
)

// Records that a guest sends as the answer's events.
const (
	// KindMessageStart is JSON {"id","model"}, both the vendor's.
	KindMessageStart Kind = 0x50
	// KindText is a delta of text, raw UTF-8; it opens its block when that isn't open. So do the kinds below.
	KindText Kind = 0x51
	// KindThinking is a delta of thinking, raw UTF-8.
	KindThinking Kind = 0x52
	// KindSignature is the signature of the thinking block, raw, whole or in pieces.
	KindSignature Kind = 0x53
	// KindRedactedThinking is a block of its own, its data raw.
	KindRedactedThinking Kind = 0x54
	// KindToolStart opens a tool_use block: JSON {"id","name"}.
	KindToolStart Kind = 0x55
	// KindToolDelta is a piece of the arguments' JSON text, raw.
	KindToolDelta Kind = 0x56
	// KindRawBlock opens a block of another type: JSON, the content_block itself.
	KindRawBlock Kind = 0x57
	// KindRawDelta is a delta for such a block: JSON, the delta itself.
	KindRawDelta Kind = 0x58
	// KindCitation is JSON, the citation of a text block.
	KindCitation Kind = 0x59
	// KindBlockStop closes the block, no payload. The host closes what a guest leaves open.
	KindBlockStop Kind = 0x5a
	// KindUsage is JSON with any of input, output, cache_read, cache_write, cache_write_1h, reasoning: tokens,
	// cumulative; a field that is absent keeps what it was. input excludes cache_read and the cache_writes.
	KindUsage Kind = 0x5b
	// KindStop is JSON {"reason","native","sequence"}: reason is a FinishReason's text.
	KindStop Kind = 0x5c
	// KindError is JSON {"kind","message","retry_after_ms"}: the vendor said that it failed. Nothing may follow.
	KindError Kind = 0x5d
	// KindSkipped counts input that the adapter did not recognise; block is how many.
	KindSkipped Kind = 0x5e
)

// Kinds that are kept free: a further request of the same stream (vendors that are polled), and filters of events.
const (
	KindReservedNextRequest Kind = 0x60
	KindReservedFilter      Kind = 0x70
)

// KindDecision is a policy's result: canonical JSON.
const KindDecision Kind = 0x80

// FlagDocument marks a frame that is a whole document.
const FlagDocument uint8 = 1

// An EndReason says why the frames ended; it is in the flags of KindEnd.
type EndReason uint8

const (
	// EndOfBody: the vendor closed the body in the ordinary way.
	EndOfBody EndReason = 0
	// EndCancelled: the caller went away. What is emitted now is only booked.
	EndCancelled EndReason = 1
	// EndBroken: the connection broke or went silent for too long.
	EndBroken EndReason = 2
)

// Framings that a request may ask for, in KindRequest's "framing".
const (
	FramingSSE       = "sse"
	FramingNDJSON    = "ndjson"
	FramingJSON      = "json"
	FramingJSONArray = "json-array"
	FramingAWS       = "aws-eventstream"
)

// Operations that KindOpen's "op" may hold.
const (
	OpChat  = "chat"
	OpCount = "count"
)

// Finish reasons of KindStop: OpenAI's canonical set, plus the stop sequence that Anthropic tells apart.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishToolCalls     = "tool_calls"
	FinishContentFilter = "content_filter"
	FinishPause         = "pause_turn"
)

// Error kinds of KindError and KindRefuse.
const (
	ErrInvalidRequest     = "invalid_request"
	ErrAuthentication     = "authentication"
	ErrPermission         = "permission"
	ErrBilling            = "billing"
	ErrNotFound           = "not_found"
	ErrTooLarge           = "too_large"
	ErrRateLimit          = "rate_limit"
	ErrOverloaded         = "overloaded"
	ErrTimeout            = "timeout"
	ErrAPI                = "api"
	ErrContextTooLong     = "context_too_long"
	ErrFeatureUnsupported = "feature_unsupported"
)

// RefPrefix starts a reference: the JSON string "ainfera-ref:N" stands for the N-th string the host kept back.
const RefPrefix = "ainfera-ref:"

// Sizes of the fixed parts, in bytes.
const (
	BatchHeaderBytes  = 8
	RecordHeaderBytes = 8
)

// A Record is one event or piece. Payload aliases the batch it was read from.
type Record struct {
	Kind    Kind
	Flags   uint8
	Block   uint16
	Payload []byte
}

// Pack makes a guest's i64 result of an address and a length, both in bytes of its memory.
func Pack(ptr, length uint32) uint64 { return uint64(ptr)<<32 | uint64(length) }

// Unpack is the inverse of Pack.
func Unpack(v uint64) (ptr, length uint32) { return uint32(v >> 32), uint32(v) }
