package schema

// Tables returns a nil pointer of each table's model, in the order in which a store is copied: whoever is named before
// who names it. A test holds the list to the tables that the migrations leave behind, column by column; schema_versions,
// which says where those are, is the migrations' own and not in it.
func Tables() []any {
	return []any{
		(*Tenant)(nil), (*Agent)(nil), (*APIKey)(nil), (*Wallet)(nil), (*DailySpend)(nil),
		(*SigningKey)(nil), (*Module)(nil), (*ModuleSignature)(nil), (*Activation)(nil), (*Host)(nil),
		(*Blob)(nil), (*RoutingOutcome)(nil), (*Inference)(nil), (*Body)(nil),
		(*LedgerEntry)(nil), (*AuditHead)(nil), (*AuditEvent)(nil), (*Receipt)(nil),
		(*AuditRoot)(nil), (*AuditSignedHead)(nil),
		(*IdempotencyKey)(nil),
	}
}
