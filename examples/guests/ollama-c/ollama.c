/* An adapter for Ollama's own protocol, POST /api/chat with newline-delimited JSON, written from the ABI page alone.
 *
 * open builds Ollama's request from a call in the Anthropic Messages shape; push turns its answer into events. All that is
 * kept between calls is a few words a stream. */
#include "json.h"
#include "wire.h"

/* ---- the module ---- */

static const char manifest[] =
	"{\"name\":\"ollama\",\"version\":\"1.0.0\",\"kind\":\"adapter\",\"framing\":[\"ndjson\",\"json\"],"
	"\"features\":[\"chat\",\"stream\",\"tools\",\"images\",\"thinking\",\"structured_output\"],"
	"\"settings\":[{\"name\":\"keep_alive\",\"type\":\"string\",\"default\":\"\","
	"\"doc\":\"how long the model stays loaded, as Ollama writes it: 5m. Empty leaves it to the server\"}]}";

static buf arena;

int EXPORT(ainfera_adapter_v1)(int host_caps) {
	(void)host_caps;
	return 0;
}

u64 EXPORT(ainfera_manifest)(void) { return packed(LIT(manifest)); }

u8 *EXPORT(ainfera_arena)(u32 size) {
	arena.n = 0;
	reserve(&arena, size);
	return arena.p;
}

/* ---- streams ---- */

typedef struct stream {
	struct stream *next;
	u32 handle;
	u32 status;   /* of the vendor's answer */
	u16 block;    /* the block that is being filled */
	u8 filling;   /* what is in it: TEXT, THINKING, or 0 */
	u8 started, tools, over;
} stream;

static stream *streams, *spare;

static stream *open_stream(u32 handle) {
	stream *s = spare;
	if (s) spare = s->next;
	else s = (stream *)alloc(sizeof *s);
	*s = (stream){.next = streams, .handle = handle};
	streams = s;
	return s;
}

static stream *find_stream(u32 handle) {
	for (stream *s = streams; s; s = s->next)
		if (s->handle == handle) return s;
	__builtin_trap(); /* the host does not push what it did not open */
}

void EXPORT(ainfera_close)(u32 handle) {
	for (stream **at = &streams; *at; at = &(*at)->next) {
		stream *s = *at;
		if (s->handle != handle) continue;
		*at = s->next, s->next = spare, spare = s;
		return;
	}
}

/* ---- the request ---- */

static buf body;           /* the caller's, its segments joined */
static const char *refusal; /* why the request can't be carried; the first reason counts */

static void refuse(const char *why) {
	if (!refusal) refusal = why;
}

static u32 length(const char *s) {
	u32 n = 0;
	while (s[n]) n++;
	return n;
}

/* The vendor's body is written as records: what goes through us between those, and the images that never do. */
static u32 piece;

static void flush_piece(void) {
	if (piece) close_record(piece);
	piece = 0;
}

static void emit(span s) {
	if (!piece) piece = open_record(REQUEST_BODY, 0);
	put(&out, s);
}

#define EMIT(s) emit(LIT(s))

static void emit_key(const char *key) {
	EMIT(",\"");
	emit((span){(const u8 *)key, length(key)});
	EMIT("\":");
}

static int is_type(span block, span type) { return same(inner(GET(block, "type")), type); }

#define IS(block, type) is_type(block, LIT(type))

/* The billing header is a block for Anthropic's eyes. */
static int is_billing(span text) {
	span head = LIT("x-anthropic-billing-header");
	return text.n >= head.n && !__builtin_memcmp(text.p, head.p, head.n);
}

/* emit_texts writes the texts of a string or of the text blocks of a list as the inside of one JSON string. Escapes are
 * JSON's on both sides, so that they stay as they are. */
static void emit_texts(span content) {
	if (kind_of(content) == '"') {
		emit(inner(content));
		return;
	}
	int some = 0;
	for (iter it = walk(content); next(&it);) {
		span text = inner(GET(it.value, "text"));
		if (!IS(it.value, "text") || is_billing(text)) continue;
		if (some) EMIT("\\n\\n");
		emit(text);
		some = 1;
	}
}

static int has(span content, span type) {
	for (iter it = walk(content); next(&it);)
		if (is_type(it.value, type)) return 1;
	return 0;
}

/* emit_images writes the images of a list by reference: their bytes never come here. */
static void emit_images(span content) {
	if (!has(content, LIT("image"))) return;
	emit_key("images");
	EMIT("[");
	int some = 0;
	for (iter it = walk(content); next(&it);) {
		if (!IS(it.value, "image")) continue;
		span source = GET(it.value, "source"), data = inner(GET(source, "data")), mark = LIT("ainfera-ref:");
		if (!is_type(source, LIT("base64"))) {
			refuse("Ollama takes images as data, not by address");
			return;
		}
		if (some) EMIT(",");
		EMIT("\"");
		if (data.n > mark.n && !__builtin_memcmp(data.p, mark.p, mark.n)) {
			flush_piece();
			u32 ref = number((span){data.p + mark.n, data.n - mark.n}), at = open_record(REQUEST_REF, 0);
			put_u32(&out, ref);
			close_record(at);
		} else {
			emit(data); /* a small one stays in the body */
		}
		EMIT("\"");
		some = 1;
	}
	EMIT("]");
}

