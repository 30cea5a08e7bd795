package meter

// A site is a place where a charge goes, before the byte at pos.
//
// Those of kind region divide a function: each pays for the code from there to the next, in the order of the file. That
// is sound because no branch leads into a region past its site, but from within: see charger.end.
type site struct {
	pos    int
	kind   siteKind
	depth  int   // how many labels are open, the function's own included: that of the trap
	weight int64 // of the region
	shift  int8  // for a length
	gone   bool  // taken out: others pay
}

type siteKind uint8

const (
	region   siteKind = iota
	afterEnd          // a region behind a loop, which the loop may pay for when it is small
	growth            // growCost
	length            // the i32 on top of the stack, shifted
)

// A frame is an open block, loop or if of the function that is being read.
type frame struct {
	op       byte
	site     int  // of a loop: its head
	regions  int  // how many there were when it was opened
	arity    int  // how many values a branch to it carries
	targeted bool // some branch leads to its end
	dispatch bool // a branch table does
}

// A charger walks one function after the other and notes where to charge. Its slices are used again.
type charger struct {
	m       *module
	sites   []site
	frames  []frame
	regions int
	current int   // the site of the region that is being read
	joining int64 // what every region weighs to begin with
	// counted is what the compiler will have to do.
	counted complexity
	// straight is the innermost frame since whose beginning nothing could have branched, or -1.
	straight int
}

// read walks the instructions of a function and notes its sites. locals counts its parameters too: where branches meet, the
// compiler may have to move each of them, which no instruction shows. The few that every function of Go's has are free.
func (c *charger) read(r *reader, locals, results int) {
	c.sites, c.regions, c.straight = c.sites[:0], 0, 0
	c.counted = complexity{bytes: int64(len(r.b)), locals: int64(locals)}
	c.joining = int64(max(0, locals-freeLocals) / 8)
	c.frames = append(c.frames[:0], frame{op: opBlock, arity: results})
	c.begin(r.pos, region)
	for len(c.frames) > 0 {
		at := r.pos
		op := r.byte()
		if r.err != nil {
			return
		}
		in := &instructions[op]
		c.weigh(int64(in.weight))
		if in.weight >= weightVector && op != opCall && op != opReturnCall {
			c.counted.checks++
		}
		switch in.imm {
		case immNone:
			if op <= opReturn {
				c.straight = -1
			}
		case immBlock:
			c.open(r, op, r.blockType(c.m.types))
		case immStructure:
			c.straight = -1
			if op == opEnd {
				c.end(r)
			} else {
				c.otherwise(r)
			}
		default:
			c.immediate(r, op, in.imm, at)
		}
	}
	if r.more() {
		r.fail("function has code after its end")
		return
	}
	c.thin()
}

// begin starts a region.
func (c *charger) begin(pos int, kind siteKind) {
	c.current = len(c.sites)
	c.regions++
	c.sites = append(c.sites, site{pos: pos, kind: kind, depth: len(c.frames), weight: c.joining})
}

func (c *charger) weigh(n int64) { c.sites[c.current].weight += n }

func (c *charger) open(r *reader, op byte, t FuncType) {
	f := frame{op: op, arity: len(t.Results)}
	c.counted.opened(op)
	switch op {
	case opLoop:
		if c.straight == 0 && c.sites[0].weight <= smallWeight {
			// The function's entry leads straight to this loop, which pays for both.
			c.sites[0].gone = true
		}
		f.site, f.arity = len(c.sites), len(t.Params)
		c.begin(r.pos, region)
		c.sites[f.site].depth++ // inside
		c.straight = len(c.frames)
	case opIf:
		c.straight, f.targeted = -1, true
	}
	f.regions = c.regions
	c.frames = append(c.frames, f)
	if len(c.frames) > maxNesting {
		r.fail("blocks are nested deeper than %d", maxNesting)
	}
}

// end closes a block. Code behind it may be reached by a branch from inside: if that began in an earlier region, the
// branch passed the current one's site by, and a region of its own has to begin here. So has one behind every block that
// a branch table leads to, because what its other branches lead to would otherwise be charged along.
func (c *charger) end(r *reader) {
	last := len(c.frames) - 1
	f := c.frames[last]
	c.frames = c.frames[:last]
	switch {
	case last == 0:
	case f.op == opLoop:
		c.begin(r.pos, afterEnd)
	case f.dispatch || f.targeted && c.regions > f.regions:
		c.begin(r.pos, region)
	}
}

// otherwise is the else of an if: the same goes for it, coming from the if.
func (c *charger) otherwise(r *reader) {
	if f := &c.frames[len(c.frames)-1]; c.regions > f.regions {
		c.begin(r.pos, region)
	}
}

// branch notes that a branch leads to a label.
func (c *charger) branch(r *reader, table bool) {
	depth := int(r.u32())
	if r.err != nil {
		return
	}
	i := len(c.frames) - 1 - depth
	if i < 0 {
		r.fail("branch to label %d, which does not exist", depth)
		return
	}
	f := &c.frames[i]
	f.targeted = true
	c.weigh(int64(f.arity))
	f.dispatch = f.dispatch || table
	if table && (i <= c.straight || f.op == opLoop) {
		c.straight = -1
	}
}

// table reads a branch table. When a loop begins with one that leads only to ends of blocks inside, as nearly every
// function of Go's compiler does, those have sites of their own and the loop needs none.
func (c *charger) table(r *reader) {
	n := r.count(1)
	if n > maxBranchTableSize {
		r.fail("branch table of %d labels, the limit is %d", n, maxBranchTableSize)
		return
	}
	c.counted.labels += int64(n + 1)
	for range n + 1 {
		c.branch(r, true)
	}
	if r.err == nil && c.straight > 0 {
		head := c.frames[c.straight].site
		if head == c.current && c.sites[head].weight <= smallWeight {
			c.sites[head].gone = true
		}
	}
	c.straight = -1
}

// thin takes out sites that others can do the work of. A small region behind a loop is charged with each turn of what
// precedes it; one without any weight leads to the next without doing anything.
func (c *charger) thin() {
	before := -1
	for i := range c.sites {
		s := &c.sites[i]
		switch {
		case s.kind != region && s.kind != afterEnd:
		case s.kind == afterEnd && s.weight <= weightPerFuel && before >= 0 && !c.sites[before].gone:
			c.sites[before].weight += s.weight
			s.gone = true
		default:
			before = i
		}
	}
	for i := range c.sites {
		if s := &c.sites[i]; (s.kind == region || s.kind == afterEnd) && s.weight <= c.joining {
			s.gone = true
		}
	}
}
