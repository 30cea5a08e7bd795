// Package config is the configuration: an HCL file read into plain structs, with every default filled in.
//
// [Load] is the main path: read the file, evaluate it, check that its parts fit together. It opens nothing but the files
// that file("…") names; building is the business of host's main, which is the only importer. No type of HCL leaves this
// package. Every mistake of a file is reported at once, as [Errors], each with its file, line and column.
package config

import "time"

// Config is one configuration, complete and checked. It is not changed after Load and so may be read from anywhere.
// Lists keep the order of the file. Secrets print as "***" in every format; see [Secret].
type Config struct {
	// Listen is the address of the public listener, host:port. Defaults to "127.0.0.1:8080".
	Listen string

	Admin     Admin
	Log       Log
	Store     Store
	Audit     Audit
	Limits    Limits
	Signup    Signup
	Simulator Simulator
	Agents    []Agent
	Signing   Signing
	Plugins   []Plugin
	Providers []Provider
	Models    []Model
	Routing   Routing

	located
}

// Admin is the operators' listener.
type Admin struct {
	// Listen is the address of the admin listener, host:port. Defaults to "127.0.0.1:8081".
	Listen string
	// Token is what an operator presents. Defaults to empty: the host makes one at its first start and keeps it in the
	// store's directory, mode 0600.
	Token Secret

	located
}

// Log is what the process writes about itself.
type Log struct {
	// Level is the least level written: trace, debug, info, warn or error. Defaults to "info".
	Level string
	// Format is "text" or "json". Defaults to "text".
	Format string

	located
}

// Store is where the books are kept.
type Store struct {
	// DSN names the database: sqlite://path or postgres://user@host/db. Defaults to "sqlite://data/ainfera.db".
	DSN DSN
	// KeepBodies keeps requests and answers beside their rows. Defaults to false.
	KeepBodies bool
	// BodiesFor is how long they are kept: a body is gone at most an hour after its time. Defaults to 720 hours.
	BodiesFor time.Duration
	// Dir holds what lives beside the store: the signing key, the journal, the compile cache. Defaults to the directory
	// of a SQLite database, and to "data" with PostgreSQL.
	Dir string
	// Lease is how long a host's calls are its own after it was last heard of: then others end them as failed_host. At
	// least a second. Defaults to 1 minute.
	Lease time.Duration

	located
}

// Audit is what outsiders are given to check the audit chains with.
type Audit struct {
	// RootInterval is how often a root over all chains is signed and published, by one host of the fleet, when a chain has
	// moved. Defaults to one minute.
	RootInterval time.Duration

	located
}

// Limits bounds a call. All are above zero.
type Limits struct {
	// BodyBytes is the largest request body accepted. Defaults to 32 MiB.
	BodyBytes int64
	// UpstreamConnect is the time to connect to a vendor, TLS included. Defaults to 5 seconds.
	UpstreamConnect time.Duration
	// UpstreamFirst is the time a vendor has until the first byte of a stream. Defaults to 120 seconds.
	UpstreamFirst time.Duration
	// UpstreamIdle is the time a vendor may be silent within a stream. Defaults to 120 seconds.
	UpstreamIdle time.Duration
	// UpstreamTotal is the time from request to last byte of an answer that is not streamed. Defaults to 600 seconds.
	UpstreamTotal time.Duration
	// Drain is the time that calls in flight have to finish at shutdown. Defaults to 30 seconds.
	Drain time.Duration
}

// Signup is the public sign-up of agents.
type Signup struct {
	// Enabled opens POST /v1/agents/signup. Defaults to false.
	Enabled bool

	located
}

// Simulator is the vendors simulated on loopback.
type Simulator struct {
	// Enabled is "on", "off", or "auto": on only while no other provider has its credentials. Defaults to "auto". Ask
	// [Config.SimulatorOn] for the outcome.
	Enabled string
	// At are the base URLs of simulated vendors that another process runs on this machine, by dialect. Defaults to empty:
	// the host starts its own.
	At map[string]string
}

// Agent is a caller that the host makes at its first start if it is missing.
type Agent struct {
	// Name is the block's label.
	Name string
	// Tenant groups agents that may read each other's records. Defaults to the agent's name: a tenant of its own.
	Tenant string
	// Wallet is "metered" (spend recorded and capped) or "prepaid" (never below zero). Defaults to "metered".
	Wallet string
	// BalanceUSD is the first top-up of a prepaid wallet, a decimal. Defaults to "0".
	BalanceUSD string
	// PerCallCapUSD is the most one call may cost, a decimal. Defaults to empty: no cap.
	PerCallCapUSD string
	// DailyCapUSD is the most a day's calls may cost, a decimal. Defaults to empty: no cap.
	DailyCapUSD string
	// Defaults are the weakest hints of this agent's calls.
	Defaults Defaults

	located
}

// Plugin is a module that translates for a vendor or decides.
type Plugin struct {
	// Name is the block's label, which providers and preferences refer to.
	Name string
	// Module is "builtin:<name>" or the path of a .wasm, already joined to the configuration file's directory. Defaults
	// to "builtin:<label>" where the label is a built-in module's name; required otherwise.
	Module string
	// Digest is "sha256:" and 64 hex digits that the module must have. Defaults to empty: any.
	Digest string
	// Fuel is what one call may use. Defaults to 20,000,000.
	Fuel int64
	// FuelPerByte is added to Fuel for each byte of the call's input. Defaults to 50.
	FuelPerByte int64
	// MemoryBytes is the most one instance may hold. Defaults to 32 MiB.
	MemoryBytes int64
	// Isolation is "shared" (streams share an instance) or "stream" (each has its own). Defaults to "shared" for built-in
	// modules and to "stream" for all others.
	Isolation string
	// IsolationGiven says that the file has it, so that it holds for whatever module is activated in this place, too.
	IsolationGiven bool
	// LiveVersions is how many versions may be loaded at once: the one that serves and those whose last calls have not ended.
	// Defaults to 4.
	LiveVersions int
	// Watch activates the module's file whenever it changes: for development. Defaults to false.
	Watch bool

	located
}

// Defaults are hints that hold where a caller gives none.
type Defaults struct {
	// TaskType is one of [TaskTypes]. Defaults to empty: none.
	TaskType string
	// MinQuality is the quality floor, a decimal from 0 to 1. Defaults to empty: the task's floor, or routing's.
	MinQuality string
	// Preference is the name of a preference block. Defaults to empty: balanced.
	Preference string
	// BudgetUSD is the most one call may cost, a decimal. Defaults to empty: no limit.
	BudgetUSD string
	// LatencyCapMS is the longest expected latency, in milliseconds. Defaults to 0: no limit.
	LatencyCapMS int
}
