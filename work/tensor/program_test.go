package tensor

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"pgregory.net/rapid"
)

// interpret computes every operation of g in order with storage of its own:
// the slow obvious version of a plan.
func interpret(dev kernel.Device, g *Graph) [][]kernel.Tensor {
	all := make([][]kernel.Tensor, len(g.nodes))
	for i, n := range g.nodes {
		if n.op == 0 {
			all[i] = n.out
			continue
		}
		c := kernel.Call{Op: n.op, Attr: n.attr}
		for _, v := range n.in {
			c.In = append(c.In, all[v.node-1][v.out])
		}
		for _, t := range n.out {
			c.Out = append(c.Out, kernel.New(t.Type, t.Shape...))
		}
		dev.Do(&c)
		all[i] = c.Out
	}
	return all
}

// drawGraph draws a graph of matrices [rows, width] with a cross-entropy at
// its end, and its gradient with respect to every leaf. It returns values to
// ask for.
func drawGraph(t *rapid.T) (*Graph, []Value) {
	const rows = 5
	width := rapid.SampledFrom([]int{4, 6, 2}).Draw(t, "width") // of 6, two rows share a counter of Dropout
	g := NewGraph()
	seg := g.Leaf(Input, "seg", segments(0, 2, 0, 2, 2, 3, 2, 3))
	var split []Partition
	if rapid.Bool().Draw(t, "split") {
		part := g.Partition([]int32{0, 2, 5})
		split = []Partition{part}
		seg = g.Leaf(Input, "split.seg", segments(0, 2, 0, 2, 2, 3, 2, 3), part, part)
	}
	key := g.Leaf(Input, "key", ints(1, 2, 3, 0))
	w := g.Leaf(Param, "w", random(1, width, width))
	b := g.Leaf(Param, "b", random(2, width))
	gain := g.Leaf(Param, "gain", random(3, width))
	codes := g.Do(kernel.QuantizeWeight, kernel.Attr{Trans: kernel.NT}, w)
	values := []Value{
		g.Leaf(Param, "x", random(4, rows, width), split...), g.Leaf(Param, "y", random(5, rows, width), split...),
	}
	pick := func() Value { return rapid.SampledFrom(values).Draw(t, "value") }
	for range rapid.IntRange(1, 20).Draw(t, "operations") {
		x := pick()
		heads := kernel.Attr{Heads: 2, Scale: 0.5, Causal: rapid.Bool().Draw(t, "causal")}
		switch rapid.IntRange(0, 8).Draw(t, "row") {
		case 0:
			x = g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, x, w)
		case 1:
			x = g.Do(kernel.AddBias, kernel.Attr{}, x, b)
		case 2:
			x = g.Do(kernel.Add, kernel.Attr{}, x, pick())
		case 3:
			x = g.Do(kernel.Relu, kernel.Attr{}, x)
		case 4:
			x = g.Do(kernel.LayerNorm, kernel.Attr{Eps: 1e-5}, x, gain, b)
		case 5:
			x = g.Do(kernel.Dropout, kernel.Attr{Rate: 0.5, Scale: 2}, x, key)
		case 6:
			x = g.Do(kernel.Scale, kernel.Attr{Scale: 0.5}, x)
		case 7:
			s := g.Do(kernel.AttnScores, kernel.Attr{Heads: 2}, x, pick(), seg)
			s = g.Do(kernel.AttnSoftmax, heads, s, seg)
			x = g.Do(kernel.AttnMix, kernel.Attr{Heads: 2}, s, pick(), seg)
		case 8:
			q := g.Do(kernel.QuantizeRows, kernel.Attr{}, x)
			x = g.Do(kernel.Linear8, kernel.Attr{}, q, q.Out(1), codes, codes.Out(1), b)
		}
		values = append(values, x)
	}
	x := values[len(values)-1]
	m := g.Do(kernel.RowMax, kernel.Attr{}, x)
	s := g.Do(kernel.RowSumExp, kernel.Attr{}, x, m)
	r := g.Do(kernel.RowSum, kernel.Attr{}, x)
	ce := g.Do(kernel.CrossEntropy, kernel.Attr{Eps: 0.1}, x, m, s, r,
		g.Leaf(Input, "labels", ints(0, 1, 0, 1, 0), split...))
	loss := g.Do(kernel.Sum, kernel.Attr{}, ce)
	outputs := []Value{loss, pick()}
	for _, v := range g.Grad(loss, g.Leaf(Input, "seed", vector(0.25)), values[0], values[1], w, b, gain) {
		if v != (Value{}) {
			outputs = append(outputs, v)
		}
	}
	return g, outputs
}

// freeLast computes what a step leaves free after its stage, call by call; the
// device itself does it before.
type freeLast struct{ kernel.Device }

func (d freeLast) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	for _, cs := range [][]kernel.Call{calls, free} {
		for i := range cs {
			d.Do(&cs[i])
		}
	}
}

