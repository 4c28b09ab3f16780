package tensor

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// Grad appends the gradient of sum(seed*y) with respect to each of wrt, where seed has y's
// shape. It returns a value for each of wrt, and the zero Value where y does not depend on
// it. It panics when an operation between wrt and y has no gradient.
//
// The gradient of an operation is other operations, appended from the last operation to
// the first. Where a value is used more than once, its gradients are added in that
// sequence. So the sequence of every sum follows from the sequence in which the graph was
// built, and the bits are the same everywhere.
func (g *Graph) Grad(y, seed Value, wrt ...Value) []Value {
	b := &backward{g: g, grads: make([][]Value, y.node), needed: make([]bool, y.node), constants: map[constant]Value{}}
	// A node's gradient is needed if it is in wrt or reads a node that is needed.
	for _, v := range wrt {
		b.needed[v.node-1] = true
	}
	for i := range b.needed {
		b.grads[i] = make([]Value, len(g.nodes[i].out))
		for _, v := range g.nodes[i].in {
			b.needed[i] = b.needed[i] || b.needed[v.node-1]
		}
	}
	// Reverse mode: when a node is reached, all operations that read it have added to its
	// gradient.
	module := g.module
	g.back = true
	defer func() { g.module, g.back = module, false }()
	b.add(y, seed)
	for i := y.node - 1; i >= 0; i-- {
		n := g.nodes[i]
		if n.op == 0 || !b.needed[i] || b.grads[i][0] == (Value{}) {
			continue
		}
		rule := gradients[n.op]
		if rule == nil {
			panic(fmt.Sprintf("tensor: %v has no gradient", n.op))
		}
		g.module = n.name
		rule(b, n, Value{node: i + 1}, b.grads[i][0])
	}
	out := make([]Value, len(wrt))
	for i, v := range wrt {
		out[i] = b.grads[v.node-1][v.out]
	}
	return out
}

// backward is the state of one Grad.
type backward struct {
	g      *Graph
	grads  [][]Value // by node and output: the gradient so far
	needed []bool    // by node: it depends on some of wrt

	constants map[constant]Value // the leaves that constant made
}

// constant says what a leaf holds whose elements are all equal.
type constant struct {
	x float32
	n int
}

// add adds dv to the gradient of v.
func (b *backward) add(v, dv Value) {
	if !b.needed[v.node-1] {
		return
	}
	sum := &b.grads[v.node-1][v.out]
	if *sum == (Value{}) {
		*sum = dv
		return
	}
	*sum = b.g.Do(kernel.Add, kernel.Attr{}, *sum, dv)
}

// do appends an operation and adds its output 0 to the gradient of v. It does nothing when
// v's gradient is not needed.
func (b *backward) do(v Value, op kernel.Op, attr kernel.Attr, in ...Value) {
	if b.needed[v.node-1] {
		b.add(v, b.g.Do(op, attr, in...))
	}
}

// gradients has one rule for each operation that a loss may depend on. A rule gets the
// operation n, its output y and the gradient dy of y, and adds to the gradients of n's
// inputs. Outputs other than the first (statistics, the loss without smoothing) have no
// gradient.
var gradients = map[kernel.Op]func(b *backward, n node, y, dy Value){
	kernel.MatMul:       matMulGrad,
	kernel.AddBias:      addBiasGrad,
	kernel.Add:          addGrad,
	kernel.Relu:         reluGrad,
	kernel.Swish:        swishGrad,
	kernel.LayerNorm:    layerNormGrad,
	kernel.Embed:        embedGrad,
	kernel.Dropout:      dropoutGrad,
	kernel.AttnScores:   attnScoresGrad,
	kernel.AttnSoftmax:  attnSoftmaxGrad,
	kernel.AttnMix:      attnMixGrad,
	kernel.CrossEntropy: crossEntropyGrad,
	kernel.Sum:          sumGrad,
	kernel.Scale:        scaleGrad,

	kernel.QuantizeRows:   straightThrough,
	kernel.QuantizeWeight: straightThrough,
	kernel.Linear8:        linear8Grad,
}

// matMulGrad is dA = dC*B' and dB = A'*dC, with the transpositions that follow from the
// operands' layout.
func matMulGrad(b *backward, n node, _, dc Value) {
	trans := func(t kernel.Trans) kernel.Attr { return kernel.Attr{Trans: t} }
	// Every product of the gradient reads its operands as they lie: nothing is transposed
	// in memory.
	x, w := n.in[0], n.in[1]
	switch n.attr.Trans {
	case kernel.NN:
		b.do(x, kernel.MatMul, trans(kernel.NT), dc, w)
		b.do(w, kernel.MatMul, trans(kernel.TN), x, dc)
	case kernel.NT:
		b.do(x, kernel.MatMul, trans(kernel.NN), dc, w)
		b.do(w, kernel.MatMul, trans(kernel.TN), dc, x)
	case kernel.TN:
		b.do(x, kernel.MatMul, trans(kernel.NT), w, dc)
		b.do(w, kernel.MatMul, trans(kernel.NN), x, dc)
	}
}

func addBiasGrad(b *backward, n node, _, dy Value) {
	b.add(n.in[0], dy)
	b.do(n.in[1], kernel.ColSum, kernel.Attr{}, dy)
}

func addGrad(b *backward, n node, _, dy Value) {
	b.add(n.in[0], dy)
	b.add(n.in[1], dy)
}

func reluGrad(b *backward, n node, y, dy Value) {
	b.do(n.in[0], kernel.ReluGrad, kernel.Attr{}, y, dy)
}

func swishGrad(b *backward, n node, _, dy Value) {
	b.do(n.in[0], kernel.SwishGrad, kernel.Attr{}, n.in[0], dy)
}

