package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestProviderBlocksServe starts a server with every block of examples/providers at once, each with its key: settings are
// checked against the adapters' manifests then, and each provider is on.
func TestProviderBlocksServe(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "examples", "providers", "*.hcl"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	variable, name := regexp.MustCompile(`env\("([A-Z_0-9]+)"\)`), regexp.MustCompile(`(?m)^provider "([^"]+)"`)
	var all strings.Builder
	seen := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		for _, v := range variable.FindAllStringSubmatch(string(b), -1) {
			value := "a-key-of-the-test"
			if strings.HasPrefix(v[1], "GOOGLE") {
				value = serviceAccount(t)
			}
			t.Setenv(v[1], value)
		}
		for _, n := range name.FindAllStringSubmatch(string(b), -1) {
			if seen[n[1]] {
				t.Errorf("two blocks are called %s", n[1])
			}
			seen[n[1]] = true
		}
	}
	r := start(t, catalogue, all.String())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/providers", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", r.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range seen {
		if !gjson.GetBytes(said, `#(slug=="`+n+`").active`).Bool() {
			t.Errorf("provider %s is not active: %d %s", n, resp.StatusCode, said)
		}
	}
}

// serviceAccount is a key file as Google writes them, of nobody's.
func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "a@b.iam", "private_key_id": "k1",
		"token_uri": "https://oauth2.googleapis.com/token", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
