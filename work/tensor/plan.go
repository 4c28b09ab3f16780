package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Arena is the storage of the results of plans, one array for each element
// type. It grows to the largest plan made with it. A plan's results are good
// until another plan of its arena runs. The zero Arena is empty and ready.
type Arena struct {
	f []float32
	i []int32
	b []int8
}

// Plan is the calls that compute some values of a graph, in the graph's order,
// with a place in the arena for every result, shared with results whose
// lifetimes do not overlap. Values asked for live to the end of the run.
type Plan struct {
	graph  *Graph
	calls  []kernel.Call
	source []int             // by call: its node
	places [][]kernel.Tensor // by node: its outputs' storage
}

// Plan makes the plan that computes outputs.
func (g *Graph) Plan(arena *Arena, outputs ...Value) *Plan {
	l := newLayout(g, outputs)
	l.share()
	l.place()
	p := &Plan{graph: g, source: l.order, places: l.bind(arena)}
	p.calls = make([]kernel.Call, len(l.order))
	for i, n := range l.order {
		nd := &g.nodes[n]
		in := make([]kernel.Tensor, len(nd.in))
		for j, v := range nd.in {
			in[j] = p.Result(v)
		}
		p.calls[i] = kernel.Call{Op: nd.op, Attr: nd.attr, In: in, Out: p.places[n]}
	}
	return p
}

// Run computes the plan's outputs on dev. It allocates nothing.
func (p *Plan) Run(dev kernel.Device) {
	for i := range p.calls {
		dev.Do(&p.calls[i])
	}
}

// Result returns the storage of a value: of a leaf, of an output asked for,
// or of an intermediate result, which later operations may have overwritten.
func (p *Plan) Result(v Value) kernel.Tensor { return p.places[v.node-1][v.out] }

// Cost is the integer cost of a run, the sum of its calls'.
func (p *Plan) Cost() uint64 {
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

// Trace computes what Run computes and reports each operation when it is done.
func (p *Plan) Trace(dev kernel.Device, report func(Step)) {
	names := p.graph.names()
	for i := range p.calls {
		c := &p.calls[i]
		dev.Do(c)
		s := Step{Name: names[p.source[i]], Op: c.Op}
		for _, t := range c.Out {
			s.Shapes = append(s.Shapes, slices.Clone(t.Shape))
			s.Digests = append(s.Digests, Digest(t))
		}
		report(s)
	}
}

// Fault is where a NaN or an infinity first came from.
type Fault struct {
	Op     string // the row, or what kind of leaf
	Tensor string // the leaf's name, or the operation's module
	Back   bool   // the operation is of a gradient
}

// Fault computes what Run computes, one operation after the other, and finds
// the first tensor that is not finite, leaves before results.
func (p *Plan) Fault(dev kernel.Device) (f Fault, found bool) {
	for i := range p.graph.nodes {
		if n := &p.graph.nodes[i]; n.op == 0 && !Finite(n.out[0]) {
			return Fault{Op: n.kind.String(), Tensor: n.name}, true
		}
	}
	for i := range p.calls {
		c := &p.calls[i]
		dev.Do(c)
		for _, t := range c.Out {
			if !Finite(t) {
				n := &p.graph.nodes[p.source[i]]
				return Fault{c.Op.String(), n.name, n.back}, true
			}
		}
	}
	return Fault{}, false
}

// Digest is SHA-256 of t's elements, little endian, without its shape.
func Digest(t kernel.Tensor) [32]byte {
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
