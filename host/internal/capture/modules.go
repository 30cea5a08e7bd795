package capture

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/schema"
)

// A moduleReference is a column that names modules by digest. A test holds the list to the columns that the tables have.
type moduleReference struct{ table, column string }

var moduleReferences = []moduleReference{
	{"routing_outcomes", "policy_module"},
	{"routing_outcomes", "adapter_module"},
	{"inferences", "adapter_module"},
	{"activations", "digest"},
	{"activations", "previous"},
	{"activations", "base"},
}

// UnusedModules lists the modules, without their bytes, that nothing names: no row of a call, no activation, none of the
// digests (hex) that the caller's configuration has. What came after before is not listed, since whoever put it there may
// be about to name it. It reads all calls, since no index leads from a module to them.
func (b *Books) UnusedModules(ctx context.Context, configured []string, before time.Time) ([]schema.Module, error) {
	used := map[string]bool{}
	for _, digest := range configured {
		used[digest] = true
	}
	for _, ref := range moduleReferences {
		var digests []string
		err := b.db.NewSelect().Distinct().Table(ref.table).Column(ref.column).Where("? IS NOT NULL", bun.Ident(ref.column)).Scan(ctx, &digests)
		if err != nil {
			return nil, fmt.Errorf("modules that %s names: %w", ref.table, err)
		}
		for _, digest := range digests {
			used[digest] = true
		}
	}
	var modules []schema.Module
	err := b.db.NewSelect().Model(&modules).ExcludeColumn("bytes").Where("created_at < ?", b.instant(before)).Order("created_at", "digest").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	return slices.DeleteFunc(modules, func(m schema.Module) bool { return used[m.Digest] }), nil
}

// RemoveModule removes a module that UnusedModules listed, with the signatures over it. It reports false when it is gone
// already, or when an activation has named it since, which is how one comes into use.
func (b *Books) RemoveModule(ctx context.Context, digest string) (removed bool, err error) {
	err = b.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		r, err := tx.NewDelete().Model((*schema.Module)(nil)).Where("digest = ?", digest).
			Where("NOT EXISTS (SELECT 1 FROM activations AS v WHERE ? IN (v.digest, v.previous, v.base))", digest).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if removed = n > 0; err != nil || !removed {
			return err
		}
		_, err = tx.NewDelete().Model((*schema.ModuleSignature)(nil)).Where("digest = ?", digest).Exec(ctx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remove module %s: %w", digest, err)
	}
	return removed, nil
}
