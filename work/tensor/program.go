package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Arena is the storage for the results of programs, one array for each element type. It
// grows to the largest program that uses it. A program's results are valid until another
// program with the same arena runs. The zero Arena is empty and ready for use.
type Arena struct {
	On     kernel.Device    // the device whose memory to use; nil for the host's
	arrays [3]kernel.Tensor // by element type
}

// Program is the list of calls that compute some values of a graph. Every result has a
// place in the arena, which it may share with results whose lifetimes do not overlap. The
// outputs keep their places to the end of a run.
type Program struct {
	graph      *Graph
	arena      *Arena
	layout     *layout
	rowSplits  [][]int32 // by partition; partition 0 is of segments, one for each item
	calls      []kernel.Call
	partitions []uint8           // by call: the partition that divides it, if it is local
	places     [][]kernel.Tensor // by node: its outputs' storage
	ends       [][]int           // by step: the buffers last read there
	free       [3][]span         // by element type: the free spans, while placing
	in         []kernel.Tensor   // the inputs of an operation, while inferring
}

// Compile makes the program that computes outputs, ready to run on the leaves' present
// tensors. It panics when those do not fit one another.
func (g *Graph) Compile(arena *Arena, outputs ...Value) *Program {
	l := newLayout(g, outputs)
	p := &Program{graph: g, arena: arena, layout: l, ends: l.ends()}
	p.places = make([][]kernel.Tensor, len(g.nodes))
	for i := range g.nodes {
		p.places[i] = make([]kernel.Tensor, len(g.nodes[i].out))
	}
	// The calls share their slices of tensors with places, so that Prepare need not build
	// them anew.
	for _, n := range l.order {
		nd := &g.nodes[n]
		p.calls = append(p.calls, kernel.Call{
			Op: nd.op, Attr: nd.attr, In: make([]kernel.Tensor, len(nd.in)), Out: p.places[n], Label: nd.label(),
		})
		p.partitions = append(p.partitions, l.partitions[n])
	}
	p.rowSplits = make([][]int32, 1+len(g.partitions))
	p.Prepare()
	return p
}

// Prepare makes the program ready to run on the leaves' present tensors: it infers the
// shapes, places the results, and grows the arena if that is too small. Otherwise it
// allocates nothing. It panics when the leaves do not fit one another.
func (p *Program) Prepare() {
	g := p.graph
	p.split()
	// Shapes, from the leaves on.
	p.in = g.reshape(p.in)
	for i := range g.nodes {
		copy(p.places[i], g.nodes[i].out)
	}
	// Storage for the results, and for each call the storage of its inputs.
	p.bind(p.place())
	for i, n := range p.layout.order {
		for j, v := range g.nodes[n].in {
			p.calls[i].In[j] = p.Result(v)
		}
	}
}

// split reads the row splits of the partitions. Item i has segment i, in partition 0.
func (p *Program) split() {
	g := p.graph
	g.checkPartitions()
	copy(p.rowSplits[1:], g.partitions)
	p.rowSplits[0] = p.rowSplits[0][:0] // its storage is used again
	if len(g.partitions) > 0 {
		for i := range g.partitions[0] {
			p.rowSplits[0] = append(p.rowSplits[0], int32(i))
		}
	}
}

// bind grows the arena to size elements of each type and gives every result its place.
func (p *Program) bind(size [3]int) {
	a, l := p.arena, p.layout
	for t, n := range size {
		a.grow(t, n)
	}
	for _, i := range l.order {
		for o, id := range l.buffer[i] {
			// Places are shared with the calls' Out, so this gives the calls their storage.
			b, t := &l.buffers[id], &p.places[i][o]
			*t = a.arrays[b.typ-kernel.F32].Part(b.offset, b.offset+b.elements, t.Shape...)
		}
	}
}

// grow makes array t at least n elements long. It adds an eighth, because the batches of a
// run differ little: otherwise each slightly larger batch would leave the old array as
// garbage.
func (a *Arena) grow(t, n int) {
	if x := &a.arrays[t]; len(x.Shape) == 0 && n > 0 || n > x.Len() {
		*x = kernel.Alloc(a.On, kernel.F32+kernel.DType(t), n+n/8)
	}
}

// Run computes the program's outputs on dev. It allocates nothing.
func (p *Program) Run(dev kernel.Device) {
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
	for _, s := range p.layout.steps {
		dev.Stage(p.calls[s.from:s.free], p.partitions[s.from:s.free], p.rowSplits, p.calls[s.free:s.until])
	}
}

// Result returns the tensor of a value: a leaf, an output of the program, or an
// intermediate result, which later operations may have overwritten. It may lie in a
// device's memory: [kernel.Local] brings it to the host.
func (p *Program) Result(v Value) kernel.Tensor { return p.places[v.node-1][v.out] }

// Cost is the integer cost of a run: the sum of [kernel.Cost] over its calls.
func (p *Program) Cost() uint64 {
	sum := uint64(0)
	for i := range p.calls {
		sum += kernel.Cost(&p.calls[i])
	}
	return sum
}

// Step is one operation of a traced run. See [Program.Trace].
type Step struct {
	Name    Name       // the operation's hashed name
	Op      kernel.Op  // the operation
	Shapes  [][]int    // of each output
	Digests [][32]byte // SHA-256 of each output's elements, little endian
}

// Trace computes the same outputs as [Program.Run], one operation after the other, and
// reports each when it is done. Comparing the traces of two machines shows the first
// operation whose bits differ.
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

// NonFinite is the place where a NaN or an infinity first appeared.
type NonFinite struct {
	Op     string // the operation's name, or the kind of leaf
	Tensor string // the operation's module, or the leaf's name
	Back   bool   // the operation belongs to a gradient
}

// FirstNonFinite computes the same outputs as [Program.Run], one operation after the
// other, and finds the first tensor with a NaN or an infinity. Leaves come before results.
func (p *Program) FirstNonFinite(dev kernel.Device) (at NonFinite, found bool) {
	// Leaves first: a batch or a parameter that is not finite is the cause of all else.
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

// Digest is SHA-256 of t's elements, little endian. The shape is not part of it.
func Digest(t kernel.Tensor) [32]byte {
	t = kernel.Local(t)
	// Through a buffer on the stack: a copy of the tensor's bytes would be as large.
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
