package capture

// What the writer runs, in the order in which a batch runs it: a row exists before it is changed, and what repeats is
// there before a row names it.
var (
	insertBlob = insert("blobs", `digest text, bytes bytea, created_at timestamptz`, "ON CONFLICT (digest) DO NOTHING")

	insertTenant = insert("tenants", `id text, name text, created_at timestamptz`, "")
	insertAgent  = insert("agents", `id text, tenant_id text, name text, status text, per_call_cap_micro_usd bigint,
		daily_cap_micro_usd bigint, created_at timestamptz, updated_at timestamptz`, "")
	insertKey    = insert("api_keys", `id text, agent_id text, key_hash text, created_at timestamptz`, "")
	insertWallet = insert("wallets", `agent_id text, mode text, balance_micro_usd bigint, updated_at timestamptz`, "")
	insertHead   = insert("audit_heads", `agent_id text, seq bigint`, "")
	updateStatus = update("agents", `status text, updated_at timestamptz`, "id text", "")
	updateCaps   = update("agents", `per_call_cap_micro_usd bigint, daily_cap_micro_usd bigint, updated_at timestamptz`, "id text", "")

	insertOutcome = insert("routing_outcomes", `id text, agent_id text, tenant_id text, inference_id text, request_id text,
		source text, target text, task_type text, cell text, policy_version text, policy_module text, decision_rule text,
		decision_type text, chosen_propensity text, chosen_model_slug text, affinity boolean, decision_input bytea,
		decision bytea, ruleset_hash text, routing_hint text, routing_preference text, excluded text, tags text,
		cost_projected_usd text, cost_baseline_usd text, baseline_model_slug text, outcome_status text, code text,
		stream boolean, usage_estimated boolean, created_at timestamptz, completed_at timestamptz`, "")
	insertInference = insert("inferences", `id text, agent_id text, tenant_id text, outcome_id text, receipt_id text,
		host_id text, request_id text, endpoint text, stream boolean, requested_model text, model text, provider text,
		input_tokens bigint, output_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint,
		cache_write_1h_tokens bigint, reasoning_tokens bigint, usage_estimated boolean, hold_micro_usd bigint,
		cost_micro_usd bigint, vendor_cost_micro_usd bigint, uncollected_micro_usd bigint, request_hash text, status text,
		created_at timestamptz`, "")
	raiseInference = update("inferences", `hold_micro_usd bigint`, "id text", "status = 'pending'")

	completeOutcome, amendOutcome     = updateOutcome("pending"), updateOutcome("failed_host")
	completeInference, amendInference = updateInference("pending"), updateInference("failed_host")

	insertEntry = insert("ledger_entries", `agent_id text, id text, inference_id text, kind text, amount_micro_usd bigint,
		balance_after_micro_usd bigint, note text, created_at timestamptz`, "")
	insertEvent = insert("audit_events", `agent_id text, seq bigint, event_type text, payload text, previous_hash text,
		event_hash text, created_at timestamptz`, "")
	insertReceipt = insert("receipts", `id text, inference_id text, agent_id text, audit_seq bigint, body text,
		signature text, key_id text, created_at timestamptz`, "")
	amendReceipt = update("receipts", `audit_seq bigint, body text, signature text, key_id text, created_at timestamptz`,
		"id text", "")
	insertBody = insert("bodies", `inference_id text, request bytea, response bytea, created_at timestamptz`,
		"ON CONFLICT (inference_id) DO NOTHING")

	updateWallet = update("wallets", `balance_micro_usd bigint, updated_at timestamptz`, "agent_id text", "")
	upsertDay    = insert("daily_spend", `agent_id text, day text, spent_micro_usd bigint, held_micro_usd bigint`,
		"ON CONFLICT (agent_id, day) DO UPDATE SET spent_micro_usd = excluded.spent_micro_usd, held_micro_usd = excluded.held_micro_usd")
	updateHead = update("audit_heads", `seq bigint, event_hash text`, "agent_id text", "")

	// A claim takes the place of a row that has expired, or whose host is gone: the writer has looked.
	claimKey = insert("idempotency_keys", `id text, agent_id text, endpoint text, fingerprint text, status text, claim_id text,
		host_id text, created_at timestamptz, expires_at timestamptz`, `ON CONFLICT (id) DO UPDATE SET
		fingerprint = excluded.fingerprint, status = excluded.status, claim_id = excluded.claim_id, host_id = excluded.host_id,
		created_at = excluded.created_at, expires_at = excluded.expires_at, inference_id = NULL, http_status = NULL,
		headers = NULL, body = NULL, size_bytes = NULL`)
	answerKey = loosely(update("idempotency_keys", `status text, inference_id text, http_status bigint, headers text, body bytea,
		size_bytes bigint, expires_at timestamptz`, "id text, claim_id text", "status = 'claimed'"))
	freeKey = &statement{
		sqlite: `DELETE FROM idempotency_keys WHERE id = ? AND claim_id = ? AND status = 'claimed'`,
		postgres: `DELETE FROM idempotency_keys AS k USING unnest($1::text[], $2::text[]) AS v(id, claim_id)
			WHERE k.id = v.id AND k.claim_id = v.claim_id AND k.status = 'claimed'`,
		params: []string{"text", "text"},
	}
	// forgetKeys deletes a bounded number of rows, so that no transaction grows with how long nobody looked.
	forgetKeys = &statement{
		sqlite: `DELETE FROM idempotency_keys WHERE id IN
			(SELECT id FROM idempotency_keys WHERE expires_at <= ? ORDER BY expires_at LIMIT 500)`,
		postgres: `DELETE FROM idempotency_keys WHERE id IN
			(SELECT id FROM idempotency_keys WHERE expires_at <= ($1::timestamptz[])[1] ORDER BY expires_at LIMIT 500)`,
		params: []string{"timestamptz"},
	}
	// forgetBodies deletes as many at a time: bodies are large.
	forgetBodies = &statement{
		sqlite: `DELETE FROM bodies WHERE inference_id IN
			(SELECT inference_id FROM bodies WHERE created_at <= ? ORDER BY created_at LIMIT 100)`,
		postgres: `DELETE FROM bodies WHERE inference_id IN
			(SELECT inference_id FROM bodies WHERE created_at <= ($1::timestamptz[])[1] ORDER BY created_at LIMIT 100)`,
		params: []string{"timestamptz"},
	}

	insertModule = insert("modules", `digest text, kind text, name text, version text, bytes bytea, size_bytes bigint,
		created_at timestamptz`, "ON CONFLICT (digest) DO NOTHING")
	insertSignature = insert("module_signatures", `digest text, key_id text, signature text, created_at timestamptz`,
		"ON CONFLICT (digest, key_id) DO NOTHING")
	insertActivation = insert("activations", `id text, seq bigint, kind text, place text, digest text, version text, previous text,
		base text, action text, actor text, reason text, key_id text, host_id text, created_at timestamptz`, "")
	insertSigningKey = insert("signing_keys", `id text, public_key text, created_at timestamptz, replaces text`, "ON CONFLICT (id) DO NOTHING")
	retireSigningKey = update("signing_keys", `retired_at timestamptz`, "id text", "retired_at IS NULL")
	revokeSigningKey = update("signing_keys", `revoked_at timestamptz`, "id text", "revoked_at IS NULL")
	insertRoot       = insert("audit_roots", `root_seq bigint, root_hash text, tree_size bigint, previous_hash text, key_id text,
		signature text, signed_at timestamptz`, "")
	insertSignedHead = insert("audit_signed_heads", `agent_id text, root_seq bigint, seq bigint, event_hash text, key_id text,
		signature text, signed_at timestamptz`, "")
	// upsertHost takes a lease by the store's clock on PostgreSQL, since hosts' clocks need not agree.
	upsertHost = &statement{
		sqlite: `INSERT INTO hosts (id, started_at, lease_until) SELECT ?, ?, ? WHERE ? > 0
			ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until`,
		postgres: `INSERT INTO hosts (id, started_at, lease_until)
			SELECT id, started_at, clock_timestamp() + lease_ms * interval '1 millisecond'
			FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) AS v(id, started_at, lease_until, lease_ms)
			ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until`,
		params: []string{"text", "timestamptz", "timestamptz", "bigint"}, // id, started_at, lease_until, the lease in ms
	}
)

