package messages

import (
	"fmt"
	"unicode/utf8"
)

// A RequestError says why a body is no valid request. The caller is to be told all of it: HTTP 400.
type RequestError struct {
	Message string
	// Param is the path of the field at fault, as in "messages.3.content"; empty where the JSON itself is broken.
	Param string
	// Offset, Line and Column are where the JSON is broken: from 0 in bytes, and from 1 in lines and characters. Line is
	// 0 where the JSON is fine and a field is not.
	Offset, Line, Column int
}

// Error is what the caller is told.
func (e *RequestError) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("the body is not valid JSON: line %d, column %d: %s", e.Line, e.Column, e.Message)
	case e.Param != "":
		return e.Param + ": " + e.Message
	}
	return e.Message
}

// SyntaxAt makes the error of JSON that is broken at an offset, a *RequestError: for dialects that are read elsewhere.
func SyntaxAt(b []byte, at int, what string) error {
	e := &RequestError{Message: what, Offset: at, Line: 1}
	start := 0
	for i, c := range b[:at] {
		if c == '\n' {
			e.Line++
			start = i + 1
		}
	}
	e.Column = utf8.RuneCount(b[start:at]) + 1
	return e
}

// badField makes the error of a field whose JSON is fine and whose value is not.
func badField(param, format string, args ...any) error {
	return &RequestError{Param: param, Message: fmt.Sprintf(format, args...)}
}