static void check_blocks(span content, int result) {
	for (iter it = walk(content); next(&it);) {
		span v = it.value;
		if (IS(v, "text") || IS(v, "image")) continue;
		if (!result && (IS(v, "thinking") || IS(v, "redacted_thinking") || IS(v, "tool_use") || IS(v, "tool_result"))) continue;
		refuse(IS(v, "document") ? "Ollama takes no documents" : "a content block of a type that Ollama has no word for");
	}
}

/* tool_name finds the call that a result answers, since Ollama wants its name. */
static span tool_name(span messages, span id) {
	for (iter m = walk(messages); next(&m);)
		for (iter b = walk(GET(m.value, "content")); next(&b);)
			if (IS(b.value, "tool_use") && same(GET(b.value, "id"), id)) return GET(b.value, "name");
	return none;
}

static int first_message;

static void emit_role(const char *role) {
	if (!first_message) EMIT(",");
	first_message = 0;
	EMIT("{\"role\":\"");
	emit((span){(const u8 *)role, length(role)});
	EMIT("\",\"content\":\"");
}

static void emit_results(span messages, span content) {
	for (iter it = walk(content); next(&it);) {
		if (!IS(it.value, "tool_result")) continue;
		span said = GET(it.value, "content"), name = tool_name(messages, GET(it.value, "tool_use_id"));
		check_blocks(said, 1);
		emit_role("tool");
		if (is_true(GET(it.value, "is_error"))) EMIT("Error: ");
		emit_texts(said);
		EMIT("\"");
		if (name.n) {
			emit_key("tool_name");
			emit(name);
		}
		emit_images(said);
		EMIT("}");
	}
}

static void emit_calls(span content) {
	if (!has(content, LIT("tool_use"))) return;
	emit_key("tool_calls");
	EMIT("[");
	int some = 0;
	for (iter it = walk(content); next(&it);) {
		if (!IS(it.value, "tool_use")) continue;
		if (some) EMIT(",");
		EMIT("{\"id\":");
		emit(GET(it.value, "id"));
		EMIT(",\"function\":{\"name\":");
		emit(GET(it.value, "name"));
		EMIT(",\"arguments\":");
		span input = GET(it.value, "input");
		emit(input.n ? input : LIT("{}"));
		EMIT("}}");
		some = 1;
	}
	EMIT("]");
}

static void emit_message(span messages, span m) {
	span content = GET(m, "content");
	int assistant = same(inner(GET(m, "role")), LIT("assistant"));
	check_blocks(content, 0);
	emit_results(messages, content); /* a result comes before what the user says to it */
	if (has(content, LIT("tool_result")) && !has(content, LIT("text")) && !has(content, LIT("image"))) return;
	emit_role(assistant ? "assistant" : "user");
	emit_texts(content);
	EMIT("\"");
	if (has(content, LIT("thinking"))) {
		emit_key("thinking");
		EMIT("\"");
		for (iter it = walk(content); next(&it);)
			if (IS(it.value, "thinking")) emit(inner(GET(it.value, "thinking")));
		EMIT("\"");
	}
	emit_calls(content);
	emit_images(content);
	EMIT("}");
}

static void emit_tools(span tools) {
	emit_key("tools");
	EMIT("[");
	int some = 0;
	for (iter it = walk(tools); next(&it);) {
		span type = GET(it.value, "type"), about = GET(it.value, "description"), takes = GET(it.value, "input_schema");
		if (!absent(type) && !IS(it.value, "custom")) refuse("a tool that only Anthropic can run");
		if (some) EMIT(",");
		EMIT("{\"type\":\"function\",\"function\":{\"name\":");
		emit(GET(it.value, "name"));
		if (!absent(about)) {
			emit_key("description");
			emit(about);
		}
		emit_key("parameters");
		emit(absent(takes) ? LIT("{\"type\":\"object\",\"properties\":{}}") : takes);
		EMIT("}}");
		some = 1;
	}
	EMIT("]");
}

static void drop(span field) {
	flush_piece();
	record(DROPPED, 0, field);
}

