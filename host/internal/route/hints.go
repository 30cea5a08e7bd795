package route

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/tidwall/gjson"
)

// Hints are what a caller, a target or an agent asks of the routing. An empty field says nothing.
type Hints struct {
	MinQuality string // a decimal 0 to 1
	BudgetUSD  string // a decimal ≥ 0
	LatencyMS  int
	Preference string
	TaskType   string
	Tags       map[string]string

	// Unknown are the fields and values that were not understood: recorded, and otherwise ignored.
	Unknown []string
}

// Task floors: the default min_quality of a task type where nobody gave one.
var taskFloors = map[string]string{
	"reasoning": "0.88", "code": "0.78", "tool_use": "0.78", "general": "0.68",
	"chat": "0.58", "extraction": "0.58", "embed": "0.52",
}

// Quality tiers that min_quality may be given as.
var tiers = map[string]string{"good": "0.50", "frontier": "0.85"}

// under fills what h leaves open from weaker.
func (h Hints) under(weaker Hints) Hints {
	pick := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	h.MinQuality = pick(h.MinQuality, weaker.MinQuality)
	h.BudgetUSD = pick(h.BudgetUSD, weaker.BudgetUSD)
	h.Preference = pick(h.Preference, weaker.Preference)
	h.TaskType = pick(h.TaskType, weaker.TaskType)
	if h.LatencyMS == 0 {
		h.LatencyMS = weaker.LatencyMS
	}
	if h.Tags == nil {
		h.Tags = weaker.Tags
	}
	h.Unknown = append(h.Unknown, weaker.Unknown...)
	return h
}

// bodyHints reads `routing_hint` (raw JSON, may be empty) and the top-level task_type.
func bodyHints(raw []byte, taskType string) (Hints, error) {
	var h Hints
	if len(raw) > 0 {
		v := gjson.ParseBytes(raw)
		switch {
		case v.Type == gjson.Null:
		case !v.IsObject():
			return h, badHint("routing_hint", "must be an object")
		default:
			var err error
			v.ForEach(func(k, val gjson.Result) bool {
				err = h.set("routing_hint."+k.String(), k.String(), val)
				return err == nil
			})
			if err != nil {
				return h, err
			}
		}
	}
	if h.TaskType == "" && taskType != "" {
		h.setTask(taskType)
	}
	return h, nil
}

// headerHints reads the x-ainfera-… headers, for clients whose body can't be edited.
func headerHints(hd http.Header) (Hints, error) {
	var h Hints
	for _, f := range [...]struct{ header, field string }{
		{"X-Ainfera-Min-Quality", "min_quality"},
		{"X-Ainfera-Budget-Usd", "budget_cap_usd"},
		{"X-Ainfera-Preference", "routing_preference"},
		{"X-Ainfera-Task-Type", "task_type"},
	} {
		v := hd.Get(f.header)
		if v == "" {
			continue
		}
		if err := h.set(strings.ToLower(f.header), f.field, gjson.Result{Type: gjson.String, Str: v, Raw: v}); err != nil {
			return h, err
		}
	}
	for _, pair := range strings.Split(hd.Get("X-Ainfera-Tags"), ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			if k != "" {
				h.Unknown = append(h.Unknown, "x-ainfera-tags: "+clip(k))
			}
			continue
		}
		if h.Tags == nil {
			h.Tags = map[string]string{}
		}
		if len(h.Tags) < 32 {
			h.Tags[clip(strings.TrimSpace(k))] = clip(strings.TrimSpace(v))
		}
	}
	return h, nil
}

// set reads one field; where names it in an error.
func (h *Hints) set(where, field string, v gjson.Result) error {
	if v.Type == gjson.Null {
		return nil
	}
	switch field {
	case "min_quality":
		if q, ok := tiers[v.Str]; ok && v.Type == gjson.String {
			h.MinQuality = q
			return nil
		}
		d, ok := decimal(v)
		if !ok {
			if v.Type == gjson.String && !strings.ContainsAny(v.Str[:min(1, len(v.Str))], "+-.0123456789") {
				h.unknown(where, v) // a tier name of some later day
				return nil
			}
			return badHint(where, "must be a number from 0 to 1, or one of good, frontier")
		}
		if d.Negative || d.Cmp(apd.New(1, 0)) > 0 {
			return badHint(where, "must be from 0 to 1")
		}
		h.MinQuality = d.Text('f')
	case "budget_cap_usd":
		d, ok := decimal(v)
		if !ok || d.Negative {
			return badHint(where, "must be a number of USD, zero or more")
		}
		h.BudgetUSD = d.Text('f')
	case "latency_cap_ms":
		d, ok := decimal(v)
		n, err := int64(0), error(nil)
		if ok {
			n, err = d.Int64()
		}
		if !ok || err != nil || n <= 0 || n > 1<<31 {
			return badHint(where, "must be a whole number of milliseconds above zero")
		}
		h.LatencyMS = int(n)
	case "routing_preference":
		if v.Type != gjson.String {
			return badHint(where, "must be a string")
		}
		h.Preference = clip(v.Str)
	case "task_type":
		if v.Type != gjson.String {
			return badHint(where, "must be a string")
		}
		h.setTask(v.Str)
	default:
		h.unknown(where, v)
	}
	return nil
}

func (h *Hints) setTask(t string) {
	if _, known := taskFloors[t]; known {
		h.TaskType = t
		return
	}
	h.Unknown = append(h.Unknown, "task_type: "+clip(t))
}

func (h *Hints) unknown(where string, v gjson.Result) {
	if len(h.Unknown) < 32 {
		h.Unknown = append(h.Unknown, clip(where)+": "+clip(v.Raw))
	}
}

// decimal takes a JSON number or a string that holds one, and keeps it from growing absurd.
func decimal(v gjson.Result) (*apd.Decimal, bool) {
	s := v.Raw
	switch v.Type {
	case gjson.String:
		s = v.Str
	case gjson.Number:
	default:
		return nil, false
	}
	if len(s) > 40 {
		return nil, false
	}
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite || d.Exponent > 20 || d.Exponent < -40 {
		return nil, false
	}
	return d, true
}

func badHint(where, must string) error {
	return &Refusal{Code: CodeInvalidHint, Param: where, Message: fmt.Sprintf("%s: %s", where, must)}
}

// record is the row's routing_hint: what was asked, with what was not understood.
func (h Hints) record() []byte {
	if h.MinQuality == "" && h.BudgetUSD == "" && h.LatencyMS == 0 && h.Preference == "" && h.TaskType == "" && len(h.Tags) == 0 && len(h.Unknown) == 0 {
		return nil
	}
	b := []byte{'{'}
	str := func(k, v string) {
		if v != "" {
			b = appendKey(b, k)
			b = appendString(b, v)
		}
	}
	str("budget_cap_usd", h.BudgetUSD)
	if h.LatencyMS != 0 {
		b = strconv.AppendInt(appendKey(b, "latency_cap_ms"), int64(h.LatencyMS), 10)
	}
	str("min_quality", h.MinQuality)
	str("routing_preference", h.Preference)
	if len(h.Tags) > 0 {
		b = appendTags(appendKey(b, "tags"), h.Tags)
	}
	str("task_type", h.TaskType)
	if len(h.Unknown) > 0 {
		b = appendKey(b, "unknown")
		b = append(b, '[')
		for i, u := range h.Unknown {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, u)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
