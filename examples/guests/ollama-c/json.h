/* JSON without a tree: a value is the span of its text, and is looked into by walking it. What is malformed reads as
 * absent, so that nothing here can run past its span. */
#ifndef JSON_H
#define JSON_H

#include "wire.h"

static const span none = {0, 0};

static int is_space(u8 c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static span trim(span s) {
	while (s.n && is_space(s.p[0])) s.p++, s.n--;
	while (s.n && is_space(s.p[s.n - 1])) s.n--;
	return s;
}

/* string_end is the index behind the string that begins at i, or 0 where it does not end. */
static u32 string_end(span s, u32 i) {
	for (i++; i < s.n; i++) {
		if (s.p[i] == '\\') i++;
		else if (s.p[i] == '"') return i + 1;
	}
	return 0;
}

/* value_end is the index behind the value that begins at i, or 0 where it does not end. */
static u32 value_end(span s, u32 i) {
	if (i >= s.n) return 0;
	if (s.p[i] == '"') return string_end(s, i);
	u32 depth = 0;
	for (; i < s.n; i++) {
		u8 c = s.p[i];
		if (c == '"') {
			u32 end = string_end(s, i);
			if (!end) return 0;
			i = end - 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (!depth) return i; /* the container that this number, or word, stands in */
			if (!--depth) return i + 1;
		} else if (!depth && (c == ',' || is_space(c))) {
			return i;
		}
	}
	return depth ? 0 : i;
}

/* An iter walks an object's members or an array's elements. */
typedef struct {
	span in;
	u32 at;
	span key; /* of a member: the text between its quotes, escapes as they are */
	span value;
} iter;

static u8 kind_of(span v) { return v.n ? v.p[0] : 0; }

static iter walk(span v) { return (iter){v, 1, none, none}; }

static u32 past_space(span s, u32 i) {
	while (i < s.n && is_space(s.p[i])) i++;
	return i;
}

static int next(iter *it) {
	span s = it->in;
	int object = kind_of(s) == '{';
	if (!object && kind_of(s) != '[') return 0;
	u32 i = past_space(s, it->at);
	if (it->value.p && i < s.n && s.p[i] == ',') i = past_space(s, i + 1);
	if (i >= s.n || s.p[i] == '}' || s.p[i] == ']') return 0;
	if (object) {
		u32 end = s.p[i] == '"' ? string_end(s, i) : 0;
		if (!end) return 0;
		it->key = (span){s.p + i + 1, end - i - 2};
		i = past_space(s, end);
		if (i >= s.n || s.p[i] != ':') return 0;
		i = past_space(s, i + 1);
	}
	u32 end = value_end(s, i);
	if (end <= i) return 0;
	it->value = (span){s.p + i, end - i};
	it->at = end;
	return 1;
}

static span get(span object, span key) {
	if (kind_of(object) != '{') return none;
	for (iter it = walk(object); next(&it);)
		if (same(it.key, key)) return it.value;
	return none;
}

#define GET(object, key) get(object, LIT(key))

/* inner is the text between a string's quotes, escapes as they are; none where it is no string. */
static span inner(span v) { return kind_of(v) == '"' && v.n >= 2 ? (span){v.p + 1, v.n - 2} : none; }

static int is_true(span v) { return same(v, LIT("true")); }

static int absent(span v) { return !v.n || same(v, LIT("null")); }

static u64 number(span v) {
	u64 n = 0;
	for (u32 i = 0; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++) n = n * 10 + v.p[i] - '0';
	return n;
}

static u32 hex4(const u8 *p) {
	u32 v = 0;
	for (int i = 0; i < 4; i++) {
		u8 c = p[i] | 32;
		if (c >= '0' && c <= '9') v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f') v = v << 4 | (c - 'a' + 10);
		else return 0xfffd;
	}
	return v;
}

static void put_rune(buf *b, u32 r) {
	u8 t[4];
	u32 n = r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
	for (u32 i = n - 1; i; i--) t[i] = 0x80 | (r & 63), r >>= 6;
	static const u8 lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	t[0] = n == 1 ? r : lead[n] | r;
	put(b, (span){t, n});
}

/* put_text appends a string's text with its escapes undone. Half a surrogate pair is U+FFFD. */
static void put_text(buf *b, span s) {
	u32 from = 0;
	for (u32 i = 0; i < s.n; i++) {
		if (s.p[i] != '\\' || i + 1 >= s.n) continue;
		put(b, (span){s.p + from, i - from});
		u8 c = s.p[++i];
		if (c == 'u' && i + 4 < s.n) {
			u32 r = hex4(s.p + i + 1);
			i += 4;
			if (r >= 0xd800 && r < 0xdc00 && i + 6 < s.n && s.p[i + 1] == '\\' && s.p[i + 2] == 'u') {
				u32 low = hex4(s.p + i + 3);
				if (low >= 0xdc00 && low < 0xe000) r = 0x10000 + ((r - 0xd800) << 10) + (low - 0xdc00), i += 6;
			}
			put_rune(b, r >= 0xd800 && r < 0xe000 ? 0xfffd : r);
		} else {
			u8 t = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
			put(b, (span){&t, 1});
		}
		from = i + 1;
	}
	put(b, (span){s.p + from, s.n - from});
}

#endif
