package capture

import (
	"context"
	"testing"

	"github.com/ainfera-ai/router/schema"
)

// The queries that the tables' README shows must run on both stores.
func TestReadmeQueries(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "local"})
		c := mustBegin(t, b, routed(a, 10))
		mustComplete(t, c, ended(schema.StatusSucceeded, 5))
		for _, query := range readmeQueries(t) {
			rows, err := b.db.QueryContext(context.Background(), query)
			if err != nil {
				t.Errorf("%v: %s", err, query)
				continue
			}
			if !rows.Next() {
				t.Errorf("no rows: %s", query)
			}
			rows.Close()
		}
	})
}
