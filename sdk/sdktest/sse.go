package sdktest

import (
	"bytes"
	"strings"
)

// CutSSE cuts the body of an event stream into frames, as the host's framer does: line ends of any kind, comments and
// events without data left out, several data lines joined, what is left at the end without an empty line kept, and so an
// object that stands there without a field name.
func CutSSE(body []byte) []Frame {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	var out []Frame
	var f Frame
	var data, bare []string
	for _, line := range strings.Split(text+"\n\n", "\n") {
		if line == "" {
			if data == nil && bare != nil && strings.HasPrefix(strings.TrimSpace(bare[0]), "{") {
				data = bare
			}
			if data != nil {
				f.Data = strings.Join(data, "\n")
				out = append(out, f)
			}
			f, data, bare = Frame{}, nil, nil
			continue
		}
		bare = append(bare, line)
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			f.Event = value
		case "data":
			data = append(data, value)
		}
	}
	return out
}
