package meter

// What the compiler behind the rewriter needs isn't linear in what it reads: a few hundred KiB of branch tables or of loops
// would keep it busy for minutes and take memory that the whole host needs. So each function's effort is told in advance, in
// units of some ten nanoseconds on two shared amd64 cores, and one that no compiler of a real language makes is refused.
// The largest function of Go's own compiler comes to half of what a function may, its 13 MB of net/http to a quarter of what a
// module may; 14 MB of esbuild and 18 MB of Rust's swc to 0.37 and 0.50.
const (
	maxFunctionEffort = 400_000_000
	maxModuleEffort   = 6_000_000_000

	effortFunction = 1_100
	effortByte     = 14
	effortCall     = 2_000 // most of it for memory: a call is 1.5 KiB to the compiler
	effortLabel    = 4_000 // a label of a branch table is a block of its own
	effortLive     = 150   // a local where branches meet
)

// knots weigh what begins blocks: the compiler's work grows with the square of their number. What follows a branch with a
// condition is a block of the compiler's as well. A block has one branch for free, since its knots are those of both.
const (
	knotsBlock = 1
	knotsIf    = 2
	knotsLoop  = 3
)

// Memory is taken for one function after the other. An instruction that may trap leaves by a way of its own: a function of 4 MB
// that does nothing but load would take 3.4 GB. That of Go's own compiler which takes most takes 360 MB.
const (
	maxFunctionMemory = 512 << 20

	memoryByte  = 130
	memoryCall  = 1_500
	memoryCheck = 5_500
)

// A complexity is what a function's effort is told from.
type complexity struct {
	bytes, locals, blocks, knots, labels, calls int64
	branches                                    int64 // with a condition
	charges                                     int64 // of single instructions, in branches
	checks                                      int64 // instructions that may trap
}

// opened counts a block, loop or if.
func (c *complexity) opened(op byte) {
	c.blocks++
	switch op {
	case opLoop:
		c.knots += knotsLoop
	case opIf:
		c.knots += knotsIf
	default:
		c.knots += knotsBlock
	}
}

func (c *complexity) effort() int64 {
	begun := c.knots + c.charges + max(0, c.branches-c.blocks)
	return effortFunction + effortByte*c.bytes + effortCall*c.calls + effortLabel*c.labels + begun*begun + effortLive*c.locals*c.knots
}

func (c *complexity) memory() int64 {
	return memoryByte*c.bytes + memoryCall*c.calls + memoryCheck*c.checks
}

// afford books the effort of function i, or refuses it.
func (m *module) afford(i int, c *complexity) error {
	e := c.effort()
	if e > maxFunctionEffort || c.memory() > maxFunctionMemory {
		return refuse("function %d is too much for the compiler: %d bytes with %d locals, %d blocks, %d branches, %d labels of branch tables, %d calls and %d instructions that may trap; split it",
			i, c.bytes, c.locals, c.blocks, c.branches, c.labels, c.calls, c.checks)
	}
	if m.effort += e; m.effort > maxModuleEffort {
		return refuse("module is too much for the compiler: after %d functions its bytes, branches and calls come to more than a minute's work", i+1)
	}
	return nil
}
