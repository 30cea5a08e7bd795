package simulator

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxBody is what the vendors take; a larger one is a 413.
const maxBody = 32 << 20

// operation is what a path asks for.
type operation uint8

const (
	opNone operation = iota
	opChat
	opCount
	opModels
)

// dialect is one vendor's wire format. The append functions return the extended buffer.
type dialect interface {
	name() string
	operation(method, path string) operation
	authorized(http.Header) bool
	setHeaders(h http.Header, requestID string)
	// parse checks a body as the vendor does. The text and the model of its ask still carry their directives.
	parse(r *http.Request, body gjson.Result, op operation) (*ask, *failure)

	stream(o *outlet, a *ask, ans *answer)
	appendDocument(b []byte, a *ask, ans *answer) []byte
	// appendCount is the answer to opCount; it is not called for a dialect that has no such operation.
	appendCount(b []byte, tokens int) []byte
	appendModels(b []byte, models []string) []byte
	appendError(b []byte, e *failure, requestID string) []byte
	appendErrorEvent(b []byte, e *failure) []byte
	appendHeartbeat(b []byte) []byte
	// setFailureHeaders makes an error's headers the vendor's.
	setFailureHeaders(h http.Header, e *failure)
}

var (
	_ dialect = anthropic{}
	_ dialect = openai{}
	_ dialect = responses{}
	_ dialect = gemini{}
)

// An addressed dialect has the model's name in its path and not in the body.
type addressed interface{ model(r *http.Request) string }

// handler serves one dialect: check the request, decide its fault, compose the answer, write it at its pace.
type handler struct {
	server  *Server
	dialect dialect
}

// outcome is how a call ended, for the book.
type outcome struct {
	status int
	gone   bool // the client left
	cut    bool // the connection is to be broken
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := h.dialect.operation(r.Method, r.URL.Path)
	e := failures["not_found"]
	switch {
	case op == opNone:
		e.message, e.geminiMessage, e.openaiMessage = "Not found", "", "Unknown request URL: "+r.Method+" "+r.URL.Path
		h.fail(w, &e, &Fault{}, "")
	case !h.dialect.authorized(r.Header):
		e = failures["authentication"]
		e.message = "x-api-key header is required"
		e.geminiMessage = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."
		e.openaiMessage, e.code = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.", ""
		h.fail(w, &e, &Fault{}, "")
	case op == opModels:
		h.dialect.setHeaders(w.Header(), "")
		writeJSON(w, http.StatusOK, h.dialect.appendModels(nil, h.server.opt.Models))
	default:
		h.serveCall(w, r, op)
	}
}

// bodies holds the buffers that requests are read into.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (h *handler) serveCall(w http.ResponseWriter, r *http.Request, op operation) {
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	defer bodies.Put(buf)
	n, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		panic(http.ErrAbortHandler) // the client left while it was still talking
	}
	if n > maxBody {
		e := failures["too_large"]
		h.fail(w, &e, &Fault{}, "")
		return
	}
	body := gjson.ParseBytes(buf.Bytes())
	model := body.Get("model").Str
	if d, ok := h.dialect.(addressed); ok {
		model = d.model(r)
	}
	call := h.server.book.begin(h.dialect.name(), r, model, buf.Bytes())
	out := h.answer(w, r, op, body, utf8.Valid(buf.Bytes()) && gjson.ValidBytes(buf.Bytes()))
	out.gone = out.gone || r.Context().Err() != nil
	h.server.book.finish(call, out.status, out.gone)
	if log := h.server.log; log.IsDebug() {
		log.Debug("simulated call", "dialect", h.dialect.name(), "path", r.URL.Path, "status", out.status, "client-left", out.gone)
	}
	if out.cut || out.gone {
		// Returning would have net/http end the answer properly, as an empty 200 where nothing was sent.
		panic(http.ErrAbortHandler)
	}
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, op operation, body gjson.Result, valid bool) outcome {
	if !valid || !body.IsObject() {
		return h.refuse(w, body, invalid("The request body is not valid JSON"))
	}
	a, e := h.dialect.parse(r, body, op)
	if e != nil {
		return h.refuse(w, body, e)
	}
	if err := h.settle(r, a); err != nil {
		return h.refuse(w, body, invalid(err.Error()))
	}
	a.key ^= h.server.opt.Seed * 0x9E3779B97F4A7C15
	requestID := id("req_sim", a.key, requestIDs)
	o := h.outlet(w, r, a)
	switch f := a.fault; {
	case f.Silent:
		return outcome{gone: !o.wait(forever)}
	case f.refuses():
		if !o.wait(o.first) {
			return outcome{gone: true}
		}
		return h.fail(w, f.failure(), f, requestID)
	case op == opCount:
		h.dialect.setHeaders(w.Header(), requestID)
		return writeJSON(w, http.StatusOK, h.dialect.appendCount(nil, a.prompt.total))
	}
	ans := compose(a, a.fault)
	h.dialect.setHeaders(w.Header(), requestID)
	if a.stream {
		w.Header()["Content-Type"] = eventStream
		h.dialect.stream(o, a, ans)
		if len(o.buf) > 0 {
			o.flush()
		}
		return outcome{status: http.StatusOK, gone: o.gone, cut: o.cut}
	}
	return h.document(w, o, a, ans)
}

