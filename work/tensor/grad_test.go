package tensor

import (
	"math"
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

// portable is the reference device.
func portable(t testing.TB) kernel.Device {
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// random fills a tensor with numbers in (-1, 1) that are at least 1/16 away
// from zero, where Relu has no derivative.
func random(seed uint32, shape ...int) kernel.Tensor {
	x := kernel.New(kernel.F32, shape...)
	for i := range x.F {
		w := kernel.Philox([4]uint32{uint32(i)}, [2]uint32{seed})
		x.F[i] = float32(w[0]>>8)/(1<<24)*(15.0/16) + 1.0/16
		if w[1]&1 == 1 {
			x.F[i] = -x.F[i]
		}
	}
	return x
}

func ints(x ...int32) kernel.Tensor {
	return kernel.Tensor{Type: kernel.I32, Shape: []int{len(x)}, I: x}
}

func segments(x ...int32) kernel.Tensor {
	return kernel.Tensor{Type: kernel.I32, Shape: []int{len(x) / 4, 4}, I: x}
}

// gradientCases has one graph for every rule of gradients. Each takes the
// leaves named as parameters and gives a value.
var gradientCases = []struct {
	name   string
	params []kernel.Tensor
	build  func(g *Graph, p []Value) Value
}{
	{"MatMul/NN", []kernel.Tensor{random(1, 3, 4), random(2, 4, 5)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.NN}, p...)
	}},
	{"MatMul/NT", []kernel.Tensor{random(1, 3, 4), random(2, 5, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, p...)
	}},
	{"MatMul/TN", []kernel.Tensor{random(1, 4, 3), random(2, 4, 5)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.TN}, p...)
	}},
	{"AddBias", []kernel.Tensor{random(1, 3, 4), random(2, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.AddBias, kernel.Attr{}, p...)
	}},
	{"Add", []kernel.Tensor{random(1, 3, 4), random(2, 3, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.Add, kernel.Attr{}, p...)
	}},
	{"Add/same", []kernel.Tensor{random(1, 3, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.Add, kernel.Attr{}, p[0], p[0])
	}},
	{"Relu", []kernel.Tensor{random(1, 3, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.Relu, kernel.Attr{}, p...)
	}},
	{"Swish", []kernel.Tensor{random(1, 3, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.Swish, kernel.Attr{}, p...)
	}},
	{"Scale", []kernel.Tensor{random(1, 3, 4)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.Scale, kernel.Attr{Scale: -1.5}, p...)
	}},
	{"LayerNorm", []kernel.Tensor{random(1, 3, 8), random(2, 8), random(3, 8)}, func(g *Graph, p []Value) Value {
		return g.Do(kernel.LayerNorm, kernel.Attr{Eps: 1e-5}, p...)
	}},
	{"Embed", []kernel.Tensor{random(1, 5, 4)}, func(g *Graph, p []Value) Value {
		ids, pos := g.Leaf(Input, "ids", ints(3, 0, 3, 4)), g.Leaf(Input, "pos", ints(0, 1, 0, 2))
		return g.Do(kernel.Embed, kernel.Attr{Scale: 2}, p[0], ids, pos, g.Leaf(Const, "pe", random(9, 3, 4)))
	}},
	{"Embed/tied", []kernel.Tensor{random(1, 5, 4)}, func(g *Graph, p []Value) Value {
		ids, pos := g.Leaf(Input, "ids", ints(3, 0, 3, 4)), g.Leaf(Input, "pos", ints(0, 1, 0, 2))
		x := g.Do(kernel.Embed, kernel.Attr{Scale: 2}, p[0], ids, pos, g.Leaf(Const, "pe", random(9, 3, 4)))
		return g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, x, p[0])
	}},
	{"Dropout", []kernel.Tensor{random(1, 3, 4)}, func(g *Graph, p []Value) Value {
		key := g.Leaf(Input, "key", ints(1, 2, 3, 0))
		return g.Do(kernel.Dropout, kernel.Attr{Rate: 0.25, Scale: 1 / 0.75, Site: 7}, p[0], key)
	}},
	{"AttnScores", []kernel.Tensor{random(1, 5, 4), random(2, 6, 4)}, func(g *Graph, p []Value) Value {
		seg := g.Leaf(Input, "seg", segments(0, 2, 1, 2, 2, 3, 3, 3))
		return g.Do(kernel.AttnScores, kernel.Attr{Heads: 2}, p[0], p[1], seg)
	}},
	{"AttnSoftmax", []kernel.Tensor{random(1, 2*(2*2+3*3))}, func(g *Graph, p []Value) Value {
		seg := g.Leaf(Input, "seg", segments(0, 2, 0, 2, 2, 3, 2, 3))
		return g.Do(kernel.AttnSoftmax, kernel.Attr{Heads: 2, Scale: 0.5}, p[0], seg)
	}},
	{"AttnSoftmax/causal", []kernel.Tensor{random(1, 2*(2*2+3*3))}, func(g *Graph, p []Value) Value {
		seg := g.Leaf(Input, "seg", segments(0, 2, 0, 2, 2, 3, 2, 3))
		return g.Do(kernel.AttnSoftmax, kernel.Attr{Heads: 2, Scale: 0.5, Causal: true}, p[0], seg)
	}},
	{"AttnMix", []kernel.Tensor{random(1, 2*(2*2+3*3)), random(2, 6, 4)}, func(g *Graph, p []Value) Value {
		seg := g.Leaf(Input, "seg", segments(0, 2, 1, 2, 2, 3, 3, 3))
		return g.Do(kernel.AttnMix, kernel.Attr{Heads: 2}, p[0], p[1], seg)
	}},
	{"CrossEntropy", []kernel.Tensor{random(1, 3, 7)}, func(g *Graph, p []Value) Value {
		m := g.Do(kernel.RowMax, kernel.Attr{}, p[0])
		s := g.Do(kernel.RowSumExp, kernel.Attr{}, p[0], m)
		t := g.Do(kernel.RowSum, kernel.Attr{}, p[0])
		y := g.Leaf(Input, "y", ints(6, 0, 3))
		return g.Do(kernel.Sum, kernel.Attr{}, g.Do(kernel.CrossEntropy, kernel.Attr{Eps: 0.1}, p[0], m, s, t, y))
	}},
}

