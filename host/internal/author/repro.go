package author

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// Keep writes the input of a fault into dir as a case, panic-HASH.txtar, and returns its path. The same input has one file.
// The case wants nothing but that it be survived: --update fills in what should come of it.
func Keep(dir string, f *sdktest.File, fault *wasm.Fault) (string, error) {
	kept := *f
	kept.WantRequest, kept.WantMessage, kept.Decision = nil, nil, nil
	text := kept.Renamed(fmt.Sprintf("%s: %s\n", fault.Call, firstLine(fault.Message)))
	sum := sha256.Sum256(inputOf(&kept))
	path := filepath.Join(dir, "panic-"+hex.EncodeToString(sum[:4])+".txtar")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, text, 0o644)
}

func firstLine(s string) string {
	line, _, _ := bytes.Cut([]byte(s), []byte("\n"))
	return string(line)
}

// inputOf is all that a guest is given in a case.
func inputOf(f *sdktest.File) []byte {
	return bytes.Join([][]byte{f.Input, f.Call, f.Body, f.Answer, {byte(f.End)}}, []byte{0})
}

// keep writes the case of a fault that another way of playing f found. Nothing is written where err is no fault.
func (t *tester) keep(f *sdktest.File, err error, edit func(*sdktest.File)) string {
	var fault *wasm.Fault
	if !errors.As(err, &fault) || t.opt.Repros == "" {
		return ""
	}
	c := *f
	if edit != nil {
		edit(&c)
	}
	path, kerr := Keep(t.opt.Repros, &c, fault)
	if kerr != nil {
		return fmt.Sprintf("nowhere: %v", kerr)
	}
	return path
}

// known is the file that holds the input of a fault which the case itself found.
func (t *tester) known(f *sdktest.File, err error) string {
	if isFault(err) {
		return f.Path
	}
	return ""
}

// answerUntil is answer.http with the body's first frames alone.
func (sc *script) answerUntil(answer []byte, frames int) []byte {
	if sc.kind == "" {
		return answer
	}
	head := answer[:len(answer)-len(sc.body)]
	return append(append([]byte(nil), head...), bytes.Join(sc.raw[:min(frames, len(sc.raw))], nil)...)
}
