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

// TestVercelAISDK runs examples/clients/vercel against the server, once a lane.
func TestVercelAISDK(t *testing.T) {
	dir, node := installed(t, "vercel")
	r := start(t, laneTargets)
	for _, model := range []string{"lane-translated", "lane-verbatim"} {
		t.Run(model, func(t *testing.T) { r.nodeTests(t, dir, node, model, "ai.test.mjs") })
	}
	r.left(t, 4) // each lane through both of the SDK's providers
	r.clean()
}

// left checks that so many callers left in mid-stream, and that each of them is in the books as one who did, and their
// vendors were let go. It stops the server, which waits for the calls in flight and for what they write.
func (r *running) left(t *testing.T, want int) {
	t.Helper()
	r.stop()
	gone := 0
	for _, c := range r.sim.Calls() {
		if c.Disconnected {
			gone++
		}
	}
	rows := r.all(`select o.outcome_status, i.cost_micro_usd > 0 from routing_outcomes o join inferences i on i.id = o.inference_id where o.outcome_status = 'cancelled_client'`)
	if len(rows) != want || gone != want {
		t.Errorf("%d rows of callers who left and %d vendors let go, want %d", len(rows), gone, want)
	}
	for _, row := range rows {
		if row[1] != "1" {
			t.Errorf("row %v: what had come until then was not charged", row)
		}
	}
}
