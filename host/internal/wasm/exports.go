package wasm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ainfera-ai/router/host/internal/wasm/meter"
	"github.com/ainfera-ai/router/sdk/abi"
)

// A signature is an export that a module must have.
type signature struct{ name, want string }

// wanted are the exports of each kind, beside memory and marker.
var wanted = map[Kind][]signature{
	KindAdapter: {
		{abi.ExportManifest, "() -> i64"}, {abi.ExportArena, "(i32) -> i32"},
		{abi.ExportOpen, "(i32, i32) -> i64"}, {abi.ExportPush, "(i32, i32) -> i64"}, {abi.ExportClose, "(i32) -> ()"},
	},
	KindPolicy: {
		{abi.ExportManifest, "() -> i64"}, {abi.ExportArena, "(i32) -> i32"}, {abi.ExportDecide, "(i32, i32) -> i64"},
	},
}

// markers are those of the version that this host speaks.
var markers = map[Kind]string{KindAdapter: abi.ExportAdapter, KindPolicy: abi.ExportPolicy}

// drafts are the markers from before the version was fixed. Nothing else has changed since, and rows name modules that
// have them: what those decided can be decided again.
var drafts = map[Kind]string{KindAdapter: "ainfera_adapter_v0", KindPolicy: "ainfera_policy_v0"}

// draftImports is what such a module calls abi.ImportModule.
const draftImports = "ainfera_v0"

// checkExports finds out what the module is and whether it has what that takes.
func (m *Module) checkExports() error {
	exports := map[string]meter.Export{}
	for _, e := range m.meta.Exports {
		exports[e.Name] = e
	}
	kind, marker, err := kindOf(exports, m.spec.Kind)
	if err != nil {
		return err
	}
	m.kind, m.marker = kind, marker
	if e, ok := exports[abi.ExportMemory]; !ok || e.Kind != meter.Memory {
		return fmt.Errorf("exports no memory under the name %q", abi.ExportMemory)
	}
	all := append([]signature{{m.marker, "(i32) -> i32"}}, wanted[kind]...)
	if _, ok := exports[abi.ExportInitialize]; ok {
		all = append(all, signature{abi.ExportInitialize, "() -> ()"})
	}
	for _, s := range all {
		e, ok := exports[s.name]
		switch {
		case !ok || e.Kind != meter.Func:
			return fmt.Errorf("exports no function %s, which every %s has", s.name, kind)
		case e.Type.String() != s.want:
			return fmt.Errorf("exports %s as %s, want %s", s.name, e.Type, s.want)
		}
	}
	return nil
}

// kindOf reads the markers, of which a module has one. A mismatch names what was expected and what was found.
func kindOf(exports map[string]meter.Export, want Kind) (kind Kind, marker string, err error) {
	expected := markers[want]
	switch {
	case want == "":
		expected = abi.ExportAdapter + " or " + abi.ExportPolicy
	case expected == "":
		return "", "", fmt.Errorf("kind %q is unknown, want adapter or policy", want)
	}
	var found []string
	for name := range exports {
		if strings.HasPrefix(name, "ainfera_adapter_v") || strings.HasPrefix(name, "ainfera_policy_v") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	switch _, command := exports["_start"]; {
	case len(found) > 1:
		return "", "", fmt.Errorf("exports both %s and %s: a module has one marker", found[0], found[1])
	case len(found) == 0 && command:
		return "", "", errors.New("is a command, not a guest: it exports _start and no marker; build it with -buildmode=c-shared")
	case len(found) == 0:
		return "", "", fmt.Errorf("exports no marker, this host expects %s", expected)
	}
	for _, kind := range []Kind{KindAdapter, KindPolicy} {
		if (found[0] == markers[kind] || found[0] == drafts[kind]) && (want == "" || want == kind) {
			return kind, found[0], nil
		}
	}
	return "", "", fmt.Errorf("exports the marker %s, this host expects %s", found[0], expected)
}
