package simulator

func (responses) stream(o *outlet, a *ask, ans *answer) {
	if !o.begin() {
		return
	}
	s := responsesStream{o: o, a: a, ans: ans}
	for _, kind := range [...]string{"created", "in_progress"} {
		s.event(kind, func(b []byte) []byte { return appendResponse(append(b, `"response":`...), a, ans, false) })
	}
	for i, it := range ans.output() {
		s.index, s.item = i, it
		if !s.write() {
			return
		}
	}
	if !o.end() {
		return
	}
	status, _ := ans.status()
	s.event(status, func(b []byte) []byte { return appendResponse(append(b, `"response":`...), a, ans, true) })
}

// responsesStream numbers the events of one stream, and those of the item that it is at.
type responsesStream struct {
	o     *outlet
	a     *ask
	ans   *answer
	seq   int
	index int
	item  outputItem
}

// event sends one, with what fields appends as its members.
func (s *responsesStream) event(kind string, fields func([]byte) []byte) {
	b := append(s.o.buf, "event: response."...)
	b = append(b, kind...)
	b = append(b, "\ndata: {\"type\":\"response."...)
	b = append(b, kind...)
	b = append(b, `",`...)
	b = fields(b)
	b = appendField(b, `,"sequence_number":`, s.seq)
	s.seq++
	s.o.buf = append(b, "}\n\n"...)
	s.o.send()
}

// of is event for one that belongs to the item.
func (s *responsesStream) of(kind string, fields func([]byte) []byte) {
	s.event(kind, func(b []byte) []byte {
		b = appendString(append(b, `"item_id":`...), s.item.id(s.ans))
		b = appendField(b, `,"output_index":`, s.index)
		return fields(append(b, ','))
	})
}

// write sends the events of the item. It returns false when the stream is over.
func (s *responsesStream) write() bool {
	s.whole("output_item.added", false)
	ok := true
	switch s.item.prefix {
	case "rs":
		if shown := s.ans.shownThinking(s.a); shown != "" {
			ok = s.text("reasoning_summary_part", "reasoning_summary_text", `"summary_index":0`, shown, 0, appendSummary)
		}
	case "msg":
		ok = s.text("content_part", "output_text", `"content_index":0`, s.ans.text, s.ans.pieceSize, appendOutputText)
	case "fc":
		ok = s.arguments()
	}
	if ok {
		s.whole("output_item.done", true)
	}
	return ok
}

func (s *responsesStream) whole(kind string, full bool) {
	s.event(kind, func(b []byte) []byte {
		b = appendField(b, `"output_index":`, s.index)
		return s.item.appendItem(append(b, `,"item":`...), s.a, s.ans, full)
	})
}

// text sends a part of an item: its beginning, its text in pieces, the text once more, and the part once more.
func (s *responsesStream) text(part, kind, place, text string, size int, appendPart func([]byte, string) []byte) bool {
	s.of(part+".added", func(b []byte) []byte { return appendPart(append(b, place+`,"part":`...), "") })
	for piece := range textPieces(text, size) {
		if !s.o.piece() {
			return false
		}
		s.of(kind+".delta", func(b []byte) []byte { return appendString(append(b, place+`,"delta":`...), piece) })
	}
	s.of(kind+".done", func(b []byte) []byte { return appendString(append(b, place+`,"text":`...), text) })
	s.of(part+".done", func(b []byte) []byte { return appendPart(append(b, place+`,"part":`...), text) })
	return true
}

func (s *responsesStream) arguments() bool {
	for piece := range argumentPieces(s.item.call.args) {
		if !s.o.piece() {
			return false
		}
		s.of("function_call_arguments.delta", func(b []byte) []byte { return appendString(append(b, `"delta":`...), piece) })
	}
	s.of("function_call_arguments.done", func(b []byte) []byte { return appendString(append(b, `"arguments":`...), s.item.call.args) })
	return true
}