/* emit_options writes what Ollama keeps in options, under its own names. */
static void emit_options(span call, span req) {
	static const struct { const char *ours; const char *theirs; } options[] = {
		{"temperature", "temperature"}, {"top_p", "top_p"}, {"top_k", "top_k"}, {"stop_sequences", "stop"}};
	emit_key("options");
	EMIT("{\"num_predict\":");
	span most = GET(call, "max_tokens");
	emit(number(most) ? most : LIT("-1"));
	for (u32 i = 0; i < sizeof options / sizeof *options; i++) {
		span v = get(req, (span){(const u8 *)options[i].ours, length(options[i].ours)});
		if (absent(v)) continue;
		emit_key(options[i].theirs);
		emit(v);
	}
	EMIT("}");
}

/* wants_thinking is what the caller asks for, or -1 where it says nothing. */
static int wants_thinking(span req) {
	span t = GET(req, "thinking");
	if (absent(t)) return -1;
	return !IS(t, "disabled");
}

static void emit_body(span call, span req) {
	span system = GET(req, "system"), messages = GET(req, "messages"), tools = GET(req, "tools"), choice = GET(req, "tool_choice");
	EMIT("{\"model\":");
	emit(GET(call, "model"));
	emit_key("stream");
	emit(is_true(GET(call, "stream")) ? LIT("true") : LIT("false"));
	emit_key("messages");
	EMIT("[");
	first_message = 1;
	if (!absent(system)) {
		emit_role("system");
		emit_texts(system);
		EMIT("\"}");
	}
	for (iter it = walk(messages); next(&it);) emit_message(messages, it.value);
	EMIT("]");
	if (!absent(tools) && !IS(choice, "none")) emit_tools(tools);
	span schema = GET(GET(GET(req, "output_config"), "format"), "schema");
	if (!absent(schema)) {
		emit_key("format");
		emit(schema);
	}
	int think = wants_thinking(req);
	if (think >= 0 && is_true(GET(call, "thinking"))) {
		emit_key("think");
		emit(think ? LIT("true") : LIT("false"));
	}
	span alive = inner(GET(GET(call, "settings"), "keep_alive"));
	if (alive.n) {
		emit_key("keep_alive");
		EMIT("\"");
		emit(alive);
		EMIT("\"");
	}
	emit_options(call, req);
	EMIT("}");
	flush_piece();
}

/* drop_rest names what the caller asked for and will not get. */
static void drop_rest(span call, span req) {
	static const char *carried[] = {"model", "max_tokens", "messages", "system", "tools", "stream", "temperature", "top_p",
		"top_k", "stop_sequences", "thinking", "tool_choice", "output_config"};
	for (iter it = walk(req); next(&it);) {
		int known = 0;
		for (u32 i = 0; i < sizeof carried / sizeof *carried && !known; i++)
			known = same(it.key, (span){(const u8 *)carried[i], length(carried[i])});
		if (!known) drop(it.key);
	}
	span choice = GET(req, "tool_choice");
	if (!absent(choice) && !IS(choice, "auto") && !IS(choice, "none")) drop(LIT("tool_choice")); /* it can't be told to */
	if (wants_thinking(req) == 1 && !is_true(GET(call, "thinking"))) drop(LIT("thinking"));
}

u64 EXPORT(ainfera_open)(u32 handle, u32 n) {
	span batch = {arena.p, n}, call = none;
	rec r;
	body.n = 0;
	for (u32 at = 8; next_record(batch, &at, &r);) {
		if (r.kind == OPEN) call = trim(r.payload);
		else if (r.kind == BODY) put(&body, r.payload);
	}
	span req = trim((span){body.p, body.n});
	refusal = 0, piece = 0;
	begin_batch(handle);
	record(REQUEST, 0, is_true(GET(call, "stream"))
		? LIT("{\"method\":\"POST\",\"path\":\"/api/chat\",\"framing\":\"ndjson\",\"headers\":{\"content-type\":\"application/json\"}}")
		: LIT("{\"method\":\"POST\",\"path\":\"/api/chat\",\"framing\":\"json\",\"headers\":{\"content-type\":\"application/json\"}}"));
	emit_body(call, req);
	drop_rest(call, req);
	if (!same(inner(GET(call, "op")), LIT("chat"))) refuse("Ollama only chats");
	if (refusal) {
		begin_batch(handle);
		u32 at = open_record(REFUSE, 0);
		PUT(&out, "{\"kind\":\"feature_unsupported\",\"message\":\"");
		put(&out, (span){(const u8 *)refusal, length(refusal)});
		PUT(&out, "\"}");
		close_record(at);
		return end_batch();
	}
	open_stream(handle);
	return end_batch();
}

/* ---- the answer ---- */

