package main

import (
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// TestCases decides every recorded input as plain Go. The same cases run on the module in the host's sandbox:
// ainfera plugin test.
func TestCases(t *testing.T) {
	files, err := sdktest.Files("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			if err := f.Decide(sdk.NewPolicyGuest(manifest, cheapest{})); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		})
	}
}
