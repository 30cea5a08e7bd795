package proof

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ExportFormat is the version of the export.
const ExportFormat = "ainfera-audit-export/1"

// A Record is one line of an export: a JSON object with one member, which says what it is.
//
// The order is: export; every key; every root, each behind the leaves that moved since the root before; then chain by
// chain its beginning and its events, each followed by the receipt, the signed heads and the inclusion proofs that name
// it; stray receipts; end. An export of one agent has no leaves, which are other agents',
// and an inclusion proof instead.
type Record struct {
	Export  *Header         `json:"export,omitempty"`
	Key     *Key            `json:"key,omitempty"`
	Leaf    *RootLeaf       `json:"leaf,omitempty"`
	Root    json.RawMessage `json:"root,omitempty"` // a Root
	Chain   *ChainHead      `json:"chain,omitempty"`
	Event   *Event          `json:"event,omitempty"`
	Receipt json.RawMessage `json:"receipt,omitempty"` // as GET /v1/receipts/{id} has it
	Head    json.RawMessage `json:"head,omitempty"`    // a Head
	Proof   *Inclusion      `json:"proof,omitempty"`
	Stray   json.RawMessage `json:"stray,omitempty"` // a receipt whose event is not where it says
	End     *Counts         `json:"end,omitempty"`
}

// A Header says what an export holds.
type Header struct {
	Format     string `json:"format"`
	AgentID    string `json:"agent_id,omitempty"` // empty: all chains
	SinceSeq   int64  `json:"since_seq"`          // the events begin behind it
	ExportedAt string `json:"exported_at"`
}

// A RootLeaf is a leaf that moved with a root.
type RootLeaf struct {
	RootSeq int64 `json:"root_seq"`
	Leaf
}

// A ChainHead begins a chain and says where the store believes that it ends.
type ChainHead struct {
	AgentID  string `json:"agent_id"`
	HeadSeq  int64  `json:"head_seq"`
	HeadHash string `json:"head_hash,omitempty"`
}

// Counts are how many records of each kind there are.
type Counts struct {
	Keys     int64 `json:"keys"`
	Roots    int64 `json:"roots"`
	Chains   int64 `json:"chains"`
	Events   int64 `json:"events"`
	Receipts int64 `json:"receipts"`
	Heads    int64 `json:"heads"`
	Proofs   int64 `json:"proofs"`
}

func (r *Record) empty() bool {
	return r.Export == nil && r.Key == nil && r.Leaf == nil && r.Root == nil && r.Chain == nil && r.Event == nil &&
		r.Receipt == nil && r.Head == nil && r.Proof == nil && r.Stray == nil && r.End == nil
}

func (c *Counts) add(r *Record) {
	for _, k := range []struct {
		there bool
		n     *int64
	}{{r.Key != nil, &c.Keys}, {r.Root != nil, &c.Roots}, {r.Chain != nil, &c.Chains}, {r.Event != nil, &c.Events},
		{r.Receipt != nil || r.Stray != nil, &c.Receipts}, {r.Head != nil, &c.Heads}, {r.Proof != nil, &c.Proofs}} {
		if k.there {
			*k.n++
		}
	}
}

// A Writer writes an export. Close must follow, or the export is one that was cut short.
type Writer struct {
	w      *bufio.Writer
	enc    *json.Encoder
	counts Counts
}

// NewWriter writes to w, through a buffer.
func NewWriter(w io.Writer) *Writer {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return &Writer{w: b, enc: enc}
}

// Put writes one record.
func (w *Writer) Put(r *Record) error {
	w.counts.add(r)
	if err := w.enc.Encode(r); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// Close writes the end and what is left in the buffer. It does not close what is written to.
func (w *Writer) Close() error {
	if err := w.Put(&Record{End: &w.counts}); err != nil {
		return err
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// longestLine bounds what is read of one line.
const longestLine = 16 << 20

// Read hands every line of an export to put: its record, or why it can't be read. It returns put's error, or that of
// reading on.
func Read(r io.Reader, put func(line int, rec *Record, err error) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), longestLine)
	n := 0
	for lines.Scan() {
		n++
		rec, err := parseRecord(lines.Bytes())
		if err := put(n, rec, err); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the export behind line %d: %w", n, err)
	}
	return nil
}

func parseRecord(line []byte) (*Record, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	if len(members) != 1 {
		return nil, fmt.Errorf("a line is an object with one member, this has %d", len(members))
	}
	rec := new(Record)
	if err := json.Unmarshal(line, rec); err != nil {
		return nil, err
	}
	if rec.empty() {
		return nil, errors.New("the line's member is none that an export has")
	}
	return rec, nil
}
