package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"
)

// banner tells the operator what serves, and how to make the first call.
func (h *host) banner(public, private string) {
	w := h.out
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROVIDER\tADAPTER\tSTATUS")
	for i := range h.cfg.Providers {
		p := &h.cfg.Providers[i]
		status := "enabled"
		if ok, why := h.cfg.Offered(p); !ok {
			status = "off: " + why
		} else if dialect, simulated := p.Simulated(); simulated {
			status = "enabled, simulated " + dialect + " on loopback"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, p.Adapter, status)
	}
	t.Flush()
	if h.cfg.SimulatorOn() {
		fmt.Fprintln(w, "\nNo provider has its key, so simulated vendors answer, and say so. Set one of the variables above for a real one.")
	}
	fmt.Fprintf(w, "\nlistening    http://%s\noperators    http://%s (/ready, /metrics; token in %s)\nstore        %s\n",
		public, private, filepath.Join(h.cfg.Store.Dir, "admin.token"), h.cfg.Store.DSN.Redacted())
	h.showKeys()
	key := "$AINFERA_KEY"
	if n := len(h.keys); n > 0 {
		key = h.keys[n-1].key
	} else {
		fmt.Fprintln(w, "\nThe agents' keys were shown when they were made; `ainfera agent create NAME` makes another agent.")
	}
	fmt.Fprintf(w, `
A first call:

  curl -sN http://%s/v1/messages -H "authorization: Bearer %s" -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \
    -d '{"model":"ainfera-inference","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Hello"}]}'

`, public, key)
}

// showKeys prints the keys of the agents that were made at this start, which can't be had again.
func (h *host) showKeys() {
	for _, k := range h.keys {
		fmt.Fprintf(h.out, "\nagent %q was made; its key is shown this once:\n\n  export AINFERA_KEY=%s\n", k.agent, k.key)
	}
}
