package capture

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// copyRows are the rows of one table on their way. It adds up what passes.
type copyRows struct {
	table   *copyTable
	rows    *sql.Rows
	strict  bool // refuse text that PostgreSQL can't hold
	cells   []any
	into    []any
	values  []any
	failed  error
	count   int64
	sums    []int64 // by column
	digest  [4]uint64
	scratch []byte
}

var _ pgx.CopyFromSource = (*copyRows)(nil)

func newCopyRows(t *copyTable, rows *sql.Rows) *copyRows {
	n := len(t.columns)
	r := &copyRows{table: t, rows: rows, cells: make([]any, n), into: make([]any, n), values: make([]any, n), sums: make([]int64, n)}
	for i := range r.cells {
		r.into[i] = &r.cells[i]
	}
	return r
}

// Next reads the next row into Values. After false, failed says whether that was the end.
func (r *copyRows) Next() bool {
	if r.failed != nil || !r.rows.Next() {
		r.failed = errors.Join(r.failed, r.rows.Err())
		return false
	}
	if r.failed = r.rows.Scan(r.into...); r.failed != nil {
		return false
	}
	for i, c := range r.table.columns {
		if r.values[i], r.failed = convert(c.kind, r.cells[i]); r.failed == nil && r.strict {
			r.failed = holdable(r.values[i])
		}
		if r.failed != nil {
			r.failed = fmt.Errorf("%s of the row %s: %w", c.name, r.key(), r.failed)
			return false
		}
		if n, ok := r.values[i].(int64); ok && isMoney(c.name) {
			r.sums[i] += n
		}
	}
	r.count++
	r.addDigest()
	return true
}

// Values is the row, in Go's types, times in UTC; the slice is the reader's.
func (r *copyRows) Values() ([]any, error) { return r.values, nil }

// Err is what stopped the reading, for pgx.
func (r *copyRows) Err() error { return r.failed }

func (r *copyRows) close() { r.rows.Close() }

// key names the row for an operator.
func (r *copyRows) key() string {
	var parts []string
	for i, c := range r.table.columns {
		if c.key {
			parts = append(parts, fmt.Sprintf("%s=%q", c.name, fmt.Sprint(r.cells[i])))
		}
	}
	return strings.Join(parts, " ")
}

func isMoney(column string) bool { return strings.HasSuffix(column, "_micro_usd") }

// total is what has passed.
func (r *copyRows) total() CopiedTable {
	c := CopiedTable{Table: r.table.name, Rows: r.count}
	for i, column := range r.table.columns {
		if isMoney(column.name) {
			c.Sums = append(c.Sums, Sum{column.name, r.sums[i]})
		}
	}
	var sum [32]byte
	for i, word := range r.digest {
		binary.BigEndian.PutUint64(sum[8*i:], word)
	}
	c.Digest = hex.EncodeToString(sum[:])
	return c
}

// addDigest adds the row's SHA-256, as a number, to the table's. Every value is written with its kind and length, so
// that no two different rows are written alike.
func (r *copyRows) addDigest() {
	b := r.scratch[:0]
	for _, v := range r.values {
		switch v := v.(type) {
		case nil:
			b = append(b, 0)
		case string:
			b = append(binary.AppendUvarint(append(b, 1), uint64(len(v))), v...)
		case int64:
			b = binary.AppendVarint(append(b, 2), v)
		case bool:
			b = append(b, 3, byteOf(v))
		case time.Time:
			b = binary.AppendVarint(append(b, 4), v.UnixMicro())
		case []byte:
			b = append(binary.AppendUvarint(append(b, 5), uint64(len(v))), v...)
		}
	}
	r.scratch = b
	sum := sha256.Sum256(b)
	var carry uint64
	for i := 3; i >= 0; i-- {
		r.digest[i], carry = bits.Add64(r.digest[i], binary.BigEndian.Uint64(sum[8*i:]), carry)
	}
}

func byteOf(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// convert turns what a driver gave into the one Go type of the column's kind. NULL stays nil.
func convert(kind columnKind, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch kind {
	case kindText:
		switch v := v.(type) {
		case string:
			return v, nil
		case []byte:
			return string(v), nil
		}
	case kindInt:
		if n, ok := v.(int64); ok {
			return n, nil
		}
	case kindBool:
		switch v := v.(type) {
		case bool:
			return v, nil
		case int64:
			if v == 0 || v == 1 {
				return v == 1, nil
			}
		}
	case kindTime:
		switch v := v.(type) {
		case time.Time:
			return v.UTC().Truncate(time.Microsecond), nil
		case string:
			t, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", v)
			if err != nil {
				return nil, err
			}
			return t.UTC().Truncate(time.Microsecond), nil
		}
	case kindBytes:
		switch v := v.(type) {
		case []byte:
			return v, nil
		case string:
			return []byte(v), nil
		}
	}
	return nil, fmt.Errorf("a %T is not what the column should hold", v)
}

// errNotText is why a row can't go to PostgreSQL as it is. It is not changed on the way: what is signed or hashed would
// not verify any more.
var errNotText = errors.New("it has bytes that PostgreSQL's text can't hold (a zero byte, or what is not UTF-8): mend the row in the source first")

func holdable(v any) error {
	if s, ok := v.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
		return errNotText
	}
	return nil
}
