package main

import "github.com/ainfera-ai/router/sdk/jscan"

// appendSchema copies a schema. OpenAI refuses an object without properties, which Anthropic takes.
func appendSchema(b []byte, schema jscan.Value) []byte {
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

// loose reports whether a schema lets a property be left out. Anthropic's strict schemas may; OpenAI refuses one that says
// that it is strict and does, so it is sent as one that isn't. To require the property would make nulls of what is absent.
func loose(schema jscan.Value) bool {
	for s := range schema.Items() { // a list of them
		if loose(s) {
			return true
		}
	}
	if schema.Kind() != jscan.Object {
		return false
	}
	var f [len(schemaKeys)]jscan.Value
	schema.Pick(f[:], schemaKeys[:]...)
	for name := range f[schemaProperties].Fields() {
		if !lists(f[schemaRequired], name) {
			return true
		}
	}
	for _, named := range f[schemaProperties:schemaRequired] {
		for _, s := range named.Fields() {
			if loose(s) {
				return true
			}
		}
	}
	for _, s := range f[schemaRequired+1:] {
		if loose(s) {
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

// lists reports whether a name is among those of a list.
func lists(list jscan.Value, name []byte) bool {
	for v := range list.Items() {
		if v.Equal(string(name)) {
			return true
		}
	}
	return false
}
