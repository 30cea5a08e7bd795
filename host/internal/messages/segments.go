package messages

import (
	"strconv"

	"github.com/ainfera-ai/router/sdk/abi"
)

// EditSegments is Edit for a guest: the data of large base64 sources (above 1 KiB) is replaced by the string
// "ainfera-ref:N", too. refs[N] is what stood there, the text between the quotes, escapes and all: it may be put into
// another JSON string as it is. The refs alias the caller's body.
func (r *Request) EditSegments(s EditSpec) (body []byte, refs [][]byte, edits []Edit) {
	e := editor{r: r}
	e.run(s)
	for n, v := range r.refs { // one that lies in what is taken out keeps its number
		refs = append(refs, r.body[v.from+1:v.to-1:v.to-1])
		e.cuts.replace(element{v.from + 1, v.to - 1}, strconv.AppendInt([]byte(abi.RefPrefix), int64(n), 10))
	}
	return e.cuts.apply(r.body), refs, e.edits
}
