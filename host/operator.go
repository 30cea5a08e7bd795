package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ainfera-ai/router/host/internal/admin"
	"github.com/ainfera-ai/router/host/internal/config"
)

// An operator talks to a running server's listener for operators.
type operator struct {
	url, token string
	client     *http.Client
}

// An operatorError is what the server answered instead.
type operatorError struct {
	said   admin.Error
	status int
	body   []byte
}

func (e *operatorError) Error() string { return e.said.Message }

// newOperator finds the server that runs on a configuration. address is a URL of the operator's own, or empty.
func newOperator(cfg *config.Config, address string) (*operator, error) {
	o := &operator{url: strings.TrimRight(address, "/"), token: cfg.Admin.Token.Reveal(), client: &http.Client{}}
	if o.url == "" {
		listen, err := adminAddress(cfg)
		if err != nil {
			return nil, err
		}
		o.url = "http://" + listen
	}
	if o.token != "" {
		return o, nil
	}
	kept, err := os.ReadFile(filepath.Join(cfg.Store.Dir, tokenFile))
	if err != nil {
		return nil, fmt.Errorf("read the admin token: %w: run this where the server keeps its data, or set AINFERA_ADMIN_TOKEN for a configuration that reads it", err)
	}
	o.token = strings.TrimSpace(string(kept))
	return o, nil
}

// Files that a server keeps beside its store.
const (
	tokenFile   = "admin.token"
	addressFile = "admin.address"
)

// adminAddress is the configuration's, or where its server wrote that the kernel chose the port. One that listens on every
// address is spoken to on loopback.
func adminAddress(cfg *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Admin.Listen)
	if err != nil {
		return "", fmt.Errorf("admin: listen: %w", err)
	}
	if port == "0" {
		kept, err := os.ReadFile(filepath.Join(cfg.Store.Dir, addressFile))
		if err != nil {
			return "", fmt.Errorf("find the server, whose port the kernel chose: %w: is it running? --admin URL says where", err)
		}
		return strings.TrimSpace(string(kept)), nil
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port), nil
	}
	return cfg.Admin.Listen, nil
}

// keepAddress writes down where operators are listened to.
func (h *host) keepAddress(address string) error {
	if err := os.WriteFile(filepath.Join(h.cfg.Store.Dir, addressFile), []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the address for operators: %w", err)
	}
	return nil
}

// do sends a request and returns the answer's body. An answer that is none is an *operatorError.
func (o *operator) do(ctx context.Context, method, path string, body []byte, header ...string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, o.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w: is it running? --admin URL says where", err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return out, nil
	}
	e := &operatorError{status: resp.StatusCode, body: out}
	if err := json.Unmarshal(out, &e.said); err != nil || e.said.Message == "" {
		e.said.Message = fmt.Sprintf("%s %s: the server answered %s", method, path, resp.Status)
	}
	return out, e
}

// order is do with a JSON body.
func (o *operator) order(ctx context.Context, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return o.do(ctx, http.MethodPost, path, text, "Content-Type", "application/json")
}

// asOperatorError is the server's answer in an error, or nil.
func asOperatorError(err error) *operatorError {
	var e *operatorError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
