package oai

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// AppendSchema copies a schema. OpenAI refuses an object without properties, which Anthropic takes.
func AppendSchema(b []byte, schema jscan.Value) []byte {
	var f [2]jscan.Value
	schema.Pick(f[:], "properties", "$ref")
	if f[0] != nil || f[1] != nil {
		return append(b, schema...)
	}
	if schema.Len() == 0 || schema.Kind() != jscan.Object {
		return append(b, `{"type":"object","properties":{}}`...)
	}
	b = append(b, schema[:len(schema)-1]...)
	return append(b, `,"properties":{}}`...)
}

// Strict reports whether a form of the answer, a caller's json_schema of that name, goes as strict. Anthropic's always are; what
// a caller of another dialect said stands beside the schema. A loose one can't, and is listed.
func Strict(form jscan.Value, name string, out *sdk.Request) bool {
	said := form.Get("strict")
	asked := said.Kind() != jscan.Bool || said.Bool()
	strict := asked && !Loose(form.Get("schema"))
	if asked && !strict {
		out.Dropped(name + ".strict")
	}
	return strict
}

// Loose reports whether a schema lets a property be left out. Anthropic's strict schemas may; OpenAI refuses one that says
// that it is strict and does, so it is sent as one that isn't. To require the property would make nulls of what is absent.
func Loose(schema jscan.Value) bool {
	for s := range schema.Items() { // a list of them
		if Loose(s) {
			return true
		}
	}
	if schema.Kind() != jscan.Object {
		return false
	}
	var f [len(schemaKeys)]jscan.Value
	schema.Pick(f[:], schemaKeys[:]...)
	if leavesOut(f[schemaProperties], f[schemaRequired]) {
		return true
	}
	for _, named := range f[schemaProperties:schemaRequired] {
		for _, s := range named.Fields() {
			if Loose(s) {
				return true
			}
		}
	}
	for _, s := range f[schemaRequired+1:] {
		if Loose(s) {
			return true
		}
	}
	return false
}

// schemaKeys are the words of a schema that hold others: by names, and behind what is required as they are or in a list.
var schemaKeys = [...]string{"properties", "$defs", "definitions", "required", "items", "anyOf", "oneOf", "allOf"}

const (
	schemaProperties = 0
	schemaRequired   = 3
)

// leavesOut reports whether a property isn't among those that are required.
func leavesOut(properties, required jscan.Value) bool {
	if n := properties.Len(); n == 0 || n > required.Len() {
		return n > 0
	}
	listed := make(map[string]bool) // a search for each of thousands would use up a guest's fuel
	for v := range required.Items() {
		listed[v.String()] = true
	}
	for name := range properties.Fields() {
		if !listed[string(name)] {
			return true
		}
	}
	return false
}
