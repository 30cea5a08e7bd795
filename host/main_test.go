package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestMistypedCommands: whatever is wrong with a command line is said with what would be right, and is never a success.
func TestMistypedCommands(t *testing.T) {
	for line, want := range map[string]string{
		"nosuch":                  `unknown command "nosuch" for "ainfera"`,
		"plugin nosuch":           `unknown command "nosuch" for "ainfera plugin"; --help lists those it has`,
		"plugin new":              "accepts 2 arg(s), received 0\nusage: ainfera plugin new adapter|policy NAME",
		"plugin activate x":       "usage: ainfera plugin activate NAME DIGEST",
		"plugin new policy --yes": "unknown flag: --yes\nusage: ainfera plugin new adapter|policy NAME",
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), strings.Fields(line), strings.NewReader(""), &out, &errs); status != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: status %d, %q, want it to say %q", line, status, &errs, want)
		}
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"plugin"}, strings.NewReader(""), &out, &errs); status != exitOK || !strings.Contains(out.String(), "Available Commands:") {
		t.Errorf("plugin: status %d, %q", status, &out)
	}
}
