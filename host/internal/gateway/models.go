package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// modelsSince is the creation time that the list gives every model: the catalogue keeps none, and the SDKs want one.
var modelsSince = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// models lists targets and catalogue, in one object that both kinds of SDK read, or in the catalogue's own shape.
func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	cat := s.World().Router.Catalogue()
	if fromSDK(r.Header) {
		s.writeJSON(w, sdkModels(cat, r.URL.Query()))
		return
	}
	s.writeJSON(w, catalogueModels(cat))
}

// fromSDK recognises the clients that want the SDKs' shape.
func fromSDK(h http.Header) bool {
	return h.Get("Anthropic-Version") != "" || h.Get("X-Stainless-Lang") != "" || strings.HasPrefix(h.Get("User-Agent"), "claude-cli")
}

// A listedModel is one line of the list.
type listedModel struct{ id, owner string }

func listedModels(cat *route.Catalogue) []listedModel {
	var rows []listedModel
	for _, t := range cat.Targets() {
		rows = append(rows, listedModel{t.Name, "ainfera"})
	}
	for _, e := range cat.Entries() {
		if cat.Routable(e) != "no_credentials" {
			rows = append(rows, listedModel{e.Slug, e.Brand})
		}
	}
	return rows
}

// page cuts the list as the Anthropic API does: limit elements, behind after_id or before before_id. An SDK that is told
// of more asks on with them. more says whether there are further ones in that direction.
func page(rows []listedModel, q url.Values) (cut []listedModel, more bool) {
	at := func(id string) int {
		return slices.IndexFunc(rows, func(m listedModel) bool { return m.id == id })
	}
	backward := false
	if i := at(q.Get("after_id")); i >= 0 {
		rows = rows[i+1:]
	} else if i := at(q.Get("before_id")); i >= 0 {
		rows, backward = rows[:i], true
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n <= 0 || n >= len(rows) {
		return rows, false
	}
	if backward {
		return rows[len(rows)-n:], true
	}
	return rows[:n], true
}

func sdkModels(cat *route.Catalogue, q url.Values) []byte {
	rows, more := page(listedModels(cat), q)
	b := append([]byte(nil), `{"object":"list","data":[`...)
	for _, m := range rows {
		b = append(jwrite.AppendComma(b), '{')
		b = jwrite.AppendString(jwrite.AppendKey(b, "id"), m.id)
		b = append(b, `,"object":"model","type":"model"`...)
		b = jwrite.AppendString(jwrite.AppendKey(b, "display_name"), m.id)
		b = jwrite.AppendInt(jwrite.AppendKey(b, "created"), modelsSince.Unix())
		b = jwrite.AppendString(jwrite.AppendKey(b, "created_at"), modelsSince.Format(time.RFC3339))
		b = jwrite.AppendString(jwrite.AppendKey(b, "owned_by"), m.owner)
		b = append(b, '}')
	}
	b = append(b, `],"has_more":`...)
	b = jwrite.AppendBool(b, more)
	b = append(b, `,"first_id":`...)
	if len(rows) == 0 {
		return append(b, `null,"last_id":null}`...)
	}
	b = jwrite.AppendString(b, rows[0].id)
	b = jwrite.AppendString(jwrite.AppendKey(b, "last_id"), rows[len(rows)-1].id)
	return append(b, '}')
}

func catalogueModels(cat *route.Catalogue) []byte {
	b := []byte{'['}
	for _, t := range cat.Targets() {
		b = append(jwrite.AppendComma(b), '{')
		b = jwrite.AppendString(jwrite.AppendKey(b, "slug"), t.Name)
		b = jwrite.AppendString(jwrite.AppendKey(b, "display_name"), t.Name)
		b = append(b, `,"provider":"ainfera","type":"router","prices":null,"context_window":null,"capabilities":[],"routable_status":"routable"}`...)
	}
	for _, e := range cat.Entries() {
		b = appendModel(jwrite.AppendComma(b), cat, e)
	}
	return append(b, ']')
}

func appendModel(b []byte, cat *route.Catalogue, e *route.Entry) []byte {
	b = append(b, '{')
	b = jwrite.AppendString(jwrite.AppendKey(b, "slug"), e.Slug)
	b = jwrite.AppendString(jwrite.AppendKey(b, "display_name"), e.Slug)
	b = jwrite.AppendString(jwrite.AppendKey(b, "provider"), e.Deployments[0].Provider)
	b = append(b, `,"type":"model","prices":`...)
	if e.Prices == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '{')
		b = jwrite.AppendString(jwrite.AppendKey(b, "input"), e.Prices.Input.String())
		b = jwrite.AppendString(jwrite.AppendKey(b, "output"), e.Prices.Output.String())
		b = jwrite.AppendString(jwrite.AppendKey(b, "cache_read"), e.Prices.CacheRead.String())
		b = jwrite.AppendString(jwrite.AppendKey(b, "cache_write"), e.Prices.CacheWrite.String())
		b = jwrite.AppendString(jwrite.AppendKey(b, "cache_write_1h"), e.Prices.CacheWrite1h.String())
		b = append(b, '}')
	}
	b = append(b, `,"context_window":`...)
	if e.Context > 0 {
		b = jwrite.AppendInt(b, e.Context)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"capabilities":[`...)
	for _, c := range [...]struct {
		can  bool
		name string
	}{{e.CanTools, "tools"}, {e.CanImages, "images"}, {e.CanDocuments, "documents"}, {e.CanThink, "thinking"}} {
		if c.can {
			b = jwrite.AppendString(jwrite.AppendComma(b), c.name)
		}
	}
	b = jwrite.AppendString(append(b, `],"routable_status":`...), cat.Routable(e))
	return append(b, '}')
}

// providers lists the upstreams: which are active, which adapter they speak through, how they fare.
func (s *Server) providers(w http.ResponseWriter, _ *http.Request) {
	world := s.World()
	names := make([]string, 0, len(world.Providers))
	for name := range world.Providers {
		names = append(names, name)
	}
	sort.Strings(names)
	b := []byte{'['}
	for _, name := range names {
		p := world.Providers[name]
		b = append(jwrite.AppendComma(b), '{')
		b = jwrite.AppendString(jwrite.AppendKey(b, "slug"), name)
		b = jwrite.AppendBool(jwrite.AppendKey(b, "active"), p.Active)
		b = jwrite.AppendString(jwrite.AppendKey(b, "adapter"), p.Adapter)
		b = jwrite.AppendString(jwrite.AppendKey(b, "health"), world.Router.ProviderHealth(name, p.Active))
		b = append(b, '}')
	}
	s.writeJSON(w, append(b, ']'))
}
