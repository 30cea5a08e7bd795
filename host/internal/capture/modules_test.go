package capture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/schema"
)

// Only what nothing names goes: one module for each way to be named, and one for none.
func TestUnusedModules(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		config.Now = func() time.Time { return now }
		b := openBooks(t, config)
		put := func(name string) string {
			t.Helper()
			sum := sha256.Sum256([]byte(name))
			digest := hex.EncodeToString(sum[:])
			if err := b.PutModule(ctx, digest, "policy", name, "1.0.0", []byte(name)); err != nil {
				t.Fatal(err)
			}
			return digest
		}
		a := mustAgent(t, b, NewAgent{Name: "a"})
		call := routed(a, 100)
		call.Decided.PolicyModule = put("decided")
		end := ended(schema.StatusSucceeded, 10)
		end.AdapterModule = put("translated")
		mustComplete(t, mustBegin(t, b, call), end)
		direct := ended(schema.StatusSucceeded, 10)
		direct.AdapterModule = put("translated a pinned call")
		mustComplete(t, mustBegin(t, b, pinned(a, 100)), direct)
		refused := sampleDecided("r", a.ID, 5, 4)
		refused.PolicyModule = put("refused")
		if _, err := b.Reject(ctx, &Rejection{Agent: a, RequestID: "r", Endpoint: "/v1/messages", Status: schema.StatusRejectedFloor, Decided: refused}); err != nil {
			t.Fatal(err)
		}
		for i, v := range []schema.Activation{{Digest: put("active")}, {Digest: "x", Previous: put("previous")}, {Digest: "x", Base: put("base")}} {
			v.ID, v.Seq, v.CreatedAt = NewID(), int64(i+1), now
			if _, err := b.db.NewInsert().Model(&v).Exec(ctx); err != nil {
				t.Fatal(err)
			}
		}
		configured, unused, late := put("configured"), put("unused"), put("activated at the last moment")
		now = now.Add(time.Hour)
		young := put("young")

		list := func() (names []string) {
			t.Helper()
			found, err := b.UnusedModules(ctx, []string{configured}, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found {
				names = append(names, m.Name)
				if m.Bytes != nil || m.SizeBytes == 0 {
					t.Errorf("%s is listed with %d bytes, size %d", m.Name, len(m.Bytes), m.SizeBytes)
				}
			}
			slices.Sort(names)
			return names
		}
		if got, want := list(), []string{"activated at the last moment", "unused"}; !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q unused, want %q", got, want)
		}
		v := schema.Activation{ID: NewID(), Seq: 9, Digest: late, CreatedAt: now}
		if _, err := b.db.NewInsert().Model(&v).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		signature := schema.ModuleSignature{Digest: unused, KeyID: "k", Signature: "s", CreatedAt: now}
		if _, err := b.db.NewInsert().Model(&signature).Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for digest, want := range map[string]bool{unused: true, late: false, young + "0": false} {
			if removed, err := b.RemoveModule(ctx, digest); err != nil || removed != want {
				t.Errorf("%s: got removed %v, %v, want %v", digest, removed, err, want)
			}
		}
		if got := list(); len(got) != 0 {
			t.Errorf("got %q unused afterwards, want none", got)
		}
		if n, err := b.db.NewSelect().Model((*schema.Module)(nil)).Count(ctx); err != nil || n != 10 {
			t.Errorf("got %d modules left, %v, want 10", n, err)
		}
		if n, err := b.db.NewSelect().Model((*schema.ModuleSignature)(nil)).Count(ctx); err != nil || n != 0 {
			t.Errorf("got %d signatures left, %v, want none", n, err)
		}
	})
}

// Every column that could name a module either keeps it or is known not to be a name.
func TestModuleReferencesAreAll(t *testing.T) {
	b := openBooks(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	others := []string{
		"modules.digest", "module_signatures.digest", // the module itself, and what goes with it
		"blobs.digest", // not a module
	}
	for _, table := range copyTables(b.db) {
		for _, c := range table.columns {
			if c.name != "digest" && c.name != "previous" && c.name != "base" && !strings.HasSuffix(c.name, "_module") && !strings.HasSuffix(c.name, "_digest") {
				continue
			}
			if name := table.name + "." + c.name; !slices.Contains(others, name) && !slices.Contains(moduleReferences, moduleReference{table.name, c.name}) {
				t.Errorf("%s may name a module, and the clean-up does not look there", name)
			}
		}
	}
}
