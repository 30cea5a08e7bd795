package meter

import "slices"

// Opcodes that the charger knows by name.
const (
	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opIf          = 0x04
	opBr          = 0x0c
	opBrIf        = 0x0d
	opReturn      = 0x0f
	opCall        = 0x10
	opReturnCall  = 0x12
	opMemoryGrow  = 0x40
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opLocalTee    = 0x22
	opGlobalSet   = 0x24
	opI64LtS      = 0x53
	opI64Sub      = 0x7d
	opI64ShrU     = 0x88
	opI64ExtendU  = 0xad
	blockEmpty    = 0x40
)

// Costs, in fuel. Measured on two shared amd64 cores: real guests run 1.20 times as long as without charges, some two
// units a nanosecond; 20 million units last for 6 ms of an empty loop, and for 2.7 s of loads that miss every cache.
const (
	// weightPerFuel is how much weight one unit pays for.
	weightPerFuel = 8
	// growCost is what growing a memory or table costs: a call into the host and maybe a copy.
	growCost = 1024
	// bulkShift makes a unit pay for 64 bytes of memory.fill, copy and init; elementShift for eight table elements.
	bulkShift    = 6
	elementShift = 3
	// smallWeight is how heavy the code may be that leads to a loop and is let off for it.
	smallWeight = 32
	// freeLocals is how many locals cost nothing extra.
	freeLocals = 64
)

func (m *module) writeCode(b []byte) ([]byte, error) {
	r := m.raw[secCode]
	n := 0
	if r.b != nil {
		n = r.count(2)
	}
	if r.err != nil {
		return nil, r.err
	}
	if n != len(m.funcs)-m.imported {
		return nil, refuse("module declares %d functions and has code for %d", len(m.funcs)-m.imported, n)
	}
	if r.b == nil {
		return b, nil
	}
	b, at := reserve(append(b, secCode))
	b = appendU32(b, uint32(n))
	c := charger{m: m}
	for i := range n {
		size := r.count(1)
		body := reader{base: r.base + r.pos, b: r.bytes(size)}
		if r.err != nil {
			return nil, r.err
		}
		if size > maxFunctionBytes {
			return nil, refuse("function %d is %d bytes, the limit is %d", m.imported+i, size, maxFunctionBytes)
		}
		var start int
		b, start = reserve(b)
		b = c.function(b, &body, m.types[m.funcs[m.imported+i]])
		if body.err != nil {
			return nil, body.err
		}
		if err := m.afford(m.imported+i, &c.counted); err != nil {
			return nil, err
		}
		patch(b, start)
	}
	if r.more() {
		return nil, refuse("code section has bytes after its end")
	}
	patch(b, at)
	return b, nil
}

// function appends one function with its charges. Each function gets a local for the fuel, and one more for the length of
// a bulk operation when it has any; locals are numbered after the function's own, so that no index changes.
//
// All charges of a function trap in one place, out of the way of what runs. The inner block takes the place of the function:
// its type is the function's results, so that the body is held to them, and branches to the function's end lead to its.
//
//	block $trap
//	  block (result …)  body, with "br_if $trap" at each site  end
//	  return
//	end
//	unreachable
func (c *charger) function(b []byte, r *reader, t FuncType) []byte {
	groups, locals := c.locals(r)
	first := r.pos
	own := uint32(len(t.Params) + locals)
	c.read(r, int(own), len(t.Results))
	if r.err != nil {
		return b
	}
	extra := uint32(1)
	if slices.ContainsFunc(c.sites, func(s site) bool { return s.kind == length }) {
		extra = 2
	}
	b = appendU32(b, uint32(groups)+extra)
	b = append(b, r.b[r.skipCount():first]...)
	b = append(b, 1, byte(I64))
	if extra == 2 {
		b = append(b, 1, byte(I32))
	}
	b = append(b, opBlock, blockEmpty, opBlock)
	b = c.m.appendBlockType(b, t.Results)
	fuel := uint32(len(c.m.globals))
	for i := range c.sites {
		s := &c.sites[i]
		if s.gone {
			continue
		}
		b = append(b, r.b[first:s.pos]...)
		first = s.pos
		switch s.kind {
		case length:
			b = chargeLength(b, fuel, own, s)
		case growth:
			b = charge(b, fuel, own, growCost, s.depth)
		default:
			b = charge(b, fuel, own, (s.weight+weightPerFuel-1)/weightPerFuel, s.depth)
		}
	}
	b = append(b, r.b[first:]...)
	return append(b, opReturn, opEnd, opUnreachable, opEnd)
}

// appendBlockType appends the type of a block that takes nothing and has these results. Several need a type of the module:
// one more is made for them, behind its own.
func (m *module) appendBlockType(b []byte, results []ValueType) []byte {
	switch len(results) {
	case 0:
		return append(b, blockEmpty)
	case 1:
		return append(b, byte(results[0]))
	}
	key := FuncType{Results: results}.String()
	i, known := m.blockTypeOf[key]
	if !known {
		if m.blockTypeOf == nil {
			m.blockTypeOf = map[string]int{}
		}
		i = len(m.blockTypes)
		m.blockTypes, m.blockTypeOf[key] = append(m.blockTypes, FuncType{Results: results}), i
	}
	return appendS64(b, int64(len(m.types)+i))
}

// skipCount is where the groups of locals begin, behind their count.
func (r *reader) skipCount() int {
	n := 0
	for r.b[n]&0x80 != 0 {
		n++
	}
	return n + 1
}

// locals reads the declarations of locals. Their number is bounded, because the compiler makes room for each of them.
func (c *charger) locals(r *reader) (groups, locals int) {
	groups = r.count(2)
	for range groups {
		n := r.u32()
		r.valueType()
		if r.err != nil {
			return 0, 0
		}
		if n > maxFunctionLocals || locals+int(n) > maxFunctionLocals {
			r.fail("function has more than %d locals", maxFunctionLocals)
			return 0, 0
		}
		locals += int(n)
	}
	return groups, locals
}

// charge takes cost from the fuel and branches to the trap when it is used up.
func charge(b []byte, fuel, local uint32, cost int64, depth int) []byte {
	b = appendU32(append(b, opGlobalGet), fuel)
	b = appendS64(append(b, opI64Const), cost)
	return settle(b, fuel, local, depth)
}

// chargeLength does so by the length on top of the stack, and leaves it there.
func chargeLength(b []byte, fuel, local uint32, s *site) []byte {
	b = appendU32(append(b, opLocalSet), local+1)
	b = appendU32(append(b, opGlobalGet), fuel)
	b = appendU32(append(b, opLocalGet), local+1)
	b = append(b, opI64ExtendU, opI64Const, byte(s.shift), opI64ShrU)
	b = settle(b, fuel, local, s.depth)
	return appendU32(append(b, opLocalGet), local+1)
}

func settle(b []byte, fuel, local uint32, depth int) []byte {
	b = appendU32(append(b, opI64Sub, opLocalTee), local)
	b = appendU32(append(b, opGlobalSet), fuel)
	b = appendU32(append(b, opLocalGet), local)
	return appendU32(append(b, opI64Const, 0, opI64LtS, opBrIf), uint32(depth))
}