// requestIDs numbers the id of a request apart from those of the message, which is 0, and of its calls, which follow.
const requestIDs = -2

// settle decides the fault of the call: the script's, else what model, text and header say, the later over the earlier.
func (h *handler) settle(r *http.Request, a *ask) (err error) {
	a.fault = &Fault{}
	if a.model, err = takeModel(a.model, a.fault); err != nil {
		return err
	}
	if a.text, err = takeDirectives(withoutReminders(a.text), a.fault); err != nil {
		return err
	}
	if words := r.Header.Get(Header); words != "" {
		if err = a.fault.apply(words); err != nil {
			return err
		}
	}
	if f := h.server.script.decide(h.dialect.name(), r, a); f != nil {
		a.fault = f
	}
	return nil
}

func (h *handler) outlet(w http.ResponseWriter, r *http.Request, a *ask) *outlet {
	pace := func(own, other time.Duration) time.Duration {
		if own != 0 {
			return own
		}
		return other
	}
	return &outlet{
		w: w, ctx: r.Context(), closed: h.server.closed, wire: h.dialect, fault: a.fault,
		first: pace(a.fault.First, h.server.opt.FirstByte), gap: pace(a.fault.Between, h.server.opt.Between),
	}
}

// document writes an answer that is not streamed. It takes as long as the stream would, and breaks where that breaks.
func (h *handler) document(w http.ResponseWriter, o *outlet, a *ask, ans *answer) outcome {
	took := max(o.first, 0) + max(a.fault.Stall, 0)
	if o.gap > 0 {
		took += o.gap * time.Duration(ans.countPieces()-1)
	}
	if !o.wait(took) {
		return outcome{gone: true}
	}
	body := h.dialect.appendDocument(make([]byte, 0, 1024+len(ans.text)), a, ans)
	switch a.fault.Break {
	case BreakError:
		return h.fail(w, a.fault.failure(), a.fault, "")
	case BreakCut, BreakTorn:
		w.Header()["Content-Type"] = jsonType
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		o.buf = body[:len(body)/2]
		o.flush()
		return outcome{status: http.StatusOK, cut: true}
	case BreakEnd:
		return writeJSON(w, http.StatusOK, body[:len(body)/2])
	case BreakSilent:
		w.Header()["Content-Type"] = jsonType
		o.flush()
		return outcome{status: http.StatusOK, gone: !o.wait(forever)}
	}
	return writeJSON(w, http.StatusOK, body)
}

// refuse answers a body that did not pass.
func (h *handler) refuse(w http.ResponseWriter, body gjson.Result, e *failure) outcome {
	return h.fail(w, e, &Fault{}, id("req_sim", sum(h.server.opt.Seed, body.Raw), 0))
}

// fail writes an error, or what the fault has in its place.
func (h *handler) fail(w http.ResponseWriter, e *failure, f *Fault, requestID string) outcome {
	header := w.Header()
	h.dialect.setHeaders(header, requestID)
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	h.dialect.setFailureHeaders(header, e)
	if f.ShouldRetry != "" {
		header.Set("X-Should-Retry", f.ShouldRetry)
	}
	switch f.Body {
	case "html":
		header["Content-Type"] = []string{"text/html"}
		w.WriteHeader(e.status)
		_, err := io.WriteString(w, proxyPage)
		return outcome{status: e.status, gone: err != nil}
	case "empty":
		w.WriteHeader(e.status)
		return outcome{status: e.status}
	}
	return writeJSON(w, e.status, h.dialect.appendError(nil, e, requestID))
}

const proxyPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulated</center>\r\n</body>\r\n</html>\r\n"

// Header values that never change, shared by every response.
var (
	jsonType    = []string{"application/json"}
	eventStream = []string{"text/event-stream; charset=utf-8"}
)

func writeJSON(w http.ResponseWriter, status int, body []byte) outcome {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return outcome{status: status, gone: err != nil}
}
