package simulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// inputReader walks a conversation of items: it checks it, counts it and keeps what the answer needs of its end.
type inputReader struct {
	a       *ask
	model   string // without directives
	store   bool
	size    int      // tokens so far
	replied bool     // the assistant has spoken before
	pending []string // ids of calls that want an output
	thought string   // the id of a reasoning item that wants something to follow it
}

// takeInput reads the input: a text, or items.
func (f *responsesBody) takeInput(a *ask) *failure {
	r := inputReader{a: a, store: !f.store.Exists() || f.store.Bool(), size: tokens(f.tools.Raw) + tokens(f.instructions.Str)}
	r.model, _, _ = strings.Cut(a.model, "?")
	switch {
	case f.input.Type == gjson.String:
		a.text = f.input.Str
		a.prompt.total = r.size + 3 + tokens(a.text)
		return nil
	case !f.input.IsArray():
		return invalidParam("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	}
	before := 0
	items := f.input.Array()
	for i, it := range items {
		before = r.size
		if !operators(it.Get("role").Str) {
			a.images, a.documents, a.text = 0, 0, ""
		}
		if e := r.item(fmt.Sprintf("input[%d]", i), it); e != nil {
			return e
		}
	}
	if len(r.pending) > 0 {
		return invalidParam("input", "", "No tool output found for function call "+r.pending[0]+".")
	}
	if r.thought != "" {
		return unfollowed(r.thought)
	}
	a.prompt.total = r.size
	if r.replied && before >= cacheLeast {
		a.prompt.cacheRead = before / cacheStep * cacheStep
	}
	return nil
}

func unfollowed(id string) *failure {
	return invalidParam("input", "", "Item '"+id+"' of type 'reasoning' was provided without its required following item.")
}

func (r *inputReader) item(at string, it gjson.Result) *failure {
	kind := it.Get("type").Str
	if kind == "" && it.Get("role").Exists() {
		kind = "message"
	}
	if own := kind == "function_call" || kind == "reasoning" || kind == "message" && it.Get("role").Str == "assistant"; own {
		r.replied, r.a.results = true, nil
	} else if r.thought != "" {
		return unfollowed(r.thought)
	}
	switch kind {
	case "message":
		return r.message(at, it)
	case "reasoning":
		return r.reasoning(at, it)
	case "function_call":
		return r.functionCall(at, it)
	case "function_call_output":
		return r.output(at, it)
	}
	return invalidParam(at, "invalid_value", "Invalid value: '"+kind+"'. Supported values are: 'function_call', 'function_call_output', 'message', and 'reasoning'.")
}

func (r *inputReader) message(at string, it gjson.Result) *failure {
	role, content := it.Get("role").Str, it.Get("content")
	want := "input_text"
	switch role {
	case "user", "system", "developer":
	case "assistant":
		want, r.thought = "output_text", ""
	default:
		return invalidParam(at+".role", "invalid_value", "Invalid value: '"+role+"'. Supported values are: 'assistant', 'system', 'developer', and 'user'.")
	}
	r.size += 3 + tokens(plainText(content))
	if role == "user" {
		r.a.text = plainText(content)
	}
	return r.parts(at+".content", content, want)
}

// parts checks the parts of a message or an output. want is what its texts are called.
func (r *inputReader) parts(at string, content gjson.Result, want string) (e *failure) {
	if !content.IsArray() {
		return nil
	}
	for i, part := range content.Array() {
		at := fmt.Sprintf("%s[%d]", at, i)
		kind := part.Get("type").Str
		switch {
		case kind == want:
		case kind == "refusal" && want == "output_text":
		case kind == "input_image" && want == "input_text":
			url := part.Get("image_url").Str
			data, inline := strings.CutPrefix(url, "data:image/")
			_, data, _ = strings.Cut(data, ";base64,")
			if inline && !base64Begins(data) || !inline && !strings.HasPrefix(url, "http") {
				return invalidParam(at+".image_url", "invalid_value", "Invalid '"+at+".image_url'. Expected a valid URL, but got a value with an invalid format.")
			}
			r.a.images++
			r.size += imageTokens
		case kind == "input_file" && want == "input_text":
			if part.Get("file_data").Str == "" && part.Get("file_url").Str == "" {
				return invalidParam(at, "", "The file has neither 'file_data' nor 'file_url'; the simulated vendor keeps no files.")
			}
			r.a.documents++
			r.size += imageTokens
		default:
			return invalidParam(at, "invalid_value", "Invalid value: '"+kind+"'. Supported values are: '"+want+"' and others.")
		}
	}
	return nil
}

// reasoning checks that the item is one that this model has made, since it is stored nowhere.
func (r *inputReader) reasoning(at string, it gjson.Result) *failure {
	id, sealed := it.Get("id").Str, it.Get("encrypted_content").Str
	switch {
	case !it.Get("summary").IsArray():
		return invalidParam(at+".summary", "missing_required_parameter", "Missing required parameter: '"+at+".summary'.")
	case sealed == "" && !r.store:
		e := invalidParam("input", "", "Item with id '"+id+"' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.")
		e.status = 404
		return e
	case !unseal(r.model, sealed):
		return invalidParam("input", "invalid_encrypted_content", "The encrypted content for item "+id+" could not be verified. Reason: Encrypted content could not be decrypted or parsed.")
	}
	r.thought = id
	r.size += tokens(sealed)
	return nil
}

func (r *inputReader) functionCall(at string, it gjson.Result) *failure {
	r.thought = ""
	for _, key := range [...]string{"call_id", "name", "arguments"} {
		if it.Get(key).Type != gjson.String {
			return invalidParam(at+"."+key, "invalid_type", "Invalid type for '"+at+"."+key+"': expected a string.")
		}
	}
	r.pending = append(r.pending, it.Get("call_id").Str)
	r.size += tokens(it.Get("name").Str) + tokens(it.Get("arguments").Str)
	return nil
}

func (r *inputReader) output(at string, it gjson.Result) *failure {
	id, output := it.Get("call_id").Str, it.Get("output")
	i := slices.Index(r.pending, id)
	if i < 0 {
		return invalidParam("input", "", "No tool call found for function call output with call_id "+id+".")
	}
	r.pending = slices.Delete(r.pending, i, i+1)
	if output.Type != gjson.String && !output.IsArray() {
		return invalidParam(at+".output", "invalid_type", "Invalid type for '"+at+".output': expected one of an array of objects or string.")
	}
	text := plainText(output)
	r.a.results = append(r.a.results, text)
	r.size += 3 + tokens(text)
	return r.parts(at+".output", output, "input_text")
}
