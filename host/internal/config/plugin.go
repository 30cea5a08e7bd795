package config

// BuiltinScheme begins the module of a plugin that ships inside the binary: "builtin:openai".
const BuiltinScheme = "builtin:"

// Isolations of a plugin.
const (
	IsolationShared = "shared"
	IsolationStream = "stream"
)

// Kinds of a built-in module.
const (
	kindAdapter = "adapter"
	kindPolicy  = "policy"
)

// builtins are the modules that the binary carries, and their kinds. A provider or a preference may refer to one without
// a plugin block of its own.
var builtins = map[string]string{
	"anthropic":        kindAdapter,
	"gemini":           kindAdapter,
	"openai":           kindAdapter,
	"openai-responses": kindAdapter,
	"floor":            kindPolicy,
}

// simulated are the dialects that the simulator speaks, what may follow [SimulatorScheme].
var simulated = []string{"anthropic", "openai", "openai-responses", "gemini"}

// Builtins returns the names of the built-in modules and the kind of each, "adapter" or "policy".
func Builtins() map[string]string {
	names := make(map[string]string, len(builtins))
	for name, kind := range builtins {
		names[name] = kind
	}
	return names
}
