package capture

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/ainfera-ai/router/host/internal/proof"
)

// A Signer is the host's Ed25519 key.
type Signer struct {
	key ed25519.PrivateKey
	id  string
}

// The signing key is in signingKeyFile; nextKeyFile is one that was made to take its place.
const (
	signingKeyFile = "signing_key.pem"
	nextKeyFile    = "signing_key.next.pem"
)

// openSigner reads the key in dir, made at a host's first start and readable by its owner only. A command that comes
// before any host has none.
func openSigner(d disk, dir string, command bool) (*Signer, error) {
	path := filepath.Join(dir, signingKeyFile)
	s, err := readSigner(d, path)
	if errors.Is(err, fs.ErrNotExist) {
		if command {
			return &Signer{}, nil
		}
		return newSigner(d, path)
	}
	return s, err
}

func readSigner(d disk, path string) (*Signer, error) {
	data, err := d.read(path)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM key: restore it, or move it away to have a new one made", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s holds no Ed25519 key: restore it, or move it away to have a new one made", path)
	}
	return signerOf(key), nil
}

func newSigner(d disk, path string) (*Signer, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	if err := writeSynced(d, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, fmt.Errorf("keep the signing key: %w", err)
	}
	return signerOf(key), nil
}

func signerOf(key ed25519.PrivateKey) *Signer {
	return &Signer{key: key, id: proof.KeyID(key.Public().(ed25519.PublicKey))}
}

// KeyID names the key: the first 16 hex digits of its public half's SHA-256.
func (s *Signer) KeyID() string { return s.id }

// Public is the public half, nil where there is no key yet.
func (s *Signer) Public() ed25519.PublicKey {
	if s.key == nil {
		return nil
	}
	return s.key.Public().(ed25519.PublicKey)
}

// Sign signs canonical JSON; the signature is standard base64.
func (s *Signer) Sign(canonical []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, canonical))
}

// Signer is the key that this host signs with now.
func (b *Books) Signer() *Signer { return b.signer.Load() }
