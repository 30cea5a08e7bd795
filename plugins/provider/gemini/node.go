package main

import (
	"slices"

	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// A node is a schema with all that its references and allOf add to it. Of two that say the same the first counts.
type node struct {
	kind       string   // the type, "" when none is given
	kinds      []string // the other types, where there are several
	nullable   bool
	keep       [len(keptKeys)]jscan.Value
	format     jscan.Value
	enum       []jscan.Value
	items      jscan.Value
	properties []property
	required   []string      // as property.key
	choices    []jscan.Value // of anyOf and oneOf
	refs       int           // how many references were followed for it
	note       string        // to add to the description, as it stands between quotes
}

type property struct {
	key    string // as it stands between quotes
	schema jscan.Value
}

// keptKeys are the fields that Schema has under the same name and with the same meaning, in the order in which they are
// written.
var keptKeys = [...]string{"title", "description", "default", "example", "pattern", "minimum", "maximum", "minLength", "maxLength",
	"minItems", "maxItems", "minProperties", "maxProperties"}

const (
	keptDescription = 1
	firstNumber     = 5 // this and all that follow are numbers
	keptMinimum     = 5
	keptMaximum     = 6
)

// annotations say nothing about what is valid, so that nothing is lost with them.
var annotations = []string{"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "examples", "readOnly", "writeOnly",
	"deprecated", "contentEncoding", "contentMediaType", "propertyOrdering"}

// formats are those that Schema has; of any other it refuses the request.
var formats = map[string][]string{
	"string": {"date-time", "enum"}, "integer": {"int32", "int64"}, "number": {"float", "double"},
}

// schemaTypes are the types that Schema has.
var schemaTypes = []string{"string", "number", "integer", "boolean", "array", "object"}

// escaped is a key as it stands between quotes.
func escaped(key []byte) string { return string(jwrite.AppendEscaped(nil, key)) }

// types takes a type or a list of them. null among them is nullable.
func (n *node) types(v jscan.Value) {
	take := func(kind string) {
		switch {
		case kind == "null":
			n.nullable = true
		case kind == "" || kind == n.kind || slices.Contains(n.kinds, kind):
		case n.kind == "":
			n.kind = kind
		default:
			n.kinds = append(n.kinds, kind)
		}
	}
	take(v.String())
	for item := range v.Items() {
		take(item.String())
	}
}

// add adds properties that the node doesn't have yet.
func (n *node) add(v jscan.Value) {
	for key, schema := range v.Fields() {
		name := escaped(key)
		if !slices.ContainsFunc(n.properties, func(p property) bool { return p.key == name }) {
			n.properties = append(n.properties, property{name, schema})
		}
	}
}

// bound turns an exclusive bound into the inclusive one that Schema has, which for whole numbers is the same but for a
// step. It is false where that can't be.
func (n *node) bound(kept int, exclusive jscan.Value, step int64) bool {
	if exclusive.IsNull() {
		return true
	}
	limit, whole := exclusive.Int()
	if n.kind != "integer" || !whole || !n.keep[kept].IsNull() {
		return false
	}
	n.keep[kept] = jwrite.AppendInt(nil, limit+step)
	return true
}

// settle gives a node the type that the vendor insists on, and an enum that it takes: of strings, none of them empty.
// Any other is told in words.
func (n *node) settle() {
	first := jscan.Absent
	strings := true
	kept := n.enum[:0:0]
	for _, v := range n.enum {
		if v.IsNull() {
			n.nullable = true
			continue
		}
		if first == jscan.Absent {
			first = v.Kind()
		}
		strings = strings && v.Kind() == jscan.String
		if string(v) != `""` {
			kept = append(kept, v)
		}
	}
	if !slices.Contains(schemaTypes, n.kind) {
		n.kind = n.infer(first)
	}
	if n.enum = kept; len(kept) == 0 || strings && n.kind == "string" {
		return
	}
	words := []byte("One of: ")
	for i, v := range kept {
		if i > 0 {
			words = append(words, ", "...)
		}
		words = append(words, v...)
	}
	n.enum, n.note = nil, escaped(words)
}

// infer is the type of a node that names none, enum being the kind of its first possible value.
func (n *node) infer(enum jscan.Kind) string {
	switch {
	case len(n.properties) > 0 || enum == jscan.Object:
		return "object"
	case n.items != nil || enum == jscan.Array:
		return "array"
	case enum == jscan.Number, !n.keep[keptMinimum].IsNull(), !n.keep[keptMaximum].IsNull():
		return "number"
	case enum == jscan.Bool:
		return "boolean"
	}
	return "string"
}
