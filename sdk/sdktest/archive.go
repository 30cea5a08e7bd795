package sdktest

import "bytes"

// A section is one file of a txtar archive, the form that Go's own tests use: "-- name --" on a line, then its text.
type section struct {
	name string
	data []byte
}

// cutArchive takes an archive apart; comment is what stands before the first file. Any text is an archive.
func cutArchive(text []byte) (comment []byte, files []section) {
	rest := text
	for len(rest) > 0 {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		if name, ok := marker(line); ok {
			files = append(files, section{name: name})
			continue
		}
		if len(files) == 0 {
			comment = append(comment, line...)
		} else {
			last := &files[len(files)-1]
			last.data = append(last.data, line...)
		}
	}
	return comment, files
}

// marker reads a line that begins a file.
func marker(line []byte) (name string, ok bool) {
	line = bytes.TrimSpace(line)
	inner, begins := bytes.CutPrefix(line, []byte("-- "))
	inner, ends := bytes.CutSuffix(inner, []byte(" --"))
	name = string(bytes.TrimSpace(inner))
	return name, begins && ends && name != ""
}

// joinArchive is the inverse of cutArchive, a line feed added to what lacks its last.
func joinArchive(comment []byte, files []section) []byte {
	b := ended(append([]byte(nil), comment...))
	for _, f := range files {
		b = append(b, "-- "+f.name+" --\n"...)
		b = ended(append(b, f.data...))
	}
	return b
}

func ended(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] != '\n' {
		return append(b, '\n')
	}
	return b
}
