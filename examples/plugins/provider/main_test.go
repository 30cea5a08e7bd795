package main

import (
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// TestCases plays every recorded case on the adapter as plain Go, where a debugger and a profiler reach it. The same cases run
// on the module in the host's sandbox: ainfera plugin test.
func TestCases(t *testing.T) {
	files, err := sdktest.Files("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			if err := f.Run(sdk.NewAdapterGuest(manifest, vendor{})); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		})
	}
}
