package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Signing is whose plugins are run.
type Signing struct {
	// Keys are the public keys of those who may sign a module. Defaults to none.
	Keys []ed25519.PublicKey
	// Required refuses every module that none of the keys signed, the built-in ones apart. Defaults to false.
	Required bool

	located
}

func (d *decoder) signing(b *hcl.Block, s *Signing) {
	var keys []string
	d.body(b.Body, "signing", &s.located, fields{
		"keys": list(&keys, func(x value, text string) bool {
			_, ok := publicKey(text)
			if !ok {
				x.want("an Ed25519 public key, its 32 bytes in base64 or a PEM block%s", x.got(text))
			}
			return ok
		}),
		"required": boolean(&s.Required),
	}, nil)
	for _, text := range keys {
		key, _ := publicKey(text)
		s.Keys = append(s.Keys, key)
	}
	if s.Required && len(s.Keys) == 0 {
		d.errorf(s.Pos("required"), "signing: required = true without keys: expected at least one key that may sign")
	}
}

// publicKey reads a key as `openssl pkey -pubout` writes it, or its bare 32 bytes.
func publicKey(text string) (ed25519.PublicKey, bool) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return parseDER(block.Bytes)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, false
	}
	if len(raw) == ed25519.PublicKeySize {
		return ed25519.PublicKey(raw), true
	}
	return parseDER(raw)
}

func parseDER(der []byte) (ed25519.PublicKey, bool) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	key, ok := parsed.(ed25519.PublicKey)
	return key, err == nil && ok
}