// TestPlanEqualsInterpreter runs random graphs with shared storage and with
// none: outputs are the same bits, however often and in whatever order a step
// may run, and so is what a trace sees.
func TestPlanEqualsInterpreter(t *testing.T) {
	dev := portable(t)
	var arena Arena
	rapid.Check(t, func(t *rapid.T) {
		g, outputs := drawGraph(t)
		want := interpret(dev, g)
		p := g.Compile(&arena, outputs...)
		names := g.names()
		steps := map[Name]Step{}
		for _, dev := range []kernel.Device{dev, dev, freeLast{dev}} {
			p.Run(dev)
			for _, v := range outputs {
				if w := want[v.node-1][v.out]; !Equal(p.Result(v), w) {
					t.Fatalf("output %v of %v is %v, want %v", v, g.node(v).op, p.Result(v), w)
				}
			}
		}
		if got := withoutStorage(g).Cost(outputs...); got != p.Cost() {
			t.Fatalf("without storage the cost is %d, a run's is %d", got, p.Cost())
		}
		p.Trace(dev, func(s Step) { steps[s.Name] = s })
		for i := range p.calls {
			n := p.layout.order[i]
			for o, w := range want[n] {
				if got := steps[names[n]].Digests[o]; got != Digest(w) {
					t.Fatalf("the trace of %v differs from the interpreter", g.nodes[n].op)
				}
			}
		}
	})
}

// withoutStorage is a copy of g whose leaves, but for segment tables, hold no
// elements.
func withoutStorage(g *Graph) *Graph {
	c := &Graph{nodes: slices.Clone(g.nodes)}
	for i := range c.nodes {
		n := &c.nodes[i]
		n.out = slices.Clone(n.out)
		if t := &n.out[0]; n.op == 0 && !(t.Type == kernel.I32 && len(t.Shape) == 2) {
			*t = kernel.Tensor{Type: t.Type, Shape: t.Shape}
		}
	}
	return c
}

// TestLifetimesDoNotOverlap checks the layout of random graphs itself.
func TestLifetimesDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, outputs := drawGraph(t)
		p := g.Compile(&Arena{}, outputs...)
		size := p.place()
		l := p.layout
		until := func(b buffer) int { // the last step that may touch it
			if b.last == forever {
				return len(l.steps)
			}
			return l.stepOf[b.last]
		}
		for i, a := range l.buffers {
			if a.offset%align != 0 || a.offset+a.elements > size[a.typ-kernel.F32] {
				t.Fatalf("buffer %+v lies wrong in an arena of %d", a, size)
			}
			for _, b := range l.buffers[:i] {
				lives := l.stepOf[a.first] <= until(b) && l.stepOf[b.first] <= until(a)
				touches := a.offset < b.offset+b.elements && b.offset < a.offset+a.elements
				if a.typ == b.typ && lives && touches {
					t.Fatalf("buffers %+v and %+v are alive together in one place", a, b)
				}
			}
		}
	})
}

// TestPlanReuses counts on a long chain needing two places, not twenty, and
// dead operations none.
func TestPlanReuses(t *testing.T) {
	g := NewGraph()
	x := g.Leaf(Param, "x", random(1, 8, 8))
	w := g.Leaf(Param, "w", random(2, 8, 8))
	for range 20 {
		x = g.Do(kernel.MatMul, kernel.Attr{}, x, w)
		g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.TN}, x, w) // needed by nothing
		x = g.Do(kernel.Relu, kernel.Attr{}, x)
	}
	var arena Arena
	p := g.Compile(&arena, x)
	if len(p.calls) != 40 {
		t.Errorf("%d calls, want 40", len(p.calls))
	}
	if size := p.place(); size[0] != 2*64 {
		t.Errorf("the arena has %d elements, want two results of 64", size[0])
	}
	if want := uint64(20 * (2*8*8*8 + 64)); p.Cost() != want {
		t.Errorf("cost %d, want %d", p.Cost(), want)
	}
}

// TestNames checks that a hashed name says everything about an operation but
// its data.
func TestNames(t *testing.T) {
	build := func(leaf string, kind LeafKind, data uint32, a kernel.Attr) Name {
		g := NewGraph()
		x := g.Leaf(kind, leaf, random(data, 2, 2))
		y := g.Do(kernel.MatMul, a, x, x)
		return g.names()[y.node-1]
	}
	base := build("x", Param, 1, kernel.Attr{})
	if build("x", Param, 2, kernel.Attr{}) != base {
		t.Error("the name depends on the data")
	}
	seen := map[Name]string{base: "base"}
	for what, n := range map[string]Name{
		"leaf": build("y", Param, 1, kernel.Attr{}),
		"kind": build("x", Input, 1, kernel.Attr{}),
		"attr": build("x", Param, 1, kernel.Attr{Trans: kernel.NT}),
	} {
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s have one name", what, other)
		}
		seen[n] = what
	}
}

func TestDigest(t *testing.T) {
	x := kernel.New(kernel.F32, 3000)
	x.F[2999] = 1
	raw := make([]byte, 12000)
	raw[11998], raw[11999] = 0x80, 0x3f
	if got, want := fmt.Sprintf("%x", Digest(x)), fmt.Sprintf("%x", sha256.Sum256(raw)); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// TestRunAllocatesNothing beyond what the device does itself.
func TestRunAllocatesNothing(t *testing.T) {
	g := NewGraph()
	x := g.Leaf(Param, "x", random(1, 8, 8))
	y := g.Do(kernel.Sum, kernel.Attr{}, g.Do(kernel.Relu, kernel.Attr{}, x))
	var arena Arena
	p := g.Compile(&arena, y)
	var idle idleDevice
	if n := testing.AllocsPerRun(10, func() { p.Run(idle) }); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
}

// idleDevice does nothing.
type idleDevice struct{}

func (idleDevice) Name() string                                           { return "idle" }
func (idleDevice) Host() bool                                             { return true }
func (idleDevice) Do(*kernel.Call)                                        {}
func (idleDevice) Group([]kernel.Call)                                    {}
func (idleDevice) Stage([]kernel.Call, []uint8, [][]int32, []kernel.Call) {}
