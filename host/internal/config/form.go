package config

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// quoted names a labelled block in messages.
func quoted(b *hcl.Block) string { return b.Type + " " + strconv.Quote(b.Labels[0]) }

// label is a block's label, which has to be a name.
func (d *decoder) label(b *hcl.Block) string {
	if _, ok := isName(b.Labels[0]); !ok {
		d.errorf(at(b.LabelRanges[0]), "%s: expected %s", b.Type, nameWant)
	}
	return b.Labels[0]
}

const nameWant = "a name of at most 128 letters, digits and . _ - : / @ +, which begins with a letter or digit"

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-fA-F]{64}$`)
	headerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
)

func isName(s string) (string, bool) { return s, nameForm.MatchString(s) }

func isDigest(s string) (string, bool) { return strings.ToLower(s), digestForm.MatchString(s) }

func checkName(x value, s string) bool {
	if !nameForm.MatchString(s) {
		x.want("%s", nameWant)
		return false
	}
	return true
}

func checkCan(x value, s string) bool {
	var one string
	oneOf(&one, CanTools, CanImages, CanDocuments, CanThinking)(x)
	return one == s
}

// address sets host:port.
func address(dst *string) func(value) {
	return parsed(dst, `an address such as "127.0.0.1:8080"`, func(s string) (string, bool) {
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return s, err == nil
	})
}

// dsn sets where the store is. What is wrong with one is not said by quoting it: it may hold a password.
func dsn(dst *DSN) func(value) {
	return func(x value) {
		x.secret = true
		parsed(dst, `"sqlite://path" or "postgres://user@host/database"`, isDSN)(x)
	}
}

func isDSN(s string) (DSN, bool) {
	scheme, rest, _ := strings.Cut(s, "://")
	switch scheme {
	case "sqlite":
		return DSN(s), rest != ""
	case "postgres", "postgresql":
		u, err := url.Parse(s)
		return DSN(s), err == nil && rest != "" && u.Fragment == ""
	}
	return "", false
}

const baseURLWant = `an http or https URL without credentials, query or fragment, or "simulator:<dialect>"`

// baseURL sets a vendor's URL. One that is wrong for carrying credentials is not quoted.
func baseURL(dst *string) func(value) {
	return func(x value) {
		x.secret = x.v.Type() == cty.String && strings.ContainsAny(x.v.AsString(), "@?#")
		parsed(dst, baseURLWant, isBaseURL)(x)
	}
}

// vendorsAt sets where simulated vendors are, by dialect. They are told the ids of calls, so that no other vendor may
// stand there: the address must be loopback, and written as one.
func vendorsAt(dst *map[string]string) func(value) {
	return func(x value) {
		t := x.v.Type()
		if !t.IsObjectType() && !t.IsMapType() {
			x.want("URLs by dialect in {braces}, got %s", t.FriendlyName())
			return
		}
		at := map[string]string{}
		for dialect, v := range x.v.AsValueMap() {
			one, base := x, ""
			one.v = v
			parsed(&base, "an http URL of 127.0.0.1 or [::1] for each of "+strings.Join(simulated, ", "), func(s string) (string, bool) {
				s, ok := isBaseURL(s)
				u, err := url.Parse(s)
				return s, ok && err == nil && slices.Contains(simulated, dialect) && net.ParseIP(u.Hostname()).IsLoopback()
			})(one)
			at[dialect] = base
		}
		*dst = at
	}
}

// isBaseURL takes a vendor's URL and leaves a last slash off, since adapters' paths begin with one.
func isBaseURL(s string) (string, bool) {
	if dialect, ok := strings.CutPrefix(s, SimulatorScheme); ok {
		return s, slices.Contains(simulated, dialect)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", false
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", false
	}
	return strings.TrimRight(s, "/"), true
}
