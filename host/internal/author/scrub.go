package author

import (
	"regexp"
	"strings"
)

const removed = "REMOVED"

// keptHeaders are those that an adapter may want to read. All others are left out of a case: cookies, ids of accounts and
// requests, and whatever a vendor thinks of next.
var keptHeaders = regexp.MustCompile(`^(content-type|date|retry-after(-ms)?|x-ratelimit-[a-z-]+|anthropic-ratelimit-[a-z-]+)$`)

// secretShapes are what keys look like, wherever they stand.
var secretShapes = regexp.MustCompile(`(?i:bearer )[A-Za-z0-9._~+/=-]{8,}|\b(sk|pk|rk|gsk|xai|key)-[A-Za-z0-9_-]{8,}|\borg-[A-Za-z0-9]{6,}|\bproj_[A-Za-z0-9]{6,}|\b(AKIA|ASIA)[A-Z0-9]{12,}|\b(gh[pousr]|github_pat|hf|r8)_[A-Za-z0-9_]{16,}|\b(xox[abeprs]|glpat|nvapi)-[A-Za-z0-9_-]{10,}|\bya29\.[A-Za-z0-9_-]{10,}|\bAIza[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`)

// secretFields are fields of JSON whose text names an account or opens a door.
var secretFields = regexp.MustCompile(`("(?i:organization|organization_id|org_id|project_id|account|account_id|user_id|api_key|apikey|access_token|secret|authorization)"\s*:\s*)"(?:[^"\\]|\\.)*"`)

// ScrubHeaders are the headers that a case keeps, names in lower case.
func ScrubHeaders(h map[string][]string) map[string]string {
	kept := map[string]string{}
	for name, values := range h {
		if name = strings.ToLower(name); keptHeaders.MatchString(name) {
			kept[name] = Scrub(strings.Join(values, ", "))
		}
	}
	return kept
}

// Scrub takes what must not be kept out of a text: the secrets that are known, what has the shape of a key, and the fields that
// name an account. A text that an author puts under version control is read by more people than have the key.
func Scrub(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) >= 4 { // a shorter one would take the text apart, and guards nothing
			text = strings.ReplaceAll(text, s, removed)
		}
	}
	text = secretFields.ReplaceAllString(text, `${1}"`+removed+`"`)
	return secretShapes.ReplaceAllString(text, removed)
}

// ScrubBytes is Scrub for what is not there, or there as bytes.
func ScrubBytes(text []byte, secrets ...string) []byte {
	if text == nil {
		return nil
	}
	return []byte(Scrub(string(text), secrets...))
}
