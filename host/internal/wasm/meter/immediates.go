package meter

// immediate reads what follows an opcode that begins at byte at.
func (c *charger) immediate(r *reader, op byte, imm immediate, at int) {
	switch imm {
	case immIndex:
		switch op {
		case opBr, opBrIf:
			if op == opBrIf {
				c.counted.branches++
			}
			c.branch(r, false)
			c.straight = -1
		case opCall, opReturnCall:
			c.counted.calls++
			if f := r.u32(); int(f) < c.m.imported {
				c.weigh(weightHostCall)
			}
			c.straight = -1
		default:
			r.u32()
		}
	case immGlobal:
		if i := r.u32(); r.err == nil && int(i) >= len(c.m.globals) {
			r.fail("uses global %d, which does not exist", i)
		}
	case immMemArg:
		r.memArg()
	case immBranches:
		c.table(r)
	case immIndirect:
		c.counted.calls++
		c.counted.checks++ // that there is a function, and of its type
		r.u32()
		r.u32()
		c.straight = -1
	case immSelect:
		if n := r.count(1); r.err == nil && n != 1 {
			r.fail("select of %d types is not supported", n)
		}
		r.valueType()
	case immMemory:
		r.zero()
		if op == opMemoryGrow {
			c.dear(growth, at, 0)
		}
	case immI32:
		r.signed(32)
	case immI64:
		r.signed(64)
	case immF32:
		r.bytes(4)
	case immF64:
		r.bytes(8)
	case immRefType:
		r.refType()
	case immTableSet:
		r.u32()
		c.m.out.Unsnapshotable = "table.set"
	case immMisc:
		c.misc(r, at)
	case immVector:
		c.vector(r)
	default:
		r.pos--
		r.fail("instruction %#x is not supported: it belongs to %s", op, refusedName(op))
	}
}

// dear notes an instruction that has a charge of its own, which is a branch. One with a length is a loop, too.
func (c *charger) dear(kind siteKind, at int, shift int8) {
	c.counted.charges++
	if kind == length {
		c.counted.charges += 3
		c.counted.checks += 8
	}
	c.sites = append(c.sites, site{pos: at, kind: kind, shift: shift, depth: len(c.frames)})
}

// misc reads an instruction behind the prefix 0xfc. The second opcode is a LEB128 of which only the short form is taken.
func (c *charger) misc(r *reader, at int) {
	op := r.byte()
	c.weigh(weightBulk)
	c.counted.checks++
	bulk := func(shift int8) { c.dear(length, at, shift) }
	changes := func(what string) { c.m.out.Unsnapshotable = what }
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating truncations
		c.weigh(weightVector - weightBulk)
	case 8: // memory.init
		bulk(bulkShift)
		r.dataIndex(c.m)
		r.zero()
	case 9:
		changes("data.drop")
		r.dataIndex(c.m)
	case 10:
		bulk(bulkShift)
		r.zero()
		r.zero()
	case 11:
		bulk(bulkShift)
		r.zero()
	case 12:
		changes("table.init")
		bulk(elementShift)
		r.u32()
		r.u32()
	case 13:
		changes("elem.drop")
		r.u32()
	case 14:
		changes("table.copy")
		bulk(elementShift)
		r.u32()
		r.u32()
	case 15:
		changes("table.grow")
		c.dear(growth, at, 0)
		bulk(elementShift)
		r.u32()
	case 16:
		r.u32()
	case 17:
		changes("table.fill")
		bulk(elementShift)
		r.u32()
	default:
		r.fail("instruction 0xfc %#x is not supported", op)
	}
}

// vector reads a SIMD instruction. The compiler behind takes one byte for the second opcode and reads what a two-byte
// LEB128 has left as a nop, so only the one form that both read alike is taken.
func (c *charger) vector(r *reader) {
	op := r.byte()
	c.weigh(weightVector)
	c.counted.checks++
	if op >= 0x80 {
		if more := r.byte(); r.err == nil && more != 1 {
			r.fail("vector instruction 0xfd %#x %#x is not supported", op, more)
		}
		return
	}
	switch {
	case op <= 11 || op == 92 || op == 93: // loads and stores
		c.weigh(weightMemory)
		r.memArg()
	case op >= 84 && op <= 91: // of a lane
		c.weigh(weightMemory)
		r.memArg()
		r.byte()
	case op == 12 || op == 13: // a constant, a shuffle
		r.bytes(16)
	case op >= 21 && op <= 34: // extract and replace a lane
		r.byte()
	}
}

func (r *reader) memArg() {
	if align := r.u32(); r.err == nil && align > 4 {
		r.fail("memory access with alignment %d is not supported", align)
	}
	r.u32()
}

func (r *reader) zero() {
	if b := r.byte(); r.err == nil && b != 0 {
		r.fail("instruction names memory %d, only one is supported", b)
	}
}

func (r *reader) dataIndex(m *module) {
	m.namesData = true
	if m.counted < 0 {
		r.fail("data segment is named without a data count section")
	}
	if i := r.u32(); r.err == nil && int(i) >= m.segments {
		r.fail("data segment %d does not exist", i)
	}
}

// blockType reads the type of a block: nothing, one value, or the index of a type.
func (r *reader) blockType(types []FuncType) (t FuncType) {
	if r.pos >= len(r.b) {
		r.fail("module is cut short")
		return t
	}
	if c := r.b[r.pos]; c >= 0x40 && c < 0x80 {
		r.pos++
		switch {
		case c == blockEmpty:
		case ValueType(c).valid():
			t.Results = oneValue
		default:
			r.fail("block type %#x is not supported", c)
		}
		return t
	}
	i := r.signed(33)
	if r.err == nil && (i < 0 || i >= int64(len(types))) {
		r.fail("block type %d does not exist", i)
	}
	if r.err != nil {
		return t
	}
	return types[i]
}

// oneValue stands for any one value: only how many there are is asked.
var oneValue = []ValueType{I32}
