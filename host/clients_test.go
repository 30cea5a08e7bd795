package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// installed is a folder of examples/clients whose packages are there, and node with it.
func installed(t *testing.T, name string) (dir, node string) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../examples/clients", name))
	if err != nil {
		t.Fatal(err)
	}
	if node, err = exec.LookPath("node"); err != nil {
		t.Skip("SKIPPED: node is not installed")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Skip("SKIPPED: run npm ci in examples/clients/" + name)
	}
	return dir, node
}

// nodeTests runs test files of a client against the server, as a user of the model.
func (r *running) nodeTests(t *testing.T, dir, node, model string, files ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--test"}, files...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AINFERA_BASE_URL="+r.url, "AINFERA_KEY="+r.key, "AINFERA_MODEL="+model)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, r.logs)
	}
}

// TestVercelAISDK runs examples/clients/vercel against a server, once a lane.
func TestVercelAISDK(t *testing.T) {
	dir, node := installed(t, "vercel")
	for _, model := range []string{"lane-translated", "lane-verbatim"} {
		t.Run(model, func(t *testing.T) {
			r := start(t, laneTargets)
			r.nodeTests(t, dir, node, model, "ai.test.mjs")
			r.stop() // waits for the calls in flight, and for what they write
			if got := r.left(t); got != 2 {
				t.Errorf("%d callers left in mid-stream, want one through each of its providers", got)
			}
			r.clean()
		})
	}
}

// left is how many callers left in mid-stream: by the books, each with what it had until then, and by the vendors, who were
// let go.
func (r *running) left(t *testing.T) int {
	t.Helper()
	gone := 0
	for _, c := range r.sim.Calls() {
		if c.Disconnected {
			gone++
		}
	}
	rows := r.all(`select cost_micro_usd > 0 from inferences where status = 'cancelled_client'`)
	if gone < len(rows) { // one that sent an error is let go, too, if it has not ended by itself
		t.Errorf("%d rows of callers who left, and %d vendors let go", len(rows), gone)
	}
	for _, row := range rows {
		if row[0] != "1" {
			t.Errorf("what had come until a caller left was not charged: %v", rows)
		}
	}
	return len(rows)
}
