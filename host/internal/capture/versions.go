package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ainfera-ai/router/schema/migrations"
)

// Versions says which versions of the tables a store has been through and which are pending. It neither makes the store
// nor migrates it, so that an operator can look before a start does.
func Versions(ctx context.Context, dsn string) (states []migrations.State, err error) {
	if path, ok := sqlitePath(dsn); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return migrations.Pending(), nil
		}
	}
	db, secret, err := openDB(dsn)
	if err != nil {
		return nil, scrub(fmt.Errorf("open the store: %w", err), secret)
	}
	defer func() { err = scrub(errors.Join(err, db.Close()), secret) }()
	return migrations.Status(ctx, db)
}
