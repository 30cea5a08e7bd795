package gateway

import (
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/tidwall/gjson"
)

var inPath = regexp.MustCompile(`\{[^}]*\}`)

// documented are the document's operations, each as "GET /v1/x/{}".
func documented(t *testing.T) map[string]gjson.Result {
	t.Helper()
	if !gjson.ValidBytes(openapiDocument) {
		t.Fatal("openapi.json is not JSON")
	}
	ops := map[string]gjson.Result{}
	gjson.GetBytes(openapiDocument, "paths").ForEach(func(path, item gjson.Result) bool {
		item.ForEach(func(method, op gjson.Result) bool {
			ops[strings.ToUpper(method.Str)+" "+inPath.ReplaceAllString(path.Str, "{}")] = op
			for _, name := range inPath.FindAllString(path.Str, -1) {
				found := false
				for _, p := range op.Get("parameters").Array() {
					p = resolve(t, p)
					found = found || p.Get("in").Str == "path" && "{"+p.Get("name").Str+"}" == name && p.Get("required").Bool()
				}
				if !found {
					t.Errorf("%s %s does not say what %s is", method.Str, path.Str, name)
				}
			}
			return true
		})
		return true
	})
	return ops
}

// resolve follows a $ref.
func resolve(t *testing.T, v gjson.Result) gjson.Result {
	t.Helper()
	at := v.Get("$ref").Str
	if at == "" {
		return v
	}
	name, ok := strings.CutPrefix(at, "#/")
	to := gjson.GetBytes(openapiDocument, strings.ReplaceAll(name, "/", "."))
	if !ok || !to.Exists() {
		t.Errorf("%s leads nowhere", at)
	}
	return to
}

// TestOpenAPIIsTheRoutes walks the routes and the document, each held to the other.
func TestOpenAPIIsTheRoutes(t *testing.T) {
	ops := documented(t)
	routed := map[string]bool{}
	err := newRig(t).server.router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return err
		}
		for _, m := range methods {
			routed[m+" "+inPath.ReplaceAllString(path, "{}")] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for op := range routed {
		if !ops[op].Exists() {
			t.Errorf("%s is not in openapi.json", op)
		}
	}
	for op := range ops {
		if !routed[op] {
			t.Errorf("openapi.json has %s, which is not routed", op)
		}
	}
}

// TestOpenAPIHoldsTogether checks what the document says of itself: references, names, and that everything that takes a
// key says how.
func TestOpenAPIHoldsTogether(t *testing.T) {
	ids := map[string]bool{}
	for name, op := range documented(t) {
		id := op.Get("operationId").Str
		if id == "" || ids[id] || op.Get("summary").Str == "" {
			t.Errorf("%s: operationId %q, summary %q", name, id, op.Get("summary").Str)
		}
		ids[id] = true
		if !op.Get("responses.200").Exists() && !op.Get("responses.201").Exists() {
			t.Errorf("%s has no answer", name)
		}
	}
	schemes := gjson.GetBytes(openapiDocument, "components.securitySchemes")
	used := map[string]bool{}
	var walk func(v gjson.Result)
	walk = func(v gjson.Result) {
		v.ForEach(func(k, inner gjson.Result) bool {
			if k.Str == "$ref" {
				used[inner.Str] = true
				resolve(t, v)
			}
			if k.Str == "security" {
				for _, need := range inner.Array() {
					for scheme := range need.Map() {
						if !schemes.Get(scheme).Exists() {
							t.Errorf("no security scheme %s", scheme)
						}
					}
				}
			}
			if inner.IsObject() || inner.IsArray() {
				walk(inner)
			}
			return true
		})
	}
	walk(gjson.ParseBytes(openapiDocument))
	for _, kind := range []string{"schemas", "parameters", "headers", "responses"} {
		for name := range gjson.GetBytes(openapiDocument, "components."+kind).Map() {
			if !used["#/components/"+kind+"/"+name] {
				t.Errorf("components.%s.%s is used nowhere", kind, name)
			}
		}
	}
}

