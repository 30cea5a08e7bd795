package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// KeyAlgorithm is what every key of these books is for.
const KeyAlgorithm = "Ed25519"

// A Key is the public half of a signing key as it is published.
type Key struct {
	KeyID     string  `json:"key_id"`
	Algorithm string  `json:"algorithm"`
	PublicKey string  `json:"public_key"` // standard base64
	CreatedAt string  `json:"created_at"`
	RetiredAt *string `json:"retired_at"` // null: it still signs
	RevokedAt *string `json:"revoked_at"` // null: it is trusted
	Replaces  string  `json:"replaces,omitempty"`
}

// A KeyList is the document at /.well-known/ainfera-public-key.json.
type KeyList struct {
	Keys []Key `json:"keys"`
}

// KeyID names a key: the first 16 hex digits of its public half's SHA-256.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// ReadKeys reads a KeyList that was saved.
func ReadKeys(document []byte) (Keyring, error) {
	var list KeyList
	if err := json.Unmarshal(document, &list); err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	if len(list.Keys) == 0 {
		return nil, errors.New("the keys' document holds none: save /.well-known/ainfera-public-key.json")
	}
	ring := Keyring{}
	for i := range list.Keys {
		if err := ring.Add(&list.Keys[i]); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// A Keyring is the keys that a verifier knows, by id.
type Keyring map[string]ringKey

type ringKey struct {
	public           ed25519.PublicKey
	retired, revoked time.Time // zero is never
}

// Add takes a key in. It refuses one that is not what its id says, so that no id can stand for another key.
func (r Keyring) Add(k *Key) error {
	public, err := base64.StdEncoding.DecodeString(k.PublicKey)
	if err != nil || len(public) != ed25519.PublicKeySize || k.Algorithm != KeyAlgorithm {
		return fmt.Errorf("key %.40q is no %s key", k.KeyID, KeyAlgorithm)
	}
	if id := KeyID(public); id != k.KeyID {
		return fmt.Errorf("key %.40q holds the public half of %s", k.KeyID, id)
	}
	held := ringKey{public: public}
	for _, at := range []struct {
		dst  *time.Time
		text *string
	}{{&held.retired, k.RetiredAt}, {&held.revoked, k.RevokedAt}} {
		if at.text == nil {
			continue
		}
		if *at.dst, err = time.Parse(time.RFC3339Nano, *at.text); err != nil {
			return fmt.Errorf("key %s: %w", k.KeyID, err)
		}
	}
	r[k.KeyID] = held
	return nil
}

// clockSkew is how far two clocks of one fleet may be apart.
const clockSkew = time.Minute

// What may be wrong with a signature.
const (
	RuleUnsigned   = "a document is not a signed JSON object"
	RuleUnknownKey = "a document is signed with a key that is not known"
	RuleSignature  = "a signature is not the key's over this document"
	RuleKeyTime    = "a key signed outside of its time"
)

// Verify returns what is wrong with a signed document's signature, or nil: whose it claims to be, whether it is that
// key's over these bytes, and whether the key was in force at the document's signed_at, where it has one.
func (r Keyring) Verify(document []byte) *Break {
	var claim struct {
		KeyID    string `json:"key_id"`
		SignedAt string `json:"signed_at"`
	}
	if err := json.Unmarshal(document, &claim); err != nil {
		return &Break{RuleUnsigned, "a JSON object with key_id and signature", err.Error()}
	}
	key, ok := r[claim.KeyID]
	if !ok {
		return &Break{RuleUnknownKey, "one of the known keys", fmt.Sprintf("key_id %.40q", claim.KeyID)}
	}
	if err := VerifySigned(document, key.public); err != nil {
		return &Break{RuleSignature, "a signature of key " + claim.KeyID, err.Error()}
	}
	if claim.SignedAt == "" {
		return nil
	}
	return key.inForce(claim.KeyID, claim.SignedAt)
}

// inForce judges when a key signed. Retired is a matter of order, where the clocks of two hosts may differ; revoked is
// one of trust, where nothing is given away. When it was made is not asked: a clock that was set back in between would be
// taken for a forger, who could write any time as well.
func (k *ringKey) inForce(id, signedAt string) *Break {
	at, err := time.Parse(time.RFC3339Nano, signedAt)
	switch {
	case err != nil:
		return &Break{RuleKeyTime, "a time", err.Error()}
	case !k.retired.IsZero() && at.After(k.retired.Add(clockSkew)):
		return &Break{RuleKeyTime, "signed_at before key " + id + " was retired, " + k.retired.Format(time.RFC3339), signedAt}
	case !k.revoked.IsZero() && !at.Before(k.revoked):
		return &Break{RuleKeyTime, "signed_at before key " + id + " was revoked, " + k.revoked.Format(time.RFC3339), signedAt}
	}
	return nil
}

// VerifySigned checks a signed JSON document, a receipt, a head or a root: its `signature` is of the canonical JSON of
// all else.
func VerifySigned(document []byte, key ed25519.PublicKey) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	var text string
	if err := json.Unmarshal(fields["signature"], &text); err != nil {
		return errors.New("the document has no signature")
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("read the signature: %w", err)
	}
	delete(fields, "signature")
	rest, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	canonical, err := Canonical(rest)
	if err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, canonical, signature) {
		return errors.New("the signature is not this key's over this document")
	}
	return nil
}
