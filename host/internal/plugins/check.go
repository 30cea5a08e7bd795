package plugins

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// A Refusal says why a version may not serve. What runs goes on running.
type Refusal struct {
	Plugin string
	// Step is what was being checked: "digest", "signature", a step of wasm.LoadError, "name", "settings" or "self-test".
	Step string
	Err  error
}

// Error names plugin, step and reason. The sandbox's own errors name both themselves.
func (e *Refusal) Error() string {
	var load *wasm.LoadError
	if errors.As(e.Err, &load) {
		return e.Err.Error()
	}
	return fmt.Sprintf("plugin %s: %s: %v", e.Plugin, e.Step, e.Err)
}

// Unwrap returns the reason.
func (e *Refusal) Unwrap() error { return e.Err }

// A candidate is a module that wants to serve.
type candidate struct {
	bytes      []byte
	builtin    bool
	signatures []string // standard base64; one that holds is enough
	// name is the manifest's that it must have, empty for any: what is swapped is a version, not a plugin.
	name string
}

// load makes a candidate into a version, or says at which step it was refused.
func (r *Registry) load(ctx context.Context, s *Spec, c candidate) (*version, error) {
	refuse := func(step string, err error) (*version, error) { return nil, &Refusal{s.Name, step, err} }
	v := &version{digest: digestOf(c.bytes), size: len(c.bytes), since: r.conf.Now()}
	if err := s.pinned(v.digest); err != nil {
		return refuse("digest", err)
	}
	var err error
	if v.keyID, err = s.signing.verify(c); err != nil {
		return refuse("signature", err)
	}
	isolation := s.Isolation
	if isolation == "" && c.builtin {
		isolation = wasm.IsolationShared
	}
	v.m, err = r.conf.Sandbox.Load(ctx, wasm.Spec{Name: s.Name, Bytes: c.bytes, Kind: s.Kind, Fuel: s.Fuel,
		FuelPerByte: s.FuelPerByte, MemoryBytes: s.MemoryBytes, Isolation: isolation, Workers: r.workers()})
	if err != nil {
		step := "load"
		var known *wasm.LoadError
		if errors.As(err, &known) {
			step = known.Step
		}
		return refuse(step, err)
	}
	step, err := r.examine(ctx, s, c, v)
	if err != nil {
		v.m.Close()
		return refuse(step, err)
	}
	return v, nil
}

// workers leaves callers half of the processors, once there are callers.
func (r *Registry) workers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.plugins) == 0 {
		return 0
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// examine checks what only a loaded module can tell.
func (r *Registry) examine(ctx context.Context, s *Spec, c candidate, v *version) (step string, err error) {
	manifest := v.m.Manifest()
	if c.name != "" && manifest.Name != c.name {
		return "name", fmt.Errorf("module calls itself %q, what serves is %q: another plugin enters by the configuration, not as a version of this one", manifest.Name, c.name)
	}
	if s.Check != nil {
		if err := s.Check(manifest); err != nil {
			return "settings", err
		}
	}
	v.cases, err = selfTest(ctx, v.m, c.bytes, maxSelfTestFuel)
	return "self-test", err
}

// pinned refuses every digest but the one that the configuration pins the plugin to.
func (s *Spec) pinned(digest string) error {
	if s.Pin == "" || bare(s.Pin) == digest {
		return nil
	}
	return fmt.Errorf("module is sha256:%s, the configuration pins the plugin to %s: change digest there and reload", digest, s.Pin)
}

// verify returns the key whose signature holds. Without one it is an error where signatures are required, those modules
// apart that came with the binary.
func (signing *Signing) verify(c candidate) (keyID string, err error) {
	for _, text := range c.signatures {
		signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return "", fmt.Errorf("signature is not base64: %w", err)
		}
		for _, key := range signing.Keys {
			if ed25519.Verify(key, c.bytes, signature) {
				return KeyID(key), nil
			}
		}
	}
	switch {
	case c.builtin:
		return "", nil
	case len(c.signatures) > 0 && len(signing.Keys) > 0:
		return "", errors.New("none of the configuration's keys made this signature over this module")
	case signing.Required:
		return "", errors.New("module has no signature, and the configuration requires one: sign its bytes with one of signing.keys")
	}
	return "", nil
}

// KeyID names a public key: the first 16 hex digits of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

func digestOf(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// bare is a digest as the rows hold it: lower-case hex alone.
func bare(digest string) string { return strings.ToLower(strings.TrimPrefix(digest, "sha256:")) }

// stored is a candidate from the store.
func (r *Registry) stored(ctx context.Context, digest string) (candidate, error) {
	_, module, err := r.conf.Store.Module(ctx, digest)
	if err != nil {
		return candidate{}, err
	}
	rows, err := r.conf.Store.Signatures(ctx, digest)
	if err != nil {
		return candidate{}, err
	}
	return candidate{bytes: module, signatures: signaturesOf(rows)}, nil
}

func signaturesOf(rows []schema.ModuleSignature) []string {
	var list []string
	for _, s := range rows {
		list = append(list, s.Signature)
	}
	return list
}

// keep puts a version's bytes, and the signature that was accepted, where every host can find them.
func (r *Registry) keep(ctx context.Context, v *version, c candidate) error {
	manifest := v.m.Manifest()
	if err := r.conf.Store.PutModule(ctx, v.digest, string(manifest.Kind), manifest.Name, manifest.Version, c.bytes); err != nil {
		return err
	}
	for _, signature := range c.signatures {
		if v.keyID == "" {
			break
		}
		if err := r.conf.Store.PutSignature(ctx, v.digest, v.keyID, strings.TrimSpace(signature)); err != nil {
			return err
		}
	}
	return nil
}

// Examine loads a module outside of any plugin, as a registry would without signatures, settings and pins, and says what it
// is. Nothing of it stays loaded.
func Examine(ctx context.Context, sandbox *wasm.Host, name string, module []byte) (Version, wasm.Manifest, error) {
	r := New(Config{Sandbox: sandbox})
	defer r.Close()
	v, err := r.load(ctx, &Spec{Name: name}, candidate{bytes: module})
	if err != nil {
		return Version{}, wasm.Manifest{}, err
	}
	defer v.m.Close()
	return v.shown(), v.m.Manifest(), nil
}
