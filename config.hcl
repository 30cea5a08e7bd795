# The configuration that ships with ainfera. It starts as it is, without an account anywhere: as long as no vendor below
# has its credentials, the built-in simulator answers. Export one key (ANTHROPIC_API_KEY, say), start again, and the
# real models of that vendor take over.
#
#   ainfera config check           reads this file, reports every mistake as file:line:column, and starts nothing. What only
#                                  the modules know (the settings, below) the start reports, and a reload, in the same way
#
# Durations are "30s", sizes "32MiB"; money and quality are decimals in quotes. env("NAME") is empty when the variable is
# unset or empty, env("NAME", "x") is then x; file("path") is the text of a mounted secret, its path relative to this file.
# What a block does not say has a default, which is the value shown here unless a comment says otherwise.

listen = env("AINFERA_LISTEN", "127.0.0.1:8080") # callers

admin {
  listen = env("AINFERA_ADMIN_LISTEN", "127.0.0.1:8081") # operators: plugins, agents, top-ups, /metrics. Keep it private
  token  = env("AINFERA_ADMIN_TOKEN")                    # empty: one is made at the first start, kept beside the store
}

log {
  level  = env("AINFERA_LOG_LEVEL", "info") # trace, debug, info, warn, error
  format = "text"                           # or "json"
}

# The books: decisions, inferences, ledger, audit chains, receipts. SQLite needs nothing; several hosts share a PostgreSQL:
# postgres://user@host/database, its password in PGPASSWORD or in the DSN, which no log ever shows.
store {
  dsn         = env("AINFERA_DSN", "sqlite://data/ainfera.db")
  keep_bodies = false  # true keeps prompts and answers as well. The default keeps hashes
  bodies_for  = "720h" # and for how long. The rows that hold the accounts are never deleted
}

audit {
  root_interval = "1m" # a signed root over all audit chains, for outsiders to keep
}

limits {
  body             = "32MiB" # of a request; more is refused with 413
  upstream_connect = "5s"
  upstream_first   = "120s" # streams: to the first byte
  upstream_idle    = "120s" # streams: between bytes
  upstream_total   = "600s" # not streamed: request to last byte. Streamed: so long may only comments and pings come
  drain            = "30s"  # what calls in flight get at shutdown
}

signup {
  enabled = false # true lets anyone make an agent by POST /v1/agents/signup
}

simulator {
  enabled = env("AINFERA_SIMULATOR", "auto") # "auto": while no other provider has its credentials; "on"; "off"
}

# A caller to begin with, made at the first start if it is missing; its key is printed once. "metered" records and caps
# what it spends; "prepaid" starts with balance_usd and never goes below zero.
agent "local" {
  wallet           = "metered"
  per_call_cap_usd = "5.00"  # unset: no cap
  daily_cap_usd    = "50.00" # unset: no cap
}

# Plugins: WebAssembly modules that translate for a vendor (adapters) or decide (policies). The built-in ones need no block;
# these are here to show the settings. One of your own:
#
#   plugin "acme" {
#     module = "plugins/acme.wasm"       # relative to this file
#     digest = "sha256:…"                # refuses any other build of it
#     live_versions = 4                  # at once: the one that serves and those that drain. More activations wait
#     watch = false                      # true activates the file whenever it changes: for development
#   }
#
# `ainfera plugin activate` swaps a version while calls go on; what is activated so stays until this file has another module.
# Whose modules are run, where not everybody's are (the built-in ones need no signature; others have theirs in FILE.wasm.sig):
#
#   signing {
#     keys     = [file("release.pub")]   # Ed25519, PEM or base64
#     required = true
#   }
plugin "anthropic" {
  module = "builtin:anthropic"
}

plugin "openai" {
  module        = "builtin:openai"
  fuel          = 20000000 # a call: about so many function calls and rounds of loops. One that spins is stopped
  fuel_per_byte = 50       # and so much for each byte of the call's input
  memory        = "32MiB"  # an instance
  isolation     = "shared" # streams share an instance; "stream", an instance each, is the default for your own modules
}