var writeOrder = []*statement{
	insertBlob, insertTenant, insertAgent, insertKey, insertWallet, insertHead, updateStatus, updateCaps,
	insertOutcome, insertInference, raiseInference, completeOutcome, amendOutcome, completeInference, amendInference,
	insertEntry, insertEvent, insertReceipt, amendReceipt, insertBody, updateWallet, upsertDay, updateHead,
	claimKey, answerKey, freeKey, forgetKeys, forgetBodies,
	insertModule, insertSignature, insertActivation, insertSigningKey, retireSigningKey, revokeSigningKey, insertRoot,
	insertSignedHead, upsertHost,
}

func init() {
	for _, st := range writeOrder {
		st.listed = true
	}
}

// loosely lets an update meet no row: whoever it was about has gone on.
func loosely(st *statement) *statement {
	st.exact = false
	return st
}

func updateOutcome(from string) *statement {
	return update("routing_outcomes", `served_model_slug text, adapter_module text, cost_actual_usd text,
		vendor_cost_usd text, cost_baseline_usd text, ttft_ms bigint, observed_latency_ms bigint, attempts text,
		outcome_status text, code text, usage text, usage_estimated boolean, completed_at timestamptz`, "id text", "outcome_status = '"+from+"'")
}

func updateInference(from string) *statement {
	return update("inferences", `model text, provider text, upstream_id text, adapter_module text, finish_reason text,
		finish_reason_native text, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
		cache_write_tokens bigint, cache_write_1h_tokens bigint, reasoning_tokens bigint, usage_estimated boolean,
		cost_micro_usd bigint, vendor_cost_micro_usd bigint, uncollected_micro_usd bigint, attempts text,
		response_hash text, status text, code text, ttft_ms bigint, latency_ms bigint, completed_at timestamptz`,
		"id text", "status = '"+from+"'")
}

