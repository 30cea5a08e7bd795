package meter

// An immediate is what follows an opcode in the code.
type immediate uint8

const (
	immRefused immediate = iota
	immNone
	immBlock     // a block type
	immIndex     // one u32, checked by nobody here
	immGlobal    // an index of a global
	immMemArg    // alignment and offset
	immBranches  // a vector of labels and the default
	immIndirect  // a type and a table
	immSelect    // a vector of one type
	immMemory    // the zero byte that names the only memory
	immI32       // a signed LEB128
	immI64       // a signed LEB128
	immF32       // four bytes
	immF64       // eight bytes
	immRefType   // a heap type
	immMisc      // 0xfc: a second opcode
	immVector    // 0xfd: a second opcode
	immTableSet  // a table, which it changes
	immStructure // else, end: handled by name
)

// Weights. A plain instruction weighs one, and a load as much as a unit of fuel pays for, because nobody can tell one that
// hits the nearest cache from one that misses them all. What makes no machine code weighs nothing.
const (
	weightNone     = 0
	weightPlain    = 1
	weightMemory   = 8
	weightDivide   = 16
	weightCall     = 8
	weightIndirect = 16
	weightVector   = 4
	weightHostCall = 64
	weightBulk     = 16
)

// instructions says for each opcode what follows it and what it weighs.
var instructions = func() (t [256]struct {
	imm    immediate
	weight uint8
}) {
	set := func(imm immediate, weight uint8, from, to int) {
		for i := from; i <= to; i++ {
			t[i].imm, t[i].weight = imm, weight
		}
	}
	set(immNone, weightPlain, 0x00, 0x01)      // unreachable, nop
	set(immBlock, weightNone, 0x02, 0x03)      // block, loop
	set(immBlock, weightPlain, 0x04, 0x04)     // if
	set(immStructure, weightPlain, 0x05, 0x05) // else
	set(immStructure, weightNone, 0x0b, 0x0b)  // end
	set(immIndex, weightPlain, 0x0c, 0x0d)     // br, br_if
	set(immBranches, weightMemory, 0x0e, 0x0e) // br_table
	set(immNone, weightPlain, 0x0f, 0x0f)      // return
	set(immIndex, weightCall, 0x10, 0x10)      // call
	set(immIndirect, weightIndirect, 0x11, 0x11)
	set(immIndex, weightCall, 0x12, 0x12) // return_call
	set(immIndirect, weightIndirect, 0x13, 0x13)
	set(immNone, weightPlain, 0x1a, 0x1b) // drop, select
	set(immSelect, weightPlain, 0x1c, 0x1c)
	set(immIndex, weightPlain, 0x20, 0x22) // local.get, set, tee
	set(immGlobal, weightPlain, 0x23, 0x24)
	set(immIndex, weightMemory, 0x25, 0x25) // table.get
	set(immTableSet, weightMemory, 0x26, 0x26)
	set(immMemArg, weightMemory, 0x28, 0x3e)
	set(immMemory, weightPlain, 0x3f, 0x3f) // memory.size
	set(immMemory, weightBulk, 0x40, 0x40)  // memory.grow
	set(immI32, weightPlain, 0x41, 0x41)
	set(immI64, weightPlain, 0x42, 0x42)
	set(immF32, weightPlain, 0x43, 0x43)
	set(immF64, weightPlain, 0x44, 0x44)
	set(immNone, weightPlain, 0x45, 0xc4)  // numeric, with sign extension
	set(immNone, weightDivide, 0x6d, 0x70) // i32 div, rem
	set(immNone, weightDivide, 0x7f, 0x82) // i64 div, rem
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} {
		set(immNone, weightDivide, op, op) // float sqrt, div
	}
	set(immNone, weightVector, 0xa8, 0xab) // truncations and conversions, which check as they go
	set(immNone, weightVector, 0xae, 0xb9)
	set(immRefType, weightPlain, 0xd0, 0xd0)
	set(immNone, weightPlain, 0xd1, 0xd1)
	set(immMisc, 0, 0xfc, 0xfc)
	set(immVector, 0, 0xfd, 0xfd)
	return t
}()

// refusedName says what an opcode that Rewrite does not know belongs to.
func refusedName(op byte) string {
	switch {
	case op >= 0x06 && op <= 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		return "exception handling"
	case op == 0x14 || op == 0x15 || op >= 0xd3 && op <= 0xd6:
		return "typed function references"
	case op == opRefFunc:
		return "references to functions made as the code runs, each of which the runtime keeps for as long as the instance lives"
	case op == 0xfb:
		return "garbage collected types"
	case op == 0xfe:
		return "threads"
	}
	return "no proposal that is known"
}
