package oai

import (
	"slices"
	"strings"
)

// bare is a model's name without its maker's: openai/gpt-5, and openai.gpt-5 on Bedrock.
func bare(model string) string {
	model = model[strings.LastIndexByte(model, '/')+1:]
	if i := strings.LastIndex(model, "openai."); i >= 0 {
		model = model[i+len("openai."):]
	}
	return model
}

// Reasons knows OpenAI's reasoning models, which refuse the fields that steer sampling: o1, o3-mini, gpt-5,
// openai/gpt-5-nano-2025-08-07, gpt-6-sol, codex-mini-latest, but not gpt-5-chat-latest, nor gpt-35-turbo, which is Azure's
// name of gpt-3.5-turbo.
func Reasons(model string) bool {
	model = bare(model)
	if strings.HasPrefix(model, "codex-") {
		return true
	}
	if v, ok := strings.CutPrefix(model, "gpt-"); ok {
		return v != "" && v[0] >= '5' && v[0] <= '9' && (len(v) == 1 || v[1] < '0' || v[1] > '9') && !strings.HasPrefix(v[1:], "-chat")
	}
	return IsO(model)
}

// IsO knows the first of them: o1, o3-mini.
func IsO(model string) bool {
	model = bare(model)
	return len(model) >= 2 && model[0] == 'o' && model[1] >= '1' && model[1] <= '9' && (len(model) == 2 || model[2] == '-')
}

// fixedGroks begin the names of xAI's models that think as much as they do, or not at all, and refuse to be told how much.
var fixedGroks = []string{"grok-2", "grok-3", "grok-4-", "grok-4.20-0", "grok-4.20-reasoning", "grok-4.20-non-reasoning",
	"grok-code", "grok-build", "grok-composer"}

// IsFixedGrok knows xAI's models that refuse an effort.
func IsFixedGrok(model string) bool {
	model = bare(model)
	return !strings.HasPrefix(model, "grok-3-mini") &&
		slices.ContainsFunc(fixedGroks, func(prefix string) bool { return strings.HasPrefix(model, prefix) })
}