// What the writer reads before it writes.
var (
	// lockHeads is PostgreSQL's alone: SQLite's transactions exclude each other anyway. Always in the order of the ids,
	// so that two hosts can't wait for each other; and a statement of its own, since what it waits for must be seen by
	// the one that reads.
	lockHeads = &statement{
		postgres: `SELECT agent_id FROM audit_heads WHERE agent_id = ANY($1) ORDER BY agent_id FOR UPDATE`,
		params:   []string{"text"},
	}
	selectAccount = &statement{
		sqlite:   selectAccountSQL + ` WHERE h.agent_id = ?`,
		postgres: selectAccountSQL + ` WHERE h.agent_id = ANY($1)`,
		params:   []string{"text"},
	}
	selectDay = &statement{
		sqlite: `SELECT agent_id, day, spent_micro_usd, held_micro_usd FROM daily_spend WHERE agent_id = ? AND day = ?`,
		postgres: `SELECT d.agent_id, d.day, spent_micro_usd, held_micro_usd FROM daily_spend d
			JOIN unnest($1::text[], $2::text[]) AS v(agent_id, day) ON d.agent_id = v.agent_id AND d.day = v.day`,
		params: []string{"text", "text"},
	}
	selectState = &statement{
		sqlite: `SELECT i.status, i.hold_micro_usd, o.outcome_status FROM inferences i
			LEFT JOIN routing_outcomes o ON o.id = i.outcome_id WHERE i.id = ?`,
		postgres: `SELECT i.status, i.hold_micro_usd, o.outcome_status FROM inferences i
			LEFT JOIN routing_outcomes o ON o.id = i.outcome_id WHERE i.id = ANY($1)`,
		params: []string{"text"},
	}
	// selectKeyHeld finds the keys that are not free: answered, or claimed by a host that lives, as the one that asks does.
	selectKeyHeld = &statement{
		sqlite: `SELECT k.id FROM idempotency_keys k LEFT JOIN hosts s ON s.id = k.host_id
			WHERE k.id = ? AND k.expires_at > ? AND (k.status = 'answered' OR k.host_id = ? OR s.lease_until >= ?)`,
		postgres: `SELECT k.id FROM idempotency_keys k
			JOIN unnest($1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[]) AS v(id, now, host, lease) ON v.id = k.id
			LEFT JOIN hosts s ON s.id = k.host_id
			WHERE k.expires_at > v.now AND (k.status = 'answered' OR k.host_id = v.host OR s.lease_until >= v.lease)`,
		params: []string{"text", "timestamptz", "text", "timestamptz"},
	}
	selectStray = &statement{
		sqlite:   `SELECT inference_id FROM routing_outcomes WHERE inference_id = ?`,
		postgres: `SELECT inference_id FROM routing_outcomes WHERE inference_id = ANY($1)`,
		params:   []string{"text"},
	}
)

const selectAccountSQL = `SELECT h.agent_id, h.seq, h.event_hash, a.status, a.per_call_cap_micro_usd, a.daily_cap_micro_usd,
	w.mode, w.balance_micro_usd, (SELECT max(l.id) FROM ledger_entries l WHERE l.agent_id = h.agent_id) FROM audit_heads h LEFT JOIN agents a ON a.id = h.agent_id
	LEFT JOIN wallets w ON w.agent_id = h.agent_id`
