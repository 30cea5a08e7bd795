package config

import "time"

// Defaults that blocks of a plugin or a deployment start from.
const (
	defaultFuel        = 20_000_000
	defaultFuelPerByte = 50
	defaultMemory      = 32 << 20
	defaultLive        = 4
	defaultPriority    = 1
	defaultWeight      = 100
	defaultService     = "bedrock"
	defaultScope       = "https://www.googleapis.com/auth/cloud-platform"
)

// defaultAliases are the names that the canonical target had before it was renamed.
var defaultAliases = []string{"ainfera-mithril", "ainfera-auto", "ainfera/auto"}

// Default is the configuration of an empty file. The caller owns what it returns.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:8080",
		Admin:  Admin{Listen: "127.0.0.1:8081"},
		Log:    Log{Level: "info", Format: "text"},
		Store:  Store{DSN: "sqlite://data/ainfera.db", Dir: "data", BodiesFor: 720 * time.Hour, Lease: time.Minute},
		Audit:  Audit{RootInterval: time.Minute},
		Limits: Limits{
			BodyBytes:       32 << 20,
			UpstreamConnect: 5 * time.Second,
			UpstreamFirst:   120 * time.Second,
			UpstreamIdle:    120 * time.Second,
			UpstreamTotal:   600 * time.Second,
			Drain:           30 * time.Second,
		},
		Simulator: Simulator{Enabled: "auto"},
		Plugins:   []Plugin{defaultPlugin("floor")},
		Routing: Routing{
			MinQuality:      "0.50",
			SessionAffinity: true,
			Targets:         []Target{defaultTarget()},
			Preferences:     defaultPreferences(),
		},
	}
}

// defaultTarget is the canonical target as it is without a block of its own.
func defaultTarget() Target {
	return Target{Name: CanonicalTarget, Aliases: append([]string(nil), defaultAliases...)}
}

// defaultPreferences are the three that ship with the product: balanced does nothing, the others move the default floor.
func defaultPreferences() []Preference {
	return []Preference{
		{Name: Balanced, Policy: "floor"},
		{Name: "quality", Policy: "floor", Settings: map[string]any{"floor_delta": "0.10", "floor_max": "0.85"}},
		{Name: "cost", Policy: "floor", Settings: map[string]any{"floor_delta": "-0.10", "floor_min": "0.50"}},
	}
}

// defaultPlugin is a built-in module as it is without a block of its own.
func defaultPlugin(name string) Plugin {
	return Plugin{
		Name: name, Module: BuiltinScheme + name,
		Fuel: defaultFuel, FuelPerByte: defaultFuelPerByte, MemoryBytes: defaultMemory,
		Isolation: IsolationShared, LiveVersions: defaultLive,
	}
}
