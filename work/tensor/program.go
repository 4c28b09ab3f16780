package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Arena is the storage of the results of plans, one array for each element
// type. It grows to the largest plan made with it. A plan's results are good
// until another plan of its arena runs. The zero Arena is empty and ready.
type Arena struct {
	On     kernel.Device    // which gives the storage; nil for Go's memory
	arrays [3]kernel.Tensor // by element type
}

// Program is the calls that compute some values of a graph, in steps, with a
// place in the arena for every result, shared with results whose lifetimes do
// not overlap. Values asked for live to the end of the run.
type Program struct {
	graph  *Graph
	arena  *Arena
	layout *layout
	cuts   [][]int32 // by side; that of segments is 0
	calls  []kernel.Call
	sides  []uint8           // by call: what a local one goes by
	places [][]kernel.Tensor // by node: its outputs' storage
	ends   [][]int           // by step: the buffers last read there
	free   [3][]span         // by element type, while placing
	in     []kernel.Tensor   // while inferring
}

// Compile makes the plan that computes outputs, ready to run on the tensors that
// the leaves have.
func (g *Graph) Compile(arena *Arena, outputs ...Value) *Program {
	l := newLayout(g, outputs)
	p := &Program{graph: g, arena: arena, layout: l, ends: l.ends()}
	p.places = make([][]kernel.Tensor, len(g.nodes))
	for i := range g.nodes {
		p.places[i] = make([]kernel.Tensor, len(g.nodes[i].out))
	}
	for _, n := range l.order {
		nd := &g.nodes[n]
		p.calls = append(p.calls, kernel.Call{
			Op: nd.op, Attr: nd.attr, In: make([]kernel.Tensor, len(nd.in)), Out: p.places[n], Label: nd.label(),
		})
		p.sides = append(p.sides, l.sides[n])
	}
	p.cuts = make([][]int32, 1+len(g.sides))
	p.Prepare()
	return p
}

// Prepare makes the plan ready to run on the tensors that the leaves have now:
// it infers the shapes, places the results and, where it is too small, grows
// the arena; otherwise it allocates nothing. It panics when the leaves do not
// fit.
func (p *Program) Prepare() {
	g := p.graph
	p.cut()
	for i := range g.nodes {
		n := &g.nodes[i]
		copy(p.places[i], n.out)
		if n.op == 0 {
			continue
		}
		p.in = p.in[:0]
		for _, v := range n.in {
			p.in = append(p.in, g.tensor(v))
		}
		if err := kernel.Reshape(n.op, &n.attr, p.in, n.out); err != nil {
			panic(fmt.Sprintf("tensor: %v", err))
		}
	}
	p.bind(p.place())
	for i, n := range p.layout.order {
		for j, v := range g.nodes[n].in {
			p.calls[i].In[j] = p.Result(v)
		}
	}
}

// cut reads the sides' items.
func (p *Program) cut() {
	g := p.graph
	g.checkSides()
	copy(p.cuts[1:], g.sides)
	p.cuts[0] = p.cuts[0][:0]
	if len(g.sides) > 0 {
		for i := range g.sides[0] {
			p.cuts[0] = append(p.cuts[0], int32(i))
		}
	}
}

// bind grows the arena to size and gives every result its place there.
func (p *Program) bind(size [3]int) {
	a, l := p.arena, p.layout
	for t, n := range size {
		a.grow(t, n)
	}
	for _, i := range l.order {
		for o, id := range l.buffer[i] {
			b, t := &l.buffers[id], &p.places[i][o]
			*t = a.arrays[b.typ-kernel.F32].Part(b.offset, b.offset+b.elements, t.Shape...)
		}
	}
}

// grow makes an array at least n elements long. When it must, it makes room for
// batches that are a little larger still: those of a run differ little, and
// what is outgrown lies about until it is collected.
func (a *Arena) grow(t, n int) {
	if x := &a.arrays[t]; len(x.Shape) == 0 && n > 0 || n > x.Len() {
		*x = kernel.Alloc(a.On, kernel.F32+kernel.DType(t), n+n/8)
	}
}

// Run computes the plan's outputs on dev. It allocates nothing.
func (p *Program) Run(dev kernel.Device) {
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
	for _, s := range p.layout.steps {
		dev.Stage(p.calls[s.from:s.free], p.sides[s.from:s.free], p.cuts, p.calls[s.free:s.until])
	}
}

// Result returns the storage of a value: of a leaf, of an output asked for,
// or of an intermediate result, which later operations may have overwritten.
func (p *Program) Result(v Value) kernel.Tensor { return p.places[v.node-1][v.out] }

// Cost is the integer cost of a run, the sum of its calls'.
func (p *Program) Cost() uint64 {
	sum := uint64(0)
	for i := range p.calls {
		sum += kernel.Cost(&p.calls[i])
	}
	return sum
}

// Step is one operation of a traced run.
type Step struct {
	Name    Name       // the operation's hashed name
	Op      kernel.Op  // its row
	Shapes  [][]int    // of each output
	Digests [][32]byte // SHA-256 of each output's elements, little endian
}

// Trace computes what Run computes, one operation after the other in the order
// of the plan's steps, and reports each when it is done.
func (p *Program) Trace(dev kernel.Device, report func(Step)) {
	names := p.graph.names()
	for i := range p.calls {
		c := &p.calls[i]
		dev.Do(c)
		s := Step{Name: names[p.layout.order[i]], Op: c.Op}
		for _, t := range c.Out {
			s.Shapes = append(s.Shapes, slices.Clone(t.Shape))
			s.Digests = append(s.Digests, Digest(t))
		}
		report(s)
	}
}

// NonFinite is where a NaN or an infinity first came from.
type NonFinite struct {
	Op     string // the row, or what kind of leaf
	Tensor string // the leaf's name, or the operation's module
	Back   bool   // the operation is of a gradient
}

// FirstNonFinite computes what Run computes, one operation after the other, and finds
// the first tensor that is not finite, leaves before results.
func (p *Program) FirstNonFinite(dev kernel.Device) (f NonFinite, found bool) {
	for i := range p.graph.nodes {
		if n := &p.graph.nodes[i]; n.op == 0 && !Finite(n.out[0]) {
			return NonFinite{Op: n.kind.String(), Tensor: n.name}, true
		}
	}
	for i := range p.calls {
		c := &p.calls[i]
		dev.Do(c)
		for _, t := range c.Out {
			if !Finite(t) {
				n := &p.graph.nodes[p.layout.order[i]]
				return NonFinite{c.Op.String(), n.name, n.back}, true
			}
		}
	}
	return NonFinite{}, false
}

// Digest is SHA-256 of t's elements, little endian, without its shape.
func Digest(t kernel.Tensor) [32]byte {
	t = kernel.Local(t)
	h := sha256.New()
	var buf [4096]byte
	le := binary.LittleEndian
	for c := range slices.Chunk(t.F, len(buf)/4) {
		for i, x := range c {
			le.PutUint32(buf[4*i:], math.Float32bits(x))
		}
		h.Write(buf[:4*len(c)])
	}
	for c := range slices.Chunk(t.I, len(buf)/4) {
		for i, x := range c {
			le.PutUint32(buf[4*i:], uint32(x))
		}
		h.Write(buf[:4*len(c)])
	}
	for c := range slices.Chunk(t.B, len(buf)) {
		for i, x := range c {
			buf[i] = byte(x)
		}
		h.Write(buf[:len(c)])
	}
	return [32]byte(h.Sum(nil))
}