func layerNormGrad(b *backward, n node, y, dy Value) {
	x, gamma, beta, stats := n.in[0], n.in[1], n.in[2], y.Out(1)
	b.do(x, kernel.LayerNormGrad, kernel.Attr{}, x, stats, gamma, dy)
	b.do(gamma, kernel.LayerNormGainGrad, kernel.Attr{}, x, stats, dy)
	b.do(beta, kernel.ColSum, kernel.Attr{}, dy)
}

// embedGrad adds rows to the gradient that the table has so far, or to zeros. An embedding
// table may also be the output projection, whose gradient came before.
func embedGrad(b *backward, n node, _, dy Value) {
	table, ids := n.in[0], n.in[1]
	if !b.needed[table.node-1] {
		return
	}
	sum := &b.grads[table.node-1][table.out]
	if *sum == (Value{}) {
		*sum = b.g.Leaf(Const, "zeros", Zeros(kernel.F32, b.g.Shape(table)...))
	}
	*sum = b.g.Do(kernel.ScatterAdd, kernel.Attr{Scale: n.attr.Scale}, *sum, ids, dy)
}

// dropoutGrad drops and scales the same elements of the gradient: the generator gives the
// same words again.
func dropoutGrad(b *backward, n node, _, dy Value) {
	b.do(n.in[0], kernel.Dropout, n.attr, dy, n.in[1])
}

func attnScoresGrad(b *backward, n node, _, ds Value) {
	// The scores are Q*K' in each head, so dQ = dS*K and dK = dS'*Q.
	q, k, seg := n.in[0], n.in[1], n.in[2]
	heads := kernel.Attr{Heads: n.attr.Heads}
	b.do(q, kernel.AttnMix, heads, ds, k, seg)
	b.do(k, kernel.AttnMixT, heads, ds, q, seg)
}

func attnSoftmaxGrad(b *backward, n node, p, dp Value) {
	b.do(n.in[0], kernel.AttnSoftmaxGrad, n.attr, p, dp, n.in[1])
}

func attnMixGrad(b *backward, n node, _, dy Value) {
	// The output is P*V in each head, so dP = dY*V' and dV = P'*dY.
	p, v, seg := n.in[0], n.in[1], n.in[2]
	heads := kernel.Attr{Heads: n.attr.Heads}
	b.do(p, kernel.AttnScores, heads, dy, v, seg)
	b.do(v, kernel.AttnMixT, heads, p, dy, seg)
}

// crossEntropyGrad is the whole gradient of the logits. The row maximum, the sum of
// exponentials and the row sum depend on the logits too; the operation accounts for that.
// dy must be the same for all tokens, as it is when the loss is their sum.
func crossEntropyGrad(b *backward, n node, _, dy Value) {
	x, m, s, y := n.in[0], n.in[1], n.in[2], n.in[4]
	b.do(x, kernel.CrossEntropyGrad, kernel.Attr{Eps: n.attr.Eps}, x, m, s, y, dy)
}

// sumGrad passes on the one number that is the gradient of every element. No operation
// spreads a number over a tensor, so only an operation whose rule takes a scalar can come
// before a Sum of more than one element: CrossEntropy.
func sumGrad(b *backward, n node, _, dy Value) {
	b.add(n.in[0], dy)
}

func scaleGrad(b *backward, n node, _, dy Value) {
	b.do(n.in[0], kernel.Scale, n.attr, dy)
}

// straightThrough is the gradient of a quantiser: the gradient of the codes is taken as that of
// their input (the straight-through estimator, Bengio et al. 2013).
func straightThrough(b *backward, n node, _, dq Value) { b.add(n.in[0], dq) }

// linear8Grad is the gradient of a product of codes, by products of codes: NUMERICS.md in
// package kernel, section 8.6. The gradients of both factors go to the nodes of their codes.
func linear8Grad(b *backward, n node, _, dy Value) {
	q, sx, codes, sw, bias := n.in[0], n.in[1], n.in[2], n.in[3], n.in[4]
	w := *b.g.node(codes) // a copy: the list of nodes grows below
	if w.op != kernel.QuantizeWeight && (b.needed[q.node-1] || b.needed[codes.node-1]) {
		panic("tensor: Linear8 has no gradient: its weight is a leaf of codes")
	}
	switch {
	case !b.needed[q.node-1]:
	case w.attr.Trans == kernel.NT:
		// The output projection. A row of dY is a distribution over the vocabulary minus the
		// target's: nearly all of its elements would have the code 0.
		b.do(q, kernel.MatMul, kernel.Attr{}, dy, w.in[0])
	default:
		// dY is multiplied by the scales of the weight's columns. So the second factor, the
		// weight's codes in the other layout, needs no scales: they are 1.
		z := b.g.Do(kernel.QuantizeScaledRows, kernel.Attr{}, dy, sw)
		k := b.g.Shape(q)[1]
		b.do(q, kernel.Linear8, kernel.Attr{}, z, z.Out(1), codes.Out(2), b.constant("ones", 1, k), b.constant("zeros", 0, k))
	}
	if b.needed[codes.node-1] {
		z := b.g.Do(kernel.QuantizeScaledColumns, kernel.Attr{}, dy, sx)
		b.do(codes, kernel.Linear8WeightGrad, kernel.Attr{Trans: w.attr.Trans}, q, z, z.Out(1))
	}
	b.do(bias, kernel.ColSum, kernel.Attr{}, dy)
}

// constant is a leaf of n elements that are all x.
func (b *backward) constant(name string, x float32, n int) Value {
	key := constant{x, n}
	v, ok := b.constants[key]
	if !ok {
		t := Zeros(kernel.F32, n)
		for i := range t.F {
			t.F[i] = x
		}
		v = b.g.Leaf(Const, name, t)
		b.constants[key] = v
	}
	return v
}
