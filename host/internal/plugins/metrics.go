package plugins

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A countKey is one series of changes.
type countKey struct{ plugin, action string }

// count notes a change of the version that serves: an action of a row, or "followed".
func (r *Registry) count(plugin, action string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[countKey{plugin, action}]++
}

// What a version is described by. Its series live as long as the version is loaded, so that their number is bounded by the
// live and staged versions, however many there were.
var (
	versionLabels = []string{"plugin", "version", "digest"}
	descFuel      = described("fuel_total", "Fuel that calls of a version used.")
	descMemory    = described("memory_bytes", "Linear memory of a version's live instances.")
	descInstances = described("instances", "Live instances of a version.")
	descHolders   = described("in_flight", "Calls and streams that hold a version.")
	descCompile   = described("load_seconds", "How long a version took to load: compiled, or found in the cache.")
	descFaults    = described("faults_total", "Failures of a version, by kind.", "kind")
	descCalls     = described("call_seconds", "One call into a version: a request built, a piece of an answer read, or a decision.")
	descLive      = prometheus.NewDesc("ainfera_plugin_live_versions", "Versions of a plugin by state: active, staged, draining.", []string{"plugin", "state"}, nil)
	descChanges   = prometheus.NewDesc("ainfera_plugin_changes_total", "Changes of the version that serves, by what made them.", []string{"plugin", "action"}, nil)
	descAstray    = prometheus.NewDesc("ainfera_plugin_astray", "1 while this host does not run what the store says.", []string{"plugin"}, nil)
)

func described(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("ainfera_plugin_"+name, help, append(slices.Clone(versionLabels), more...), nil)
}

var _ prometheus.Collector = (*Registry)(nil)

// Describe tells Prometheus of the series.
func (r *Registry) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFuel, descMemory, descInstances, descHolders, descCompile, descFaults, descCalls, descLive, descChanges, descAstray} {
		ch <- d
	}
}

// Collect reads what is loaded now.
func (r *Registry) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, p := range r.plugins {
		p.live()
		seen := map[string]bool{}
		for _, v := range slices.Concat([]*version{p.active}, p.staged, p.draining) {
			if !seen[v.digest] { // the same bytes may drain and serve again: the newest stands for them
				seen[v.digest] = true
				v.collect(name, ch)
			}
		}
		for state, n := range map[string]int{"active": 1, "staged": len(p.staged), "draining": len(p.draining)} {
			ch <- prometheus.MustNewConstMetric(descLive, prometheus.GaugeValue, float64(n), name, state)
		}
		astray := 0.0
		if p.astray != "" {
			astray = 1
		}
		ch <- prometheus.MustNewConstMetric(descAstray, prometheus.GaugeValue, astray, name)
	}
	for k, n := range maps.All(r.counts) {
		ch <- prometheus.MustNewConstMetric(descChanges, prometheus.CounterValue, float64(n), k.plugin, k.action)
	}
}

func (v *version) collect(plugin string, ch chan<- prometheus.Metric) {
	s := v.m.Stats()
	labels := []string{plugin, v.m.Manifest().Version, v.digest[:12]}
	add := func(d *prometheus.Desc, kind prometheus.ValueType, n float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, n, labels...)
	}
	add(descFuel, prometheus.CounterValue, float64(s.Fuel))
	add(descMemory, prometheus.GaugeValue, float64(s.MemoryBytes))
	add(descInstances, prometheus.GaugeValue, float64(s.Instances))
	add(descHolders, prometheus.GaugeValue, float64(s.Holders))
	add(descCompile, prometheus.GaugeValue, s.Load.Seconds())
	for kind, n := range s.Faults {
		ch <- prometheus.MustNewConstMetric(descFaults, prometheus.CounterValue, float64(n), append(slices.Clone(labels), string(kind))...)
	}
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range wasm.CallSeconds {
		below += uint64(s.CallBuckets[i])
		buckets[bound] = below
	}
	below += uint64(s.CallBuckets[len(wasm.CallSeconds)])
	ch <- prometheus.MustNewConstHistogram(descCalls, below, s.CallTime.Seconds(), buckets, labels...)
}
