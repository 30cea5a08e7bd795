package capture

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/ainfera-ai/router/schema"
)

// A policy's input and output are kilobytes that say nearly the same at every call: the catalogue's candidates. A row
// keeps only how they differ from a template, an earlier document that is kept once in blobs.
//
//	packed   = form rest
//	form 0     the rest is the document
//	form 1     the rest is the template's SHA-256 (32 bytes) and a delta
//	form 2     the rest is the document compressed with zstd
const (
	formPlain byte = iota
	formDelta
	formZstd
)

const (
	// packFrom is the length from which packing pays.
	packFrom = 256
	// templateCount is how many templates are remembered.
	templateCount = 256
	// templateUses is how often a template that no longer fits is left in place before the document that it did not fit
	// replaces it, so that documents with nothing in common don't each become one.
	templateUses = 32
)

var (
	zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	zstdDecoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
)

// A packed is a document as a row keeps it.
type packed struct {
	bytes    []byte
	hash     string    // hex SHA-256 of the document; empty when there is none
	template *template // whose blob must be stored with the row, or nil
}

// A template is a document that others are packed against.
type template struct {
	digest [32]byte
	bytes  []byte
	zstd   []byte
	uses   int         // guarded by templates.mu
	stored atomic.Bool // a committed transaction has its blob
}

// templates remember which document the next of a kind will look like. The zero value is ready.
type templates struct {
	mu   sync.Mutex
	last map[string]*template
}

// pack packs a document of a kind, which is whatever predicts what it looks like.
func (t *templates) pack(kind string, doc []byte) packed {
	if len(doc) == 0 {
		return packed{}
	}
	sum := sha256.Sum256(doc)
	p := packed{hash: hex.EncodeToString(sum[:])}
	if len(doc) < packFrom {
		p.bytes = append([]byte{formPlain}, doc...)
		return p
	}
	against := t.get(kind)
	if against == nil {
		against = t.put(kind, nil, sum, doc)
	}
	b := append(append(make([]byte, 0, 512), formDelta), against.digest[:]...)
	if b = appendDelta(b, against.bytes, doc); len(b) <= len(doc)/3 {
		p.bytes, p.template = b, against
		return p
	}
	t.put(kind, against, sum, doc)
	p.bytes = zstdEncoder.EncodeAll(doc, []byte{formZstd})
	return p
}

func (t *templates) get(kind string) *template {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.last[kind]
	if found != nil {
		found.uses++
	}
	return found
}

// put makes the document the kind's template, unless the one it would replace is young.
func (t *templates) put(kind string, old *template, digest [32]byte, doc []byte) *template {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.last[kind]; now != old || (now != nil && now.uses < templateUses) {
		return now
	}
	if t.last == nil || len(t.last) >= templateCount {
		t.last = map[string]*template{}
	}
	made := &template{digest: digest, bytes: append([]byte(nil), doc...), zstd: zstdEncoder.EncodeAll(doc, nil), uses: 1}
	t.last[kind] = made
	return made
}

// addTemplate leaves the blob of a template that no transaction has stored yet.
func (b *batch) addTemplate(p packed) {
	if p.template != nil && !p.template.stored.Load() {
		b.add(insertBlob, hex.EncodeToString(p.template.digest[:]), p.template.zstd, b.now)
	}
}

// markStored notes that a committed row was packed against the template, whose blob is therefore stored.
func (p packed) markStored() {
	if p.template != nil {
		p.template.stored.Store(true)
	}
}

// document is what was packed, from memory alone.
func (p packed) document() ([]byte, error) {
	if p.template != nil {
		return applyDelta(p.template.bytes, p.bytes[1+sha256.Size:])
	}
	return unpackAlone(p.bytes)
}

// unpackAlone unpacks what needs no template.
func unpackAlone(p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	switch p[0] {
	case formPlain:
		return p[1:], nil
	case formZstd:
		return zstdDecoder.DecodeAll(p[1:], nil)
	}
	return nil, fmt.Errorf("a packed document has the unknown form %d: a newer ainfera wrote it", p[0])
}

// unpack is the document of a row, byte for byte.
func (b *Books) unpack(ctx context.Context, p []byte) ([]byte, error) {
	if len(p) <= sha256.Size || p[0] != formDelta {
		return unpackAlone(p)
	}
	template, err := b.blob(ctx, hex.EncodeToString(p[1:1+sha256.Size]))
	if err != nil {
		return nil, err
	}
	return applyDelta(template, p[1+sha256.Size:])
}

// blob reads what is kept by its digest, and checks it.
func (b *Books) blob(ctx context.Context, digest string) ([]byte, error) {
	row := schema.Blob{}
	err := b.db.NewSelect().Model(&row).Where("digest = ?", digest).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("blob %s: %w", digest, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", digest, unavailable(err))
	}
	data, err := zstdDecoder.DecodeAll(row.Bytes, nil)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", digest, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("blob %s: its bytes have another digest", digest)
	}
	return data, nil
}
