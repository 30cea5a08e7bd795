package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Limits of a tool's schema with its references written out, which can be far larger than as it came.
const (
	maxSchemas     = 10000
	maxSchemaDepth = 64
)

// A cleaner writes one tool's schema as the vendor's Schema, a part of OpenAPI's: a single field that it doesn't know
// makes the vendor refuse the whole request. A constraint that can't be said is listed as dropped; model and caller lose
// the check, not the tool.
type cleaner struct {
	t    *translation
	root jscan.Value
	refs []string // the references that lead to where it is
	left int      // of maxSchemas
}

// parameters writes a tool's schema. A tool without parameters has none: an object without properties is refused as well.
func (t *translation) parameters(schema jscan.Value) {
	c := cleaner{t: t, root: schema, left: maxSchemas}
	var n node
	c.read(&n, schema, true)
	c.open(&n, true)
	if len(n.properties) == 0 {
		return
	}
	n.kind, n.kinds, n.nullable = "object", nil, false
	t.b = jwrite.AppendKey(t.b, "parameters")
	c.write(&n, 0)
}

// schema writes a schema inside another. A choice has what its node says of all of them: the type, the description, and
// that it can be null.
func (c *cleaner) schema(v jscan.Value, outer *node, depth int) {
	if depth > maxSchemaDepth {
		c.lost("properties")
		c.t.b = append(c.t.b, `{"type":"object"}`...)
		return
	}
	var n node
	c.read(&n, v, true)
	c.open(&n, false)
	if outer != nil {
		n.nullable = n.nullable || outer.nullable
		if n.kind == "" && len(n.choices) == 0 {
			n.kind = outer.kind
		}
		if n.keep[keptDescription].IsNull() {
			n.keep[keptDescription] = outer.keep[keptDescription]
		}
	}
	c.write(&n, depth)
	c.refs = c.refs[:len(c.refs)-n.refs]
}

// open settles the choices of a node: null among them makes it nullable, one that is left is the node itself. Schema has
// choices or properties, not both, and a tool's parameters are always an object: there the choices' properties are
// added to the node's, and that only some go together is lost.
func (c *cleaner) open(n *node, root bool) {
	for c.t.err == nil && len(n.choices) > 0 {
		var left []jscan.Value
		for _, s := range n.choices {
			if s.Get("type").Equal("null") {
				n.nullable = true
			} else {
				left = append(left, s)
			}
		}
		n.choices = nil
		switch {
		case len(left) == 1:
			c.read(n, left[0], true)
		case len(left) > 1 && (root || len(n.properties) > 0):
			for _, s := range left {
				c.read(n, s, false)
			}
			c.lost("anyOf")
		default:
			n.choices = left
			return
		}
	}
}

// lost lists a field of the schema that had to go.
func (c *cleaner) lost(key string) { c.t.out.Dropped("tools.input_schema." + key) }

// write writes a node. Where there is a choice the vendor wants no other field beside it.
func (c *cleaner) write(n *node, depth int) {
	b := &c.t.b
	switch {
	case c.t.err != nil:
	case len(n.choices) > 0:
		c.beside(n)
		*b = append(*b, `{"anyOf":[`...)
		for _, s := range n.choices {
			*b = jwrite.AppendComma(*b)
			c.schema(s, n, depth+1)
		}
		*b = append(*b, "]}"...)
	case len(n.kinds) > 0:
		*b = append(*b, `{"anyOf":[`...)
		for _, kind := range append([]string{n.kind}, n.kinds...) {
			one := *n
			one.kind, one.kinds = kind, nil
			*b = jwrite.AppendComma(*b)
			c.single(&one, depth)
		}
		*b = append(*b, "]}"...)
	default:
		c.single(n, depth)
	}
}

// beside lists what a node with choices says of all of them, and can't.
func (c *cleaner) beside(n *node) {
	if len(n.enum) > 0 {
		c.lost("enum")
	}
	if n.items != nil {
		c.lost("items")
	}
	for i, v := range n.keep {
		if i > keptDescription && !v.IsNull() {
			c.lost(keptKeys[i])
		}
	}
}

// single writes a node that has one type, given or not.
func (c *cleaner) single(n *node, depth int) {
	n.settle()
	b := &c.t.b
	*b = jwrite.AppendString(append(*b, `{"type":`...), n.kind)
	if n.nullable {
		*b = jwrite.AppendBool(jwrite.AppendKey(*b, "nullable"), true)
	}
	if slices.Contains(formats[n.kind], n.format.String()) {
		*b = append(jwrite.AppendKey(*b, "format"), n.format...)
	}
	c.kept(n)
	if n.kind == "string" && len(n.enum) > 0 {
		*b = append(jwrite.AppendKey(*b, "enum"), '[')
		for _, v := range n.enum {
			*b = append(jwrite.AppendComma(*b), v...)
		}
		*b = append(*b, ']')
	}
	if n.kind == "array" {
		*b = jwrite.AppendKey(*b, "items")
		if n.items.Kind() == jscan.Array { // a tuple, as drafts before 2020 had it
			c.lost("items")
			n.items = nil
		}
		c.schema(n.items, nil, depth+1)
	}
	if n.kind == "object" && len(n.properties) > 0 {
		c.properties(n, depth)
	}
	*b = append(*b, '}')
}

