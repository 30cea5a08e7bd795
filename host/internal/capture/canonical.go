package capture

import (
	"strconv"

	"github.com/ainfera-ai/router/host/internal/proof"
)

// An object writes one canonical JSON object without a detour over maps. Its user adds the keys in order of code point;
// a test holds every user to that.
type object struct{ b []byte }

func newObject(size int) *object {
	return &object{b: append(make([]byte, 0, size), '{')}
}

func (o *object) key(k string) {
	if len(o.b) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), k...), '"', ':')
}

// text adds a string; opt adds one only when there is one.
func (o *object) text(k, v string) {
	o.key(k)
	o.b = proof.AppendString(o.b, v)
}

func (o *object) opt(k, v string) {
	if v != "" {
		o.text(k, v)
	}
}

func (o *object) num(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *object) flag(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
}

// raw adds a value that is canonical JSON already.
func (o *object) raw(k string, v []byte) {
	o.key(k)
	o.b = append(o.b, v...)
}

// end closes the object, which must not be used any more.
func (o *object) end() []byte { return append(o.b, '}') }