// TestGradients checks every rule's calculus, not its bits: the gradient of
// sum(seed*y) against central differences, the sum taken in binary64. The
// tolerance covers the rounding of the binary32 rows under test.
func TestGradients(t *testing.T) {
	const h = 1.0 / 128
	covered := map[kernel.Op]bool{}
	for _, c := range gradientCases {
		t.Run(c.name, func(t *testing.T) {
			dev, g := portable(t), NewGraph()
			var p []Value
			for i, x := range c.params {
				p = append(p, g.Leaf(Param, string(rune('a'+i)), x))
			}
			y := c.build(g, p)
			for i := range g.nodes {
				covered[g.nodes[i].op] = true
			}
			seed := random(77, g.Shape(y)...)
			grads := g.Grad(y, g.Leaf(Input, "seed", seed), p...)
			var arena, other Arena
			plan := g.Compile(&arena, append(grads, y)...)
			plan.Run(dev)
			forward := g.Compile(&other, y)
			value := func() float64 {
				forward.Run(dev)
				sum := 0.0
				for i, v := range forward.Result(y).F {
					sum += float64(v) * float64(seed.F[i])
				}
				return sum
			}
			for i, x := range c.params {
				for j, was := range x.F {
					x.F[j] = was + h
					above := value()
					x.F[j] = was - h
					below := value()
					x.F[j] = was
					got, want := float64(plan.Result(grads[i]).F[j]), (above-below)/(2*h)
					if math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
						t.Errorf("parameter %d, element %d: gradient %v, difference quotient %v", i, j, got, want)
					}
				}
			}
		})
	}
	for op := range gradients {
		switch op {
		case kernel.QuantizeRows, kernel.QuantizeWeight, kernel.Linear8:
			continue // codes have no difference quotient: TestGradients8
		}
		if !covered[op] {
			t.Errorf("%v has a gradient and no case", op)
		}
	}
}

// TestGradientOfTheUnrelated has a parameter the loss does not depend on.
func TestGradientOfTheUnrelated(t *testing.T) {
	g := NewGraph()
	a, b := g.Leaf(Param, "a", random(1, 2, 2)), g.Leaf(Param, "b", random(2, 2, 2))
	y := g.Do(kernel.Relu, kernel.Attr{}, a)
	if d := g.Grad(y, a, a, b); d[0] == (Value{}) || d[1] != (Value{}) {
		t.Errorf("gradients %v, want one and none", d)
	}
}
