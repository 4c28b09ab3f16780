package tensor

import (
	"cmp"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// layout is the part of a program that does not depend on the size of a batch: the
// sequence of operations, and the results that share a buffer.
type layout struct {
	g          *Graph
	splits     [][]split // by node and output
	partitions []uint8   // by node: the partition that divides it, if it is local
	order      []int     // the operations that some output needs, in the sequence they run in
	steps      []step    // of order
	stepOf     []int     // by position in order: its step
	lastUse    [][]int   // by node and output: the last position that reads it
	buffer     [][]int   // by node and output: its index in buffers
	buffers    []buffer  // ascending by first
}

// buffer is the storage of one result, or of several results, each of which takes over
// the storage when the one before is no longer needed.
type buffer struct {
	typ         kernel.DType
	first, last int   // positions of the first operation that writes it and of the last that reads it
	value       Value // the first result

	// For the present batch:
	elements int
	offset   int // in the arena's array of the type
}

// align is the multiple that offsets in an arena are rounded to, in elements: a cache line
// of float32.
const align = 16

// forever is the last use of an output of the program.
const forever = math.MaxInt

// newLayout finds the operations that outputs need, puts them in sequence, and lets
// results share buffers.
func newLayout(g *Graph, outputs []Value) *layout {
	nodes := len(g.nodes)
	l := &layout{
		g: g, partitions: make([]uint8, nodes), lastUse: make([][]int, nodes), buffer: make([][]int, nodes),
	}
	l.schedule(g.live(outputs))
	// Lifetimes: a result is needed until the last operation that reads it, an output of
	// the program for ever.
	for s := range l.steps {
		l.stepOf = append(l.stepOf, slices.Repeat([]int{s}, l.steps[s].until-l.steps[s].from)...)
	}
	for at, i := range l.order {
		n := &g.nodes[i]
		l.lastUse[i] = slices.Repeat([]int{at}, len(n.out))
		for _, v := range n.in {
			if g.node(v).op != 0 {
				l.lastUse[v.node-1][v.out] = at
			}
		}
	}
	for _, v := range outputs {
		if g.node(v).op != 0 {
			l.lastUse[v.node-1][v.out] = forever
		}
	}
	l.share()
	return l
}

// class is the property that two results must share so that every item of every batch lies
// at the same offsets in both.
type class struct {
	split
	typ   kernel.DType
	width int // elements of a row
}

// class returns v's class. A value that is not divided by items has none.
func (l *layout) class(v Value) (c class, ok bool) {
	t := l.g.tensor(v)
	// Rows of a value have a fixed width. Scores of an item have a length that follows from
	// the table, so all scores of one table are alike.
	c = class{split: l.splits[v.node-1][v.out], typ: t.Type, width: 1}
	if c.table == 0 {
		for _, d := range t.Shape[1:] {
			c.width *= d
		}
	}
	return c, c.split != split{}
}

// share gives every result a buffer. The first of these that exists:
//
//   - the buffer of an input that the operation may overwrite and that nothing reads later;
//   - in a stage, a buffer of the same class that nothing reads any more;
//   - a new buffer.
//
// The second is safe although the items of a stage advance at different speeds: in buffers
// of one class an item has the same place, which only its own calls use, in sequence.
func (l *layout) share() {
	for _, s := range l.steps {
		idle := map[class][]int{}
		// Idle buffers are those of this step only: between steps, place shares memory.
		for at := s.from; at < s.until; at++ {
			i := l.order[at]
			n := &l.g.nodes[i]
			l.buffer[i] = make([]int, len(n.out))
			for o, t := range n.out {
				v := Value{i + 1, o}
				c, divided := l.class(v)
				id, ok := l.overwritten(s, at, n, o)
				if of := idle[c]; !ok && at < s.free && divided && len(of) > 0 {
					id, ok = of[len(of)-1], true
					idle[c] = of[:len(of)-1]
				}
				if !ok {
					id = len(l.buffers)
					l.buffers = append(l.buffers, buffer{typ: t.Type, first: at, value: v})
				}
				l.buffer[i][o] = id
				l.buffers[id].last = l.lastUse[i][o]
			}
			// Free calls run at any time during the stage, so they give nothing back to it.
			if at < s.free {
				l.retire(idle, at, n, i)
			}
		}
	}
}

// retire marks the buffers whose last user is n, at position at, as idle in their classes.
func (l *layout) retire(idle map[class][]int, at int, n *node, i int) {
	last := func(v Value) {
		if l.g.node(v).op == 0 || l.lastUse[v.node-1][v.out] != at {
			return
		}
		// A buffer may have been taken over; then its last user is a later operation. And
		// an operation may read the same value twice.
		id := l.buffer[v.node-1][v.out]
		c, divided := l.class(v)
		if divided && l.buffers[id].last == at && !slices.Contains(idle[c], id) {
			idle[c] = append(idle[c], id)
		}
	}
	for _, v := range n.in {
		last(v)
	}
	for o := range n.out {
		last(Value{i + 1, o})
	}
}

// overwritten returns the buffer that output o of n, the operation at position at of step
// s, takes over from an input, as [kernel.InPlace] allows. A free call may overwrite an
// input only if no other call of the step reads it, since they run at the same time.
func (l *layout) overwritten(s step, at int, n *node, o int) (id int, ok bool) {
	ways := kernel.InPlace[n.op]
	if len(n.out) > 1 && len(ways) > 1 {
		ways = ways[:1] // outputs that go different ways could take over one buffer twice
	}
	for _, way := range ways {
		v := n.in[way[o]]
		if l.g.node(v).op == 0 || l.lastUse[v.node-1][v.out] != at {
			continue
		}
		if at >= s.free && l.reads(s, at, v) {
			continue
		}
		return l.buffer[v.node-1][v.out], true
	}
	return 0, false
}

// reads reports whether a call of s other than the one at position at reads v.
func (l *layout) reads(s step, at int, v Value) bool {
	for other := s.from; other < s.until; other++ {
		if other != at && slices.Contains(l.g.nodes[l.order[other]].in, v) {
			return true
		}
	}
	return false
}

// place gives every buffer an offset in the arena, from the first step to the last, each
// in the smallest free span that is large enough. It returns the arena's size by element
// type, in elements. The calls of a step may run at the same time, so a buffer is in use
// during the whole of its first and last step.
func (p *Program) place() (size [3]int) {
	l := p.layout
	for t := range p.free {
		p.free[t] = p.free[t][:0]
	}
	next := 0
	for s := range l.steps {
		for ; next < len(l.buffers) && l.stepOf[l.buffers[next].first] == s; next++ {
			b := &l.buffers[next]
			t := b.typ - kernel.F32
			v := l.g.tensor(b.value)
			b.elements = v.Len()
			b.offset = take(&p.free[t], roundUp(b.elements), &size[t])
		}
		// The buffers of the step are placed before those that end with it are free.
		for _, id := range p.ends[s] {
			b := &l.buffers[id]
			t := b.typ - kernel.F32
			p.free[t] = release(p.free[t], span{b.offset, roundUp(b.elements)})
		}
	}
	return size
}

// ends lists, for each step, the buffers that no later step reads.
func (l *layout) ends() [][]int {
	ends := make([][]int, len(l.steps))
	for id, b := range l.buffers {
		if b.last != forever {
			ends[l.stepOf[b.last]] = append(ends[l.stepOf[b.last]], id)
		}
	}
	return ends
}

// span is a free part of an arena's array.
type span struct{ offset, size int }

// take removes size elements from the smallest free span that has them, or extends the
// array, whose length is end. It returns their offset.
func take(free *[]span, size int, end *int) int {
	// Best fit.
	best := -1
	for i, s := range *free {
		if s.size >= size && (best < 0 || s.size < (*free)[best].size) {
			best = i
		}
	}
	if best >= 0 {
		s := &(*free)[best]
		offset := s.offset
		s.offset += size
		s.size -= size
		if s.size == 0 {
			*free = slices.Delete(*free, best, best+1)
		}
		return offset
	}
	// The array grows from the last free span, if that lies at its end.
	offset := *end
	if n := len(*free); n > 0 && (*free)[n-1].offset+(*free)[n-1].size == offset {
		offset = (*free)[n-1].offset
		*free = (*free)[:n-1]
	}
	*end = offset + size
	return offset
}

// release puts s back and joins it with the free spans next to it. free is ascending by
// offset.
func release(free []span, s span) []span {
	// Join with the span behind, then with the span in front.
	i, _ := slices.BinarySearchFunc(free, s.offset, func(f span, offset int) int {
		return cmp.Compare(f.offset, offset)
	})
	if i < len(free) && s.offset+s.size == free[i].offset {
		s.size += free[i].size
		free = slices.Delete(free, i, i+1)
	}
	if i > 0 && free[i-1].offset+free[i-1].size == s.offset {
		free[i-1].size += s.size
		return free
	}
	return slices.Insert(free, i, s)
}

func roundUp(n int) int { return (n + align - 1) / align * align }
