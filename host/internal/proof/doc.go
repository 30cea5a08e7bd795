// Package proof is the outsider's view of the books: what can be checked without a store, and without trusting its owner.
//
// [Verifier] is the main path: it takes the records of an export, one after the other, and names whatever is wrong with
// the chains, the receipts, the signed heads and the roots. The same records come from a file or straight from a store,
// so that there is one judge. VerifyReceipt judges a receipt by itself, VerifyChain the events of one chain.
package proof
