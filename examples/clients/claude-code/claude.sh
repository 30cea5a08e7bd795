#!/bin/sh
# Claude Code through ainfera: its arguments are Claude Code's.
#
#	AINFERA_KEY=ainfera_… ./claude.sh
#	AINFERA_KEY=ainfera_… ./claude.sh -p 'What is in this folder?' --allowedTools Bash
#
# AINFERA_BASE_URL defaults to http://127.0.0.1:8080 and AINFERA_MODEL to ainfera-code, the target for coding agents.
# The claude of this folder's node_modules runs, or else the one that is installed.
set -eu
: "${AINFERA_KEY:?is the key of an agent; the first start of the server shows one}"
model=${AINFERA_MODEL:-ainfera-code}

export ANTHROPIC_BASE_URL="${AINFERA_BASE_URL:-http://127.0.0.1:8080}"
export ANTHROPIC_AUTH_TOKEN="$AINFERA_KEY"
unset ANTHROPIC_API_KEY # a vendor's own key has no business here, and Claude Code would send both

# It keeps only names with "claude" in them of the list that the server gives, so the model is named here, for each of the
# sizes that it knows.
export ANTHROPIC_MODEL="$model"
export ANTHROPIC_DEFAULT_OPUS_MODEL="$model" ANTHROPIC_DEFAULT_SONNET_MODEL="$model"
export ANTHROPIC_DEFAULT_HAIKU_MODEL="${AINFERA_SMALL_MODEL:-$model}"

# Of a name that it doesn't know it believes that a million tokens fit, and would compact a conversation too late.
export CLAUDE_CODE_MAX_CONTEXT_TOKENS="${CLAUDE_CODE_MAX_CONTEXT_TOKENS:-200000}"

# What it sends elsewhere: reports, and requests that a conversation doesn't need.
export DISABLE_TELEMETRY=1 CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1

here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/node_modules/.bin/claude" ]; then
  exec "$here/node_modules/.bin/claude" "$@"
fi
exec claude "$@"
