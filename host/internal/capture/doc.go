// Package capture is the books: what every call was, what became of it, and what it cost.
//
// The main path is Begin, then Complete. Begin makes the decision and the hold durable before anything is sent to a
// vendor; Complete ends the call with its outcome, inference, ledger entries, audit events and receipt in one
// transaction. Both go through the writer, which commits the calls that wait together as one transaction, so that the
// price of durability is shared. A call with an
// Idempotency-Key goes through ClaimKey first, and its end is the key's end. The rules are the specification's capture page.
package capture