// TestOpenAPISaysWhatIsAnswered holds the document's headers and fields to answers.
func TestOpenAPISaysWhatIsAnswered(t *testing.T) {
	r := newRig(t)
	r.guests["v"].dropped = []string{"metadata"}
	r.serve("v1", answer(200, wholeAnswer))
	ops := documented(t)
	for _, path := range []string{"/v1/messages", "/v1/chat/completions", "/v1/inference"} {
		for body, status := range map[string]string{`{"model":"v1","max_tokens":99999,"messages":[{"role":"user","content":"hi"}]}`: "200", `{"model":"nobody","messages":[{"role":"user","content":"x"}]}`: "404"} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", r.http.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", r.key)
			req.Header.Set(idempotencyKey, "k"+status)
			resp, text := r.do(req)
			if status == "200" { // once more, for what is said of a repeat
				req.Body = io.NopCloser(strings.NewReader(body))
				if resp, text = r.do(req); resp.Header.Get("X-Ainfera-Replayed") == "" {
					t.Errorf("%s: no repeat: %v", path, resp.Header)
				}
			}
			said := resolve(t, ops["POST "+path].Get("responses."+status))
			var names []string
			for name := range said.Get("headers").Map() {
				names = append(names, name)
			}
			for name := range resp.Header {
				if low := strings.ToLower(name); (strings.HasPrefix(low, "x-ainfera-") || strings.HasSuffix(low, "request-id")) && status == "200" && !slices.Contains(names, low) {
					t.Errorf("%s answers %s, which the document has not", path, low)
				}
			}
			holds(t, path+" "+status, resolve(t, said.Get(`content.application/json.schema`)), gjson.Parse(text))
		}
	}
}

// TestOpenAPIHasTheCodes holds the document's codes to those that there are.
func TestOpenAPIHasTheCodes(t *testing.T) {
	var said []string
	for _, code := range gjson.GetBytes(openapiDocument, "components.schemas.ErrorCode.examples").Array() {
		said = append(said, code.Str)
	}
	if want := slices.Sorted(maps.Keys(statuses)); !slices.Equal(said, want) {
		t.Errorf("openapi.json has %q, want %q", said, want)
	}
}

// TestOpenAPISaysWhatRecordsHold holds the document's fields to what an agent reads of itself.
func TestOpenAPISaysWhatRecordsHold(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Proofs = &publisher{} })
	r.serve("v1", answer(200, wholeAnswer))
	resp, _ := r.post(ask("v1", false))
	row := r.row(resp)
	ops := documented(t)
	for op, id := range map[string]string{"/v1/agents/{}": r.agent.ID, "/v1/wallets/{}": r.agent.ID, "/v1/ledger/{}": r.agent.ID, "/v1/audit/{}": r.agent.ID,
		"/v1/audit/{}/verify": r.agent.ID, "/v1/audit/{}/proof": r.agent.ID, "/.well-known/ainfera-public-key.json": "",
		"/.well-known/ainfera-audit-roots.json": "", "/v1/inferences/{}": row.ID, "/v1/receipts/{}": row.ReceiptID, "/v1/inferences/{}/decision": "none"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.http.URL+strings.Replace(op, "{}", id, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", r.key)
		resp, text := r.do(req)
		status := "200"
		if id == "none" {
			status = "404"
		}
		if resp.Status[:3] != status {
			t.Fatalf("%s: got %d %s", op, resp.StatusCode, text)
		}
		said := resolve(t, ops["GET "+op].Get("responses."+status))
		holds(t, op, resolve(t, said.Get(`content.application/json.schema`)), gjson.Parse(text))
	}
}

// holds checks an object's required fields, and that it has no others where the schema is a closed list.
func holds(t *testing.T, what string, schema, v gjson.Result) {
	t.Helper()
	for _, name := range schema.Get("required").Array() {
		if !v.Get(name.Str).Exists() {
			t.Errorf("%s has no %s: %s", what, name.Str, v.Raw)
		}
	}
	v.ForEach(func(k, inner gjson.Result) bool {
		at := schema.Get("properties." + k.Str)
		if !at.Exists() && !schema.Get("additionalProperties").Bool() {
			t.Errorf("%s has %s, which the document has not", what, k.Str)
		}
		switch at = resolve(t, at); at.Get("type").Str {
		case "object":
			if at.Get("properties").Exists() {
				holds(t, what+"."+k.Str, at, inner)
			}
		case "array":
			if item := resolve(t, at.Get("items")); item.Get("properties").Exists() {
				for _, v := range inner.Array() {
					holds(t, what+"."+k.Str, item, v)
				}
			}
		}
		return true
	})
}