plugin "floor" {
  module = "builtin:floor"
}

# Providers: where calls are sent. One without its credentials offers nothing, and the start names the variable that is
# empty. Adapters never see credentials; the host adds them to the finished request.

provider "anthropic" {
  adapter  = "anthropic"
  base_url = "https://api.anthropic.com"
  auth "header" {
    name  = "x-api-key"
    value = env("ANTHROPIC_API_KEY")
  }
}

# The openai adapter serves whoever speaks Chat Completions. Settings are handed to the adapter and checked against its
# manifest; here they say where a vendor's copy of the protocol differs.

provider "openai" {
  adapter  = "openai"
  base_url = "https://api.openai.com/v1"
  auth "bearer" {
    token = env("OPENAI_API_KEY")
  }
  settings = {
    documents = true # PDF files as parts of a message
  }
}

provider "groq" {
  adapter  = "openai"
  base_url = "https://api.groq.com/openai/v1"
  auth "bearer" {
    token = env("GROQ_API_KEY")
  }
}

provider "mistral" {
  adapter  = "openai"
  base_url = "https://api.mistral.ai/v1"
  auth "bearer" {
    token = env("MISTRAL_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    stream_options   = false  # it refuses fields it does not know, and reports usage in streams unasked
    user_field       = ""
    tool_ids         = "nine" # letters and digits
    reasoning        = "none"
  }
}

provider "deepseek" {
  adapter  = "openai"
  base_url = "https://api.deepseek.com"
  auth "bearer" {
    token = env("DEEPSEEK_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "thinking" # a switch, without a measure
    thinking_history = "reasoning_content"
    leave_out        = ["response_format"] # JSON without a schema is all it has
  }
}

provider "together" {
  adapter  = "openai"
  base_url = "https://api.together.xyz/v1"
  auth "bearer" {
    token = env("TOGETHER_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "none"
  }
}

provider "xai" {
  adapter  = "openai"
  base_url = "https://api.x.ai/v1"
  auth "bearer" {
    token = env("XAI_API_KEY")
  }
  settings = {
    leave_out = ["stop"] # refused by models that think
  }
}

provider "openrouter" {
  adapter  = "openai"
  base_url = "https://openrouter.ai/api/v1"
  auth "bearer" {
    token = env("OPENROUTER_API_KEY")
  }
  settings = {
    max_tokens_field = "max_tokens"
    reasoning        = "object"
  }
}

# A server of your own (Ollama, vLLM, LM Studio) needs no auth block. An address written out, as here, may be private; a
# host name that resolves to a private address needs allow_private = true. Uncommented, it counts as a provider with
# credentials, so the simulator goes off.
#
#   provider "ollama" {
#     adapter  = "openai"
#     base_url = "http://127.0.0.1:11434/v1"
#   }

# The simulated vendors: in this process, on loopback, in the real dialects, free of charge.

provider "sim-anthropic" {
  adapter  = "anthropic"
  base_url = "simulator:anthropic"
}

provider "sim-openai" {
  adapter  = "openai"
  base_url = "simulator:openai"
}

# The catalogue: one entry, one model. An entry is routed to when it has a price, a q_prior, m_allowed = true, and a
# provider with credentials; without q_prior or m_allowed it can still be pinned by its name.
#
#   price       USD per million tokens, from the public list that the entry's comment names and at the time it names.
#               Vendors change them: compare before you bill anyone by these.
#   q_prior     the chance of a good answer, 0 to 1, before anything is learned. These are starting estimates, the
#               operator's and nobody's measurement: the rough order that public indices agree on (SWE-bench Verified, the
#               Artificial Analysis index), scaled by hand so that the task floors (code 0.78, reasoning 0.88, general 0.68,
#               chat 0.58) fall between the tiers. Replace them by what you measure on your own calls.
#   max_output  what the vendor allows; for a caller who gives no max_tokens it is also what is reserved, in context and in
#               money. Where a vendor allows the whole window, a smaller figure is given here, and the comment says so.
#   context     likewise: where a vendor charges more beyond some length, the entry ends there, since it has one price.

# Anthropic: platform.claude.com/docs/en/about-claude/pricing and its models overview, 2026. Cache reads cost a tenth of
# the input price, writes 1.25 times it (five minutes) or twice it (an hour). Models from 4.6 on take adaptive thinking,
# those before a budget; the request is put into the form that the serving model takes.

model "claude-opus-5" {
  provider   = "anthropic"
  brand      = "anthropic"
  q_prior    = "0.94" # estimate: first tier of the indices, 96 % of SWE-bench Verified by its maker's account
  m_allowed  = true
  context    = 1000000
  max_output = 128000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "adaptive"
  price {
    input          = "5.00"
    output         = "25.00"
    cache_read     = "0.50"
    cache_write    = "6.25"
    cache_write_1h = "10.00"
  }
}

model "claude-sonnet-5" {
  provider   = "anthropic"
  brand      = "anthropic"
  q_prior    = "0.91" # estimate: a little below claude-opus-5
  m_allowed  = true
  context    = 1000000
  max_output = 128000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "adaptive"
  price {
    input          = "2.00"
    output         = "10.00"
    cache_read     = "0.20"
    cache_write    = "2.50"
    cache_write_1h = "4.00"
  }
}

model "claude-opus-4-5" {
  names = ["claude-opus-4-5-20251101"] # clients that send a dated id are pinned here, too
  deployment {
    provider = "anthropic"
    upstream = "claude-opus-4-5-20251101"
  }
  brand      = "anthropic"
  q_prior    = "0.90" # estimate: about 80 % of SWE-bench Verified at its release
  m_allowed  = true
  context    = 200000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "enabled"
  price {
    input          = "5.00"
    output         = "25.00"
    cache_read     = "0.50"
    cache_write    = "6.25"
    cache_write_1h = "10.00"
  }
}

model "claude-sonnet-4-6" {
  provider   = "anthropic"
  brand      = "anthropic"
  q_prior    = "0.88" # estimate: between sonnet-4-5 and opus-4-5
  m_allowed  = true
  context    = 1000000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "adaptive"
  price {
    input          = "3.00"
    output         = "15.00"
    cache_read     = "0.30"
    cache_write    = "3.75"
    cache_write_1h = "6.00"
  }
}

model "claude-sonnet-4-5" {
  names = ["claude-sonnet-4-5-20250929"]
  deployment {
    provider = "anthropic"
    upstream = "claude-sonnet-4-5-20250929"
  }
  brand      = "anthropic"
  q_prior    = "0.87" # estimate: about 77 % of SWE-bench Verified at its release
  m_allowed  = true
  context    = 200000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "enabled"
  price {
    input          = "3.00"
    output         = "15.00"
    cache_read     = "0.30"
    cache_write    = "3.75"
    cache_write_1h = "6.00"
  }
}

model "claude-haiku-4-5" {
  names = ["claude-haiku-4-5-20251001"]
  deployment {
    provider = "anthropic"
    upstream = "claude-haiku-4-5-20251001"
  }
  brand      = "anthropic"
  q_prior    = "0.80" # estimate: about 73 % of SWE-bench Verified at its release; just clears the code floor
  m_allowed  = true
  context    = 200000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "enabled"
  price {
    input          = "1.00"
    output         = "5.00"
    cache_read     = "0.10"
    cache_write    = "1.25"
    cache_write_1h = "2.00"
  }
}

# OpenAI: developers.openai.com/api/docs/pricing by way of the genai-prices list, November 2025, and the models.dev list
# for windows. Only models whose tools work in Chat Completions. Writing to the cache costs nothing extra, hence no price
# for it.

model "gpt-5" {
  names = ["gpt-5-2025-08-07"]
  deployment { # tried by priority, lowest first; those of one priority share by weight
    provider = "openai"
    priority = 1
  }
  deployment { # the same model at the same price by another way, when the first fails or has no credentials
    provider = "openrouter"
    upstream = "openai/gpt-5"
    priority = 2
  }
  brand      = "openai"
  q_prior    = "0.88" # estimate: about 75 % of SWE-bench Verified, 88 % of Aider Polyglot at its release
  m_allowed  = true
  context    = 400000
  max_output = 128000
  can        = ["tools", "images", "thinking"]
  price {
    input      = "1.25"
    output     = "10.00"
    cache_read = "0.125"
  }
}

model "gpt-5-mini" {
  names = ["gpt-5-mini-2025-08-07"]
  deployment {
    provider = "openai"
    priority = 1
  }
  deployment {
    provider = "openrouter"
    upstream = "openai/gpt-5-mini"
    priority = 2
  }
  brand      = "openai"
  q_prior    = "0.79" # estimate: the tier of claude-haiku-4-5
  m_allowed  = true
  context    = 400000
  max_output = 128000
  can        = ["tools", "images", "thinking"]
  price {
    input      = "0.25"
    output     = "2.00"
    cache_read = "0.025"
  }
}

model "gpt-5-nano" {
  provider   = "openai"
  names      = ["gpt-5-nano-2025-08-07"]
  brand      = "openai"
  q_prior    = "0.60" # estimate: chat and extraction, not code
  m_allowed  = true
  context    = 400000
  max_output = 128000
  can        = ["tools", "images", "thinking"]
  price {
    input      = "0.05"
    output     = "0.40"
    cache_read = "0.005"
  }
}

model "gpt-4.1" {
  provider   = "openai"
  names      = ["gpt-4.1-2025-04-14"]
  brand      = "openai"
  q_prior    = "0.74" # estimate: about 55 % of SWE-bench Verified, strong at following instructions
  m_allowed  = true
  context    = 1047576
  max_output = 32768
  can        = ["tools", "images", "documents"]
  price {
    input      = "2.00"
    output     = "8.00"
    cache_read = "0.50"
  }
}

model "gpt-4.1-mini" {
  provider   = "openai"
  names      = ["gpt-4.1-mini-2025-04-14"]
  brand      = "openai"
  q_prior    = "0.65" # estimate: a tier below gpt-4.1
  m_allowed  = true
  context    = 1047576
  max_output = 32768
  can        = ["tools", "images", "documents"]
  price {
    input      = "0.40"
    output     = "1.60"
    cache_read = "0.10"
  }
}

model "gpt-4o-mini" {
  provider   = "openai"
  names      = ["gpt-4o-mini-2024-07-18"]
  brand      = "openai"
  q_prior    = "0.54" # estimate: last of this catalogue in every index; clears the default floor, no task's but embed's
  m_allowed  = true
  context    = 128000
  max_output = 16384
  can        = ["tools", "images", "documents"]
  price {
    input      = "0.15"
    output     = "0.60"
    cache_read = "0.075"
  }
}

# Groq: groq.com/pricing and console.groq.com/docs/models by way of the models.dev list, 2026.

model "gpt-oss-120b" {
  provider   = "groq"
  upstream   = "openai/gpt-oss-120b"
  brand      = "openai"
  q_prior    = "0.70" # estimate: the better open models of its size
  m_allowed  = true
  context    = 131072
  max_output = 65536
  can        = ["tools", "thinking"]
  price {
    input      = "0.15"
    output     = "0.60"
    cache_read = "0.075"
  }
}

model "llama-3.3-70b" {
  provider   = "groq"
  upstream   = "llama-3.3-70b-versatile"
  brand      = "meta"
  q_prior    = "0.62" # estimate: chat and extraction
  m_allowed  = true
  latency_ms = 900 # expected p95 until it is learned; what a caller's latency cap is held against
  context    = 131072
  max_output = 32768
  can        = ["tools"]
  price {
    input  = "0.59"
    output = "0.79"
  }
}

# Together: together.ai/pricing by way of the genai-prices list, 2025. The same weights as above at another price are
# another entry: an entry has one price, whichever of its deployments serves.

model "llama-3.3-70b-turbo" {
  provider   = "together"
  upstream   = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
  brand      = "meta"
  q_prior    = "0.61" # estimate: llama-3.3-70b, served at a lower precision
  m_allowed  = true
  context    = 131072
  max_output = 8192 # ours: the vendor names none
  can        = ["tools"]
  price {
    input  = "0.88"
    output = "0.88"
  }
}

# Mistral: mistral.ai/pricing by way of the genai-prices list, 2026. The vendor allows the whole window as output; the
# figures here are ours.

model "mistral-large" {
  provider   = "mistral"
  upstream   = "mistral-large-2512"
  brand      = "mistral"
  q_prior    = "0.72" # estimate: a little below gpt-4.1
  m_allowed  = true
  context    = 262144
  max_output = 32768
  can        = ["tools", "images"]
  price {
    input      = "0.50"
    output     = "1.50"
    cache_read = "0.05"
  }
}

model "mistral-medium" {
  provider   = "mistral"
  upstream   = "mistral-medium-2604"
  brand      = "mistral"
  q_prior    = "0.79" # estimate: an agents' and coders' model, just clears the code floor
  m_allowed  = true
  context    = 262144
  max_output = 32768
  can        = ["tools", "images"]
  price {
    input      = "1.50"
    output     = "7.50"
    cache_read = "0.15"
  }
}

model "mistral-small" {
  provider   = "mistral"
  upstream   = "mistral-small-2603"
  brand      = "mistral"
  q_prior    = "0.63" # estimate: chat and extraction
  m_allowed  = true
  context    = 256000
  max_output = 32768
  can        = ["tools", "images"]
  price {
    input      = "0.15"
    output     = "0.60"
    cache_read = "0.015"
  }
}

# DeepSeek: api-docs.deepseek.com/quick_start/pricing by way of the models.dev list, August 2026. It charges by the hour of
# the day; these are the peak prices, twice those of the other hours, so that a cap holds at any hour. The maximum output
# is ours: the vendor's is 384,000.

model "deepseek-v4-pro" {
  provider   = "deepseek"
  brand      = "deepseek"
  q_prior    = "0.86" # estimate: the first of the open models in the indices
  m_allowed  = true
  context    = 1000000
  max_output = 65536
  can        = ["tools", "thinking"]
  price {
    input      = "1.32"
    output     = "3.96"
    cache_read = "0.044"
  }
}

model "deepseek-v4-flash" {
  provider   = "deepseek"
  brand      = "deepseek"
  q_prior    = "0.80" # estimate: a tier below deepseek-v4-pro
  m_allowed  = true
  context    = 1000000
  max_output = 65536
  can        = ["tools", "thinking"]
  price {
    input      = "0.44"
    output     = "1.32"
    cache_read = "0.014"
  }
}

# xAI: docs.x.ai/docs/models by way of the genai-prices list, July 2026. Beyond 200,000 tokens the price doubles, so the
# entry ends there; the maximum output is ours.

model "grok-4.5" {
  provider   = "xai"
  brand      = "xai"
  q_prior    = "0.88" # estimate: first tier but one
  m_allowed  = true
  context    = 200000
  max_output = 65536
  can        = ["tools", "images", "thinking"]
  price {
    input      = "2.00"
    output     = "6.00"
    cache_read = "0.50"
  }
}

# The simulated models, two dialects and five tiers. Prices and qualities are made up, in the proportions of the real
# ones, so that a first call shows what routing does:
#
#   model               call                                            served by
#   ainfera-inference   as it is (floor 0.50)                           sim-mini      OpenAI's dialect
#   ainfera-inference   preference quality (0.60), or task_type chat    sim-haiku     Anthropic's
#   ainfera-code        as it is (code: 0.78)                           sim-large     OpenAI's
#   ainfera-code        preference cost (0.68) / quality (0.85)         sim-haiku / sim-sonnet
#   ainfera-inference   min_quality 0.90                                sim-opus
#
# The preferences quality and cost act once preference_live is on, below.

model "sim-mini" {
  provider   = "sim-openai"
  brand      = "sim-openai"
  q_prior    = "0.55"
  m_allowed  = true
  context    = 128000
  max_output = 16384
  can        = ["tools", "images"]
  price {
    input      = "0.10"
    output     = "0.40"
    cache_read = "0.05"
  }
}

model "sim-haiku" {
  provider   = "sim-anthropic"
  upstream   = "sim-haiku-no-adaptive" # the simulated vendor goes by the name: this one takes a thinking budget only
  brand      = "sim-anthropic"
  q_prior    = "0.72"
  m_allowed  = true
  context    = 200000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "enabled"
  price {
    input          = "1.00"
    output         = "5.00"
    cache_read     = "0.10"
    cache_write    = "1.25"
    cache_write_1h = "2.00"
  }
}

model "sim-large" {
  provider   = "sim-openai"
  brand      = "sim-openai"
  q_prior    = "0.80"
  m_allowed  = true
  context    = 400000
  max_output = 128000
  can        = ["tools", "images", "thinking"]
  price {
    input      = "1.25"
    output     = "10.00"
    cache_read = "0.125"
  }
}

model "sim-sonnet" {
  provider   = "sim-anthropic"
  upstream   = "sim-sonnet-adaptive-only" # and this one refuses a budget
  brand      = "sim-anthropic"
  q_prior    = "0.87"
  m_allowed  = true
  context    = 1000000
  max_output = 64000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "adaptive"
  price {
    input          = "3.00"
    output         = "15.00"
    cache_read     = "0.30"
    cache_write    = "3.75"
    cache_write_1h = "6.00"
  }
}

model "sim-opus" {
  provider   = "sim-anthropic"
  upstream   = "sim-opus-adaptive-only"
  brand      = "sim-anthropic"
  q_prior    = "0.94"
  m_allowed  = true
  context    = 1000000
  max_output = 128000
  can        = ["tools", "images", "documents", "thinking"]
  thinking   = "adaptive"
  price {
    input          = "5.00"
    output         = "25.00"
    cache_read     = "0.50"
    cache_write    = "6.25"
    cache_write_1h = "10.00"
  }
}

routing {
  min_quality      = "0.50" # the floor of a call that says nothing
  preference_live  = false  # lets quality and cost act; AINFERA_ROUTING_PREFERENCE_LIVE=1 does so without a restart
  session_affinity = true   # a session keeps its model for an hour, and with it the vendor's prompt cache

  # What callers name to be routed; any other model name is pinned to its entry. A target may carry defaults for its calls:
  # task_type, min_quality, preference, budget_usd, latency_cap_ms.
  target "ainfera-inference" {
    aliases = ["ainfera-mithril", "ainfera-auto", "ainfera/auto"] # its names from before
    # aliases_until = "2027-06-30"                                # their last day, in UTC; after it they are refused
  }
  target "ainfera-code" { # for coding agents
    task_type = "code"
  }

  # The dial: which policy serves routing_preference, and with which settings. balanced leaves the decision alone; quality
  # and cost move the default floor, never one that a caller gave.
  preference "balanced" {
    policy = "floor"
  }
  preference "quality" {
    policy   = "floor"
    settings = { floor_delta = "0.10", floor_max = "0.85" }
  }
  preference "cost" {
    policy   = "floor"
    settings = { floor_delta = "-0.10", floor_min = "0.50" }
  }
}
