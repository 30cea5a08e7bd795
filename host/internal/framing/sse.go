package framing

import "bytes"

// An sse framer follows the event stream format of the HTML standard, section 9.2: lines end in LF, CR or CRLF, a blank
// line ends an event, and a byte order mark may come first. Unlike a browser it hands over a last event whose blank line
// is missing, because vendors leave it out. And it hands over an object that stands in the stream as it is, without a field
// name: that is how Google's front ends report an error once the stream has begun. llama.cpp, until late in 2025, did so in a
// field called error; an object in one is an event of that name.
//
// The offsets are relative to the start of the unfinished event.
type sse struct {
	window
	line    int  // start of the line that is being read
	scanned int  // where to look on for its end
	lf      int  // the next LF at or after scanned, or noLF
	begun   bool // the first line, the one that may have a byte order mark, is behind us
	bareCR  bool // the line before ended in a CR alone
	swallow bool // an LF at the start of this event ends nothing: the CR before it did

	event      span
	data       span // of the only data line, or of joined when there are several
	dataLines  int
	joined     []byte // data lines of events that have several, one event after the other
	joinedFrom int
}

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }

// noLF in sse.lf says that the window has no further LF; unknownLF that nobody has looked.
const (
	noLF      = -1
	unknownLF = -2
)

// Feed implements Framer.
func (s *sse) Feed(p []byte, emit func(Frame) error) error {
	s.joined = s.joined[:0]
	if s.dataLines < 2 {
		s.joinedFrom = 0
	} else {
		// The unfinished event has lines in joined already; they were moved to the front by keepJoined.
		s.joined = s.joined[:s.data.to]
	}
	s.open(p)
	s.lf = unknownLF
	for {
		end, next, ok := s.lineEnd()
		if !ok {
			break
		}
		if err := s.endLine(end, next, emit); err != nil {
			return err
		}
	}
	s.keepJoined()
	return s.keep()
}

// Close implements Framer.
func (s *sse) Close(emit func(Frame) error) error {
	s.open(nil)
	rest := s.frame()
	if len(rest) == 0 {
		return nil
	}
	ended := false
	if s.line < len(rest) {
		end := len(rest)
		if rest[end-1] == '\r' { // it was waiting for the LF of a CRLF
			end--
		}
		ended = end == s.line || s.field(rest[s.line:end], s.line)
	}
	f := s.finish(len(rest))
	f.Unterminated = !ended
	return emit(f)
}

// lineEnd finds the end of the line at s.line: where its text ends and where the next line starts. ok is false when more
// bytes are needed to tell.
func (s *sse) lineEnd() (end, next int, ok bool) {
	w := s.frame()
	if s.swallow && len(w) > 0 {
		s.swallow = false
		if w[0] == '\n' {
			s.line, s.scanned = 1, 1
		}
	}
	if s.lf != noLF && s.lf < s.scanned {
		s.lf = noLF
		if i := bytes.IndexByte(w[s.scanned:], '\n'); i >= 0 {
			s.lf = s.scanned + i
		}
	}
	limit := s.lf
	if limit == noLF {
		limit = len(w)
	}
	if i := bytes.IndexByte(w[s.scanned:limit], '\r'); i >= 0 {
		return s.afterCR(w, s.scanned+i)
	}
	s.scanned = limit
	if s.lf == noLF {
		return 0, 0, false
	}
	s.bareCR = false
	return s.lf, s.lf + 1, true
}

// afterCR ends a line at the CR at position cr, with the LF that may belong to it.
func (s *sse) afterCR(w []byte, cr int) (end, next int, ok bool) {
	blank := cr == s.line && s.begun
	switch {
	case blank && s.bareCR:
		// The stream ends its lines in CR alone, and this one ends an event. Waiting to see whether an LF follows would
		// hold the event back until the next one, so it goes out now, and an LF is passed over at the next event's start.
		s.swallow = true
		return cr, cr + 1, true
	case cr+1 == len(w):
		s.scanned = cr
		return 0, 0, false
	case w[cr+1] == '\n':
		s.bareCR = false
		return cr, cr + 2, true
	}
	s.bareCR = true
	return cr, cr + 1, true
}

// endLine takes the line that ends at end; the next starts at next.
func (s *sse) endLine(end, next int, emit func(Frame) error) error {
	text := s.frame()[s.line:end]
	if len(text) == 0 {
		s.begun = true
		return emit(s.finish(next))
	}
	if s.field(text, s.line) { // nothing but a byte order mark, then a line end: a blank line
		return emit(s.finish(next))
	}
	s.line, s.scanned = next, next
	return nil
}

// field takes one line that is not blank and says whether it turns out blank behind a byte order mark. at is where the
// line starts.
func (s *sse) field(line []byte, at int) (blank bool) {
	if !s.begun {
		s.begun = true
		if trimmed := bytes.TrimPrefix(line, bom); len(trimmed) < len(line) {
			at += len(bom)
			line = trimmed
		}
		if len(line) == 0 {
			return true
		}
	}
	from := at
	name, value := line, line[len(line):]
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		name, value = line[:i], line[i+1:]
		at += i + 1
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
			at++
		}
	} else {
		at += len(line)
	}
	switch string(name) {
	case "data":
		s.addData(span{at, at + len(value)})
	case "event":
		s.event = span{at, at + len(value)}
	case "error":
		if bytes.HasPrefix(value, []byte{'{'}) {
			s.event = span{from, from + len(name)}
			s.addData(span{at, at + len(value)})
		}
	}
	return false
}

var bom = []byte("\xef\xbb\xbf")

// addData takes the value of a data line. Only from the second on are they copied, into joined.
func (s *sse) addData(v span) {
	s.dataLines++
	w := s.frame()
	switch s.dataLines {
	case 1:
		s.data = v
		return
	case 2:
		s.joinedFrom = len(s.joined)
		s.joined = append(s.joined, s.data.of(w)...)
	}
	s.joined = append(s.joined, '\n')
	s.joined = append(s.joined, v.of(w)...)
	s.data = span{s.joinedFrom, len(s.joined)}
}

// finish ends the event after n bytes and stands before the next.
func (s *sse) finish(n int) Frame {
	w := s.frame()
	f := Frame{Event: s.event.of(w)}
	if s.dataLines > 1 {
		f.Data = s.data.of(s.joined)
	} else {
		f.Data = s.data.of(w)
	}
	if s.dataLines == 0 {
		f.Data = bare(w[:n])
	}
	f.Empty = len(f.Data) == 0
	f.Raw = s.take(n)
	s.line, s.scanned, s.dataLines = 0, 0, 0
	s.event, s.data = span{}, span{}
	s.bareCR = false
	if s.lf >= n {
		s.lf -= n
	} else if s.lf != noLF {
		s.lf = unknownLF
	}
	return f
}

// bare is the object that an event without data lines is, nil when it is none. No field's name begins with a brace.
func bare(event []byte) []byte {
	if event = bytes.TrimSpace(bytes.TrimPrefix(event, bom)); len(event) == 0 || event[0] != '{' {
		return nil
	}
	return event[:len(event):len(event)]
}

// keepJoined moves the lines of an unfinished event to the front of joined. What was emitted stays readable until the
// next Feed, so they go to a buffer of their own when there is something before them.
func (s *sse) keepJoined() {
	if s.dataLines < 2 || s.joinedFrom == 0 {
		return
	}
	s.joined = append([]byte(nil), s.data.of(s.joined)...)
	s.data = span{0, len(s.joined)}
	s.joinedFrom = 0
}
