package meter

// Opcodes of constant expressions.
const (
	opEnd       = 0x0b
	opI32Const  = 0x41
	opI64Const  = 0x42
	opF32Const  = 0x43
	opF64Const  = 0x44
	opGlobalGet = 0x23
	opRefNull   = 0xd0
	opRefFunc   = 0xd2
	opVector    = 0xfd
)

// constExpr reads an initializer: one constant. With no imported globals there is nothing else that it could be, since a
// module's own globals may not appear in one.
func (m *module) constExpr(r *reader) (op byte, value int64) {
	op = r.byte()
	switch op {
	case opI32Const:
		value = r.signed(32)
	case opI64Const:
		value = r.signed(64)
	case opF32Const:
		r.bytes(4)
	case opF64Const:
		r.bytes(8)
	case opRefNull:
		r.refType()
	case opRefFunc:
		if i := r.u32(); int(i) >= len(m.funcs) {
			r.fail("reference to function %d, which does not exist", i)
		}
	case opVector:
		if r.byte() != 12 {
			r.fail("initializer is not a constant")
		}
		r.bytes(16)
	default:
		if r.err == nil {
			r.fail("initializer with opcode %#x is not supported: only constants are", op)
		}
	}
	if end := r.byte(); r.err == nil && end != opEnd {
		r.fail("initializer of more than one constant is not supported")
	}
	return op, value
}

// readElements reads the element section, which is written back as it was: tables are filled by the runtime.
func (m *module) readElements(r *reader) {
	for range r.bounded(2, maxElementSegments, "element segments") {
		if r.err != nil {
			return
		}
		m.readElement(r)
	}
}

// readElement reads one segment. Bit 0 of its flags: not active; bit 1: an explicit table, or declarative; bit 2:
// expressions instead of function indices.
func (m *module) readElement(r *reader) {
	flags := r.u32()
	if flags > 7 {
		r.fail("element segment of kind %d is not supported", flags)
		return
	}
	if flags&1 == 0 {
		if flags&2 != 0 {
			m.tableIndex(r)
		} else if len(m.tables) == 0 {
			r.fail("element segment without a table")
		}
		if op, _ := m.constExpr(r); r.err == nil && op != opI32Const {
			r.fail("element segment with an offset that is not a constant i32")
		}
	}
	if flags&3 != 0 {
		if flags&4 != 0 {
			r.refType()
		} else if kind := r.byte(); kind != 0 {
			r.fail("element kind %#x is not supported", kind)
		}
	}
	n := r.count(1)
	if m.elements += n; m.elements > maxTableElements {
		r.fail("element segments of more than %d elements", maxTableElements)
	}
	for range n {
		if r.err != nil {
			return
		}
		if flags&4 != 0 {
			m.constExpr(r)
		} else if i := r.u32(); int(i) >= len(m.funcs) {
			r.fail("element is function %d, which does not exist", i)
		}
	}
}

func (m *module) tableIndex(r *reader) {
	if t := r.u32(); r.err == nil && int(t) >= len(m.tables) {
		r.fail("table %d does not exist", t)
	}
}

// readData takes the active segments out. A passive one stays, since memory.init refers to it.
func (m *module) readData(r *reader) {
	m.segments = r.bounded(2, maxDataSegments, "data segments")
	for range m.segments {
		kind := r.u32()
		if r.err == nil && kind > 2 {
			r.fail("data segment of kind %d is not supported", kind)
		}
		if kind == 2 && r.u32() != 0 {
			r.fail("data segment for a second memory")
		}
		var offset uint32
		if kind != 1 {
			op, v := m.constExpr(r)
			if r.err == nil && op != opI32Const {
				r.fail("data segment with an offset that is not a constant i32")
			}
			offset = uint32(v)
		}
		data := r.bytes(r.count(1))
		if r.err != nil {
			return
		}
		if kind == 1 {
			continue
		}
		if end := uint64(offset) + uint64(len(data)); end > m.out.MinMemoryBytes {
			r.fail("data segment ends at %d, beyond the %d bytes of memory that the module begins with", end, m.out.MinMemoryBytes)
			return
		}
		m.out.Segments = append(m.out.Segments, Segment{Offset: offset, Data: data})
	}
}

// appendData writes the data section with empty active segments, so that indices stay what they were. An active segment
// counts as dropped once an instance exists, and one of no bytes can't be told from that.
func (m *module) appendData(b []byte) []byte {
	r := m.raw[secData]
	b = appendU32(b, uint32(r.count(2)))
	for range m.segments {
		if kind := r.u32(); kind == 1 {
			n := r.count(1)
			b = append(appendU32(append(b, 1), uint32(n)), r.bytes(n)...)
			continue
		} else if kind == 2 {
			r.u32()
		}
		m.constExpr(&r)
		r.bytes(r.count(1))
		b = append(b, 0, opI32Const, 0, opEnd, 0)
	}
	return b
}
