package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

func TestSigningKeys(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"bare": base64.StdEncoding.EncodeToString(public), "DER": base64.StdEncoding.EncodeToString(der),
		"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse("c.hcl", fmt.Appendf(nil, "signing {\n  keys = [%q]\n  required = true\n}\n", text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(cfg.Signing.Keys) != 1 || !cfg.Signing.Keys[0].Equal(public) || !cfg.Signing.Required {
				t.Errorf("got %+v", cfg.Signing)
			}
		})
	}
	for name, c := range map[string]struct{ text, want string }{
		"not a key":      {`signing { keys = ["c2hvcnQ="] }`, "c.hcl:1:19: signing: keys: expected an Ed25519 public key"},
		"none to check":  {`signing { required = true }`, "c.hcl:1:22: signing: required = true without keys"},
		"watched binary": {"plugin \"floor\" {\n  watch = true\n}", `c.hcl:2:11: plugin "floor": watch: a built-in module does not change`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("c.hcl", []byte(c.text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
