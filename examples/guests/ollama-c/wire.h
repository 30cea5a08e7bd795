/* The wire between the host and a guest, as sdk/README.md has it: batches of records, little-endian, unaligned.
 *
 * There is no C library here. Memory is a bump allocator over memory.grow, which is enough: the guest keeps one input
 * arena and one output buffer, both of which only ever grow, and a few words a stream. */
#ifndef WIRE_H
#define WIRE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name))) name

/* Kinds of records. */
enum {
	OPEN = 0x01, BODY = 0x02, HEAD = 0x03, FRAME = 0x04, END = 0x05,
	REQUEST = 0x40, REQUEST_BODY = 0x41, REQUEST_REF = 0x42, REFUSE = 0x44, DROPPED = 0x45,
	MESSAGE_START = 0x50, TEXT = 0x51, THINKING = 0x52, TOOL_START = 0x55, TOOL_DELTA = 0x56, BLOCK_STOP = 0x5a,
	USAGE = 0x5b, STOP = 0x5c, ERROR = 0x5d, SKIPPED = 0x5e,
};

/* A span is text that somebody else owns: a part of the arena, or a literal. */
typedef struct {
	const u8 *p;
	u32 n;
} span;

#define LIT(s) ((span){(const u8 *)(s), sizeof(s) - 1})

/* The compiler wants this one by its name. */
int memcmp(const void *a, const void *b, unsigned long n) {
	const u8 *x = a, *y = b;
	for (unsigned long i = 0; i < n; i++)
		if (x[i] != y[i]) return x[i] - y[i];
	return 0;
}

static int same(span a, span b) { return a.n == b.n && !__builtin_memcmp(a.p, b.p, a.n); }

extern u8 __heap_base;
static u8 *heap = &__heap_base;

/* alloc never fails: a memory that can't grow is a trap, and the host says so with our name. */
static u8 *alloc(u32 n) {
	u8 *at = heap;
	heap += (n + 15) & ~15u;
	u32 have = __builtin_wasm_memory_size(0) << 16;
	if ((u32)heap > have && __builtin_wasm_memory_grow(0, ((u32)heap - have + 65535) >> 16) == (u32)-1) __builtin_trap();
	return at;
}

/* A buf only grows: what it outgrows is lost, and doubling bounds that to as much again. */
typedef struct {
	u8 *p;
	u32 n, cap;
} buf;

static void reserve(buf *b, u32 more) {
	if (b->n + more <= b->cap) return;
	u32 cap = b->cap ? b->cap : 4096;
	while (cap < b->n + more) cap *= 2;
	u8 *p = alloc(cap);
	__builtin_memcpy(p, b->p, b->n);
	b->p = p, b->cap = cap;
}

static void put(buf *b, span s) {
	reserve(b, s.n);
	__builtin_memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
}

#define PUT(b, s) put(b, LIT(s))

static void put_u32(buf *b, u32 v) { put(b, (span){(u8 *)&v, 4}); } /* wasm is little-endian */

static void put_number(buf *b, u64 v) {
	u8 digits[20];
	u32 i = sizeof digits;
	do digits[--i] = '0' + v % 10; while (v /= 10);
	put(b, (span){digits + i, sizeof digits - i});
}

static u32 get_u32(const u8 *p) {
	u32 v;
	__builtin_memcpy(&v, p, 4);
	return v;
}

/* The result that is being built. */
static buf out;

static void begin_batch(u32 stream) {
	out.n = 0;
	put_u32(&out, stream);
	put_u32(&out, 0);
}

/* open_record writes a header and returns where, for close_record to fill in the length. */
static u32 open_record(u8 kind, u16 block) {
	u8 head[8] = {kind, 0, block & 255, block >> 8};
	u32 at = out.n;
	put(&out, (span){head, 8});
	return at;
}

static void close_record(u32 at) {
	u32 length = out.n - at - 8, count = get_u32(out.p + 4) + 1;
	__builtin_memcpy(out.p + at + 4, &length, 4);
	__builtin_memcpy(out.p + 4, &count, 4);
}

static void record(u8 kind, u16 block, span payload) {
	u32 at = open_record(kind, block);
	put(&out, payload);
	close_record(at);
}

/* packed is a result: the address above, the length below. */
static u64 packed(span s) { return (u64)(u32)s.p << 32 | s.n; }

static u64 end_batch(void) { return packed((span){out.p, out.n}); }

/* A record as it was read. */
typedef struct {
	u8 kind, flags;
	u16 block;
	span payload;
} rec;

/* next_record walks a batch that the host wrote: *at begins at 8, behind the batch's header. */
static int next_record(span batch, u32 *at, rec *r) {
	if (*at + 8 > batch.n) return 0;
	const u8 *h = batch.p + *at;
	u32 n = get_u32(h + 4);
	if (n > batch.n - *at - 8) return 0;
	*r = (rec){h[0], h[1], (u16)(h[2] | h[3] << 8), {h + 8, n}};
	*at += 8 + n;
	return 1;
}

#endif
