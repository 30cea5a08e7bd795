package swaptorture

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tidwall/gjson"
)

// Times are durations; in a Report they are in order.
type Times []time.Duration

func (t Times) sort() { slices.Sort(t) }

// Quantile is the q-th of them, 0 to 1; zero of none.
func (t Times) Quantile(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[int(q*float64(len(t)-1))]
}

// swaps stages and activates, one plugin after the other, until there were enough or a stream failed.
func (c *caller) swaps(ctx context.Context, failed <-chan error) error {
	o := c.o
	if err := rest(ctx, o.Calm, failed); err != nil {
		return err
	}
	c.mark(true)
	defer c.mark(false)
	names := slices.Sorted(maps.Keys(o.Builds))
	for n := range o.Swaps {
		name := names[n%len(names)]
		builds := o.Builds[name]
		if err := c.swap(ctx, name, builds[n/len(names)%len(builds)]); err != nil {
			return fmt.Errorf("swap %d: %w", n+1, err)
		}
		c.report.Swaps++
		if o.Note != nil {
			o.Note(c.report.Swaps)
		}
		if err := rest(ctx, o.Pause, failed); err != nil {
			return err
		}
	}
	c.report.Staged.sort()
	c.report.Activated.sort()
	return nil
}

func (c *caller) mark(swapping bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.swapping = swapping
}

// rest waits, unless a stream fails meanwhile.
func rest(ctx context.Context, d time.Duration, failed <-chan error) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (c *caller) swap(ctx context.Context, name string, module []byte) error {
	path := "/plugins/" + url.PathEscape(name)
	began := time.Now()
	staged, err := c.operate(ctx, http.MethodPost, path+"/stage", module)
	if err != nil {
		return fmt.Errorf("stage %s: %w", name, err)
	}
	c.report.Staged = append(c.report.Staged, time.Since(began))
	list := gjson.GetBytes(staged, "staged.#.digest").Array()
	if len(list) == 0 {
		return fmt.Errorf("stage %s: nothing is staged: %s", name, staged)
	}
	digest := list[len(list)-1].Str
	began = time.Now()
	active, err := c.operate(ctx, http.MethodPost, path+"/activate", fmt.Appendf(nil, `{"digest":%q,"wait":"1m"}`, digest))
	if err != nil {
		return fmt.Errorf("activate %s: %w", name, err)
	}
	c.report.Activated = append(c.report.Activated, time.Since(began))
	if got := gjson.GetBytes(active, "active.digest").Str; got != digest {
		return fmt.Errorf("activate %s: %s serves, want %s", name, got, digest)
	}
	return nil
}

func (c *caller) operate(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return Operate(ctx, c.client, c.o.Admin, c.o.Token, method, path, body)
}

// Operate asks a server's listener for operators.
func Operate(ctx context.Context, client *http.Client, admin, token, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.500s", resp.StatusCode, out)
	}
	return out, err
}

// rules are what the rows of a run must keep, each a count that must be 0.
var rules = []struct{ name, count string }{
	{"decisions without their module", `SELECT count(*) FROM routing_outcomes WHERE policy_module IS NULL OR policy_module NOT IN (SELECT digest FROM modules)`},
	{"answers without their adapter's module", `SELECT count(*) FROM inferences WHERE adapter_module IS NULL OR adapter_module NOT IN (SELECT digest FROM modules)`},
	{"calls that did not succeed", `SELECT count(*) FROM routing_outcomes WHERE outcome_status <> 'succeeded'`},
	{"calls that took a second try", `SELECT count(*) FROM routing_outcomes WHERE attempts LIKE '%"reason"%'`},
}

// CheckRows holds the store of a run to its rules, and to there being rows of several versions of each kind.
func CheckRows(ctx context.Context, db *sql.DB) error {
	for _, r := range rules {
		var n int
		if err := db.QueryRowContext(ctx, r.count).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", r.name, err)
		}
		if n > 0 {
			return fmt.Errorf("%d %s", n, r.name)
		}
	}
	var policies, adapters int
	err := db.QueryRowContext(ctx, `SELECT count(DISTINCT policy_module), count(DISTINCT adapter_module) FROM routing_outcomes`).Scan(&policies, &adapters)
	if err != nil {
		return fmt.Errorf("count the versions that served: %w", err)
	}
	if policies < 2 || adapters < 2 {
		return fmt.Errorf("calls were served by %d policies and %d adapters: the swaps were not under load", policies, adapters)
	}
	return nil
}
