package main

import (
	"fmt"
	"strings"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// The agents: whose calls are recorded only, whose wallet runs out, and who has a day's cap.
var agents = map[string]string{
	"metered": "",
	"prepaid": "wallet = \"prepaid\"\n  balance_usd = \"0.25\"",
	"capped":  "daily_cap_usd = \"0.25\"",
}

// configuration is a host's: short limits, so that a vendor that is silent is one in the time of the test, and a lease that
// runs out in it.
func configuration(dir, dsn string, vendors map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `listen = "127.0.0.1:0"
admin { listen = "127.0.0.1:0" }
log { level = "info" }
store {
  dsn   = %q
  dir   = %q
  lease = "2s"
}
limits {
  upstream_first = "2s"
  upstream_idle  = "2s"
  upstream_total = "4s"
  drain          = "3s"
}
simulator {
  enabled = "on"
  at      = { anthropic = %q, openai = %q }
}
provider "a" {
  adapter  = "anthropic"
  base_url = "simulator:anthropic"
}
provider "o" {
  adapter  = "openai"
  base_url = "simulator:openai"
}
`, dsn, dir, vendors[simulator.Anthropic], vendors[simulator.OpenAI])
	for name, more := range agents {
		fmt.Fprintf(&b, "agent %q {\n  %s\n}\n", name, more)
	}
	for i, m := range models {
		fmt.Fprintf(&b, `model %q {
  provider   = %q
  upstream   = "sim-%d"
  brand      = "sim"
  q_prior    = "0.%d"
  m_allowed  = true
  context    = 200000
  max_output = 32000
  can        = ["tools"]
  price {
    input  = "%d.00"
    output = "%d00.00"
  }
}
`, m.slug, m.provider, i, 60+i*10, i+1, i+1)
	}
	return b.String()
}

// models are the catalogue, the cheapest first: a call that fails over becomes dearer, and its hold is raised.
var models = []struct{ slug, provider string }{{"one", "o"}, {"two", "a"}, {"three", "o"}, {"four", "a"}}