/* mint makes a tool call's id, for a vendor that gives none: the same for the same answer, another for each call of it. */
static u32 open_tool(u16 block, span call, span frame, u32 index) {
	u64 h = 14695981039346656037ull + index;
	for (u32 i = 0; i < frame.n; i++) h = (h ^ frame.p[i]) * 1099511628211ull;
	u32 at = open_record(TOOL_START, block);
	PUT(&out, "{\"id\":");
	span id = GET(call, "id");
	if (inner(id).n) {
		put(&out, id);
	} else {
		PUT(&out, "\"call_");
		put_number(&out, h);
		PUT(&out, "\"");
	}
	PUT(&out, ",\"name\":");
	span name = GET(GET(call, "function"), "name");
	put(&out, kind_of(name) == '"' ? name : LIT("\"\""));
	PUT(&out, "}");
	return at;
}

static void fill(stream *s, u8 kind, span text) {
	if (!text.n) return;
	if (s->filling != kind) {
		if (s->filling) s->block++;
		s->filling = kind;
	}
	u32 at = open_record(kind, s->block);
	put_text(&out, text);
	close_record(at);
}

static void take_calls(stream *s, span calls, span frame) {
	u32 index = 0;
	for (iter it = walk(calls); next(&it); index++) {
		if (s->filling) s->block++, s->filling = 0;
		close_record(open_tool(s->block, it.value, frame, index));
		span arguments = GET(GET(it.value, "function"), "arguments");
		if (kind_of(arguments) == '{') record(TOOL_DELTA, s->block, arguments);
		record(BLOCK_STOP, s->block++, none);
		s->tools = 1;
	}
}

static void put_usage(const char *key, span v, int *some) {
	if (absent(v)) return;
	if ((*some)++) PUT(&out, ",");
	PUT(&out, "\"");
	put(&out, (span){(const u8 *)key, length(key)});
	PUT(&out, "\":");
	put_number(&out, number(v));
}

static void finish(stream *s, span doc) {
	int some = 0;
	u32 at = open_record(USAGE, 0);
	PUT(&out, "{");
	put_usage("input", GET(doc, "prompt_eval_count"), &some);
	put_usage("output", GET(doc, "eval_count"), &some);
	PUT(&out, "}");
	close_record(at);
	span why = GET(doc, "done_reason");
	at = open_record(STOP, 0);
	PUT(&out, "{\"reason\":\"");
	put(&out, s->tools ? LIT("tool_calls") : same(inner(why), LIT("length")) ? LIT("length") : LIT("stop"));
	PUT(&out, "\",\"native\":");
	put(&out, kind_of(why) == '"' ? why : LIT("\"\""));
	PUT(&out, "}");
	close_record(at);
	s->over = 1;
}

static span error_kind(u32 status) {
	switch (status) {
	case 400: return LIT("invalid_request");
	case 401: return LIT("authentication");
	case 403: return LIT("permission");
	case 404: return LIT("not_found");
	case 413: return LIT("too_large");
	case 429: return LIT("rate_limit");
	case 503: return LIT("overloaded");
	}
	return LIT("api");
}

/* fail is for an error in a body, and for one that has none. */
static void fail(stream *s, span message) {
	u32 at = open_record(ERROR, 0);
	PUT(&out, "{\"kind\":\"");
	put(&out, error_kind(s->status));
	PUT(&out, "\",\"message\":\"");
	put(&out, message.n ? message : LIT("Ollama failed and did not say why"));
	PUT(&out, "\"}");
	close_record(at);
	s->over = 1;
}

static void take_frame(stream *s, span doc) {
	doc = trim(doc);
	span error = GET(doc, "error"), message = GET(doc, "message"), model = GET(doc, "model");
	if (s->over) return;
	if (s->status >= 400 || !absent(error)) {
		fail(s, inner(error));
		return;
	}
	if (kind_of(message) != '{' || value_end(doc, 0) != doc.n) {
		record(SKIPPED, 1, none);
		return;
	}
	if (!s->started) {
		s->started = 1;
		u32 at = open_record(MESSAGE_START, 0);
		PUT(&out, "{\"id\":\"\",\"model\":");
		put(&out, kind_of(model) == '"' ? model : LIT("\"\""));
		PUT(&out, "}");
		close_record(at);
	}
	fill(s, THINKING, inner(GET(message, "thinking")));
	fill(s, TEXT, inner(GET(message, "content")));
	take_calls(s, GET(message, "tool_calls"), doc);
	if (is_true(GET(doc, "done"))) finish(s, doc);
}

u64 EXPORT(ainfera_push)(u32 handle, u32 n) {
	stream *s = find_stream(handle);
	span batch = {arena.p, n};
	rec r;
	begin_batch(handle);
	for (u32 at = 8; next_record(batch, &at, &r);) {
		if (r.kind == HEAD) s->status = number(GET(trim(r.payload), "status"));
		else if (r.kind == FRAME) take_frame(s, (span){r.payload.p + r.block, r.payload.n - r.block});
		else if (r.kind == END && !s->over && s->status >= 400) fail(s, none);
	}
	return end_batch();
}