// kept writes the fields that stay as they are.
func (c *cleaner) kept(n *node) {
	b := &c.t.b
	for i, v := range n.keep {
		switch key := keptKeys[i]; {
		case i == keptDescription && (n.note != "" || v.Kind() == jscan.String):
			*b = append(append(jwrite.AppendKey(*b, key), '"'), v.Escaped()...)
			if n.note != "" && len(v.Escaped()) > 0 {
				*b = append(*b, `\n`...)
			}
			*b = append(append(*b, n.note...), '"')
		case v.IsNull():
		case i >= firstNumber && v.Kind() != jscan.Number:
			c.lost(key)
		default:
			*b = append(jwrite.AppendKey(*b, key), v...)
		}
	}
}

func (c *cleaner) properties(n *node, depth int) {
	b := &c.t.b
	*b = append(jwrite.AppendKey(*b, "properties"), '{')
	for _, p := range n.properties {
		if c.t.err != nil {
			return
		}
		*b = append(append(append(jwrite.AppendComma(*b), '"'), p.key...), `":`...)
		c.schema(p.schema, nil, depth+1)
	}
	*b = append(*b, '}')
	first := true
	for i, key := range n.required { // one that isn't defined, or is there twice, is refused
		defined := slices.ContainsFunc(n.properties, func(p property) bool { return p.key == key })
		if !defined || slices.Contains(n.required[:i], key) {
			continue
		}
		if first {
			*b = append(jwrite.AppendKey(*b, "required"), '[')
		}
		first = false
		*b = append(append(append(jwrite.AppendComma(*b), '"'), key...), '"')
	}
	if !first {
		*b = append(*b, ']')
	}
}

// follow adds what a reference leads to. One that leads back to where it stands can't be written out: it is any object.
func (c *cleaner) follow(n *node, ref jscan.Value, requires bool) {
	path := ref.String()
	target, ok := resolve(c.root, path)
	if slices.Contains(c.refs[len(c.refs)-n.refs:], path) {
		return // it is in the node already
	}
	if !ok || slices.Contains(c.refs, path) || len(c.refs) >= maxSchemaDepth {
		c.lost("$ref")
		n.types(jscan.Value(`"object"`))
		return
	}
	c.refs = append(c.refs, path)
	n.refs++
	c.read(n, target, requires)
}

// resolve finds what a reference into the same document names.
func resolve(root jscan.Value, ref string) (v jscan.Value, ok bool) {
	path, local := strings.CutPrefix(ref, "#")
	if !local || path != "" && path[0] != '/' {
		return nil, false
	}
	v = root
	for path != "" {
		var step string
		step, path, _ = strings.Cut(path[1:], "/")
		if path != "" {
			path = "/" + path
		}
		step = strings.ReplaceAll(strings.ReplaceAll(unescaped(step), "~1", "/"), "~0", "~")
		if v.Kind() == jscan.Array {
			i, err := strconv.Atoi(step)
			if err != nil {
				return nil, false
			}
			v = v.At(i)
		} else {
			v = v.Get(step)
		}
	}
	return v, v != nil
}

// unescaped is a piece of a URI's fragment without its percent escapes. A percent sign that is no escape stays.
func unescaped(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// read adds a schema to a node. Where several are read into one without all of them holding, requires is false.
func (c *cleaner) read(n *node, v jscan.Value, requires bool) {
	if c.left--; c.left < 0 {
		c.t.refuse(sdk.Unsupported("a tool's schema is too large for this vendor once its references are written out"))
		return
	}
	var exclusiveMin, exclusiveMax, ref, all jscan.Value
	for key, f := range v.Fields() {
		switch k := string(key); k {
		case "type":
			n.types(f)
		case "nullable":
			n.nullable = n.nullable || f.Bool()
		case "format":
			n.format = f
		case "enum":
			for e := range f.Items() {
				n.enum = append(n.enum, e)
			}
		case "const":
			n.enum = append(n.enum, f)
		case "items":
			n.items = f
		case "properties":
			n.add(f)
		case "required":
			for r := range f.Items() {
				if requires {
					n.required = append(n.required, escaped([]byte(r.String())))
				}
			}
		case "anyOf", "oneOf":
			for s := range f.Items() {
				n.choices = append(n.choices, s)
			}
		case "allOf":
			all = f
		case "$ref":
			ref = f
		case "exclusiveMinimum":
			exclusiveMin = f
		case "exclusiveMaximum":
			exclusiveMax = f
		default:
			if i := slices.Index(keptKeys[:], k); i >= 0 {
				if n.keep[i].IsNull() {
					n.keep[i] = f
				}
			} else if !slices.Contains(annotations, k) && !f.IsNull() {
				c.lost(k)
			}
		}
	}
	if ref != nil { // after what stands beside it, which counts more
		c.follow(n, ref, requires)
	}
	for s := range all.Items() {
		c.read(n, s, requires)
	}
	if !n.bound(keptMinimum, exclusiveMin, 1) {
		c.lost("exclusiveMinimum")
	}
	if !n.bound(keptMaximum, exclusiveMax, -1) {
		c.lost("exclusiveMaximum")
	}
}
