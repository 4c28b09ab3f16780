package tensor

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// Grad appends the gradient of y, weighted by seed, which has y's shape, with
// respect to each of wrt: of sum(seed*y). It returns a value for each of wrt,
// the zero Value where y does not depend on it.
//
// The gradient of a row is other rows, applied from the last operation to the
// first; where a value is used more than once its gradients are added in that
// order. So the order of every sum is fixed by the order the graph was built in.
func (g *Graph) Grad(y, seed Value, wrt ...Value) []Value {
	b := &backward{g: g, grads: make([][]Value, y.node), needed: make([]bool, y.node)}
	for _, v := range wrt {
		b.needed[v.node-1] = true
	}
	for i := range b.needed {
		b.grads[i] = make([]Value, len(g.nodes[i].out))
		for _, v := range g.nodes[i].in {
			b.needed[i] = b.needed[i] || b.needed[v.node-1]
		}
	}
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
	needed []bool    // by node: some of wrt reaches it
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

// do appends an operation and adds its output 0 to the gradient of v; when v's
// gradient is not needed it does nothing.
func (b *backward) do(v Value, op kernel.Op, attr kernel.Attr, in ...Value) {
	if b.needed[v.node-1] {
		b.add(v, b.g.Do(op, attr, in...))
	}
}

// gradients has one rule for each row that a loss may depend on: from the
// operation n, whose output 0 is y, and dy, the gradient of y, to gradients of
// n's inputs. Other outputs (statistics, the plain loss) have no gradient.
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
}

// matMulGrad is dA = dC*B' and dB = A'*dC, each with the transposes that the
// operands' layout asks for.
func matMulGrad(b *backward, n node, _, dc Value) {
	trans := func(t kernel.Trans) kernel.Attr { return kernel.Attr{Trans: t} }
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

// embedGrad adds rows into the gradient the table has so far, or into zeros.
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

// dropoutGrad drops and scales the same elements again.
func dropoutGrad(b *backward, n node, _, dy Value) {
	b.do(n.in[0], kernel.Dropout, n.attr, dy, n.in[1])
}

func attnScoresGrad(b *backward, n node, _, ds Value) {
	q, k, seg := n.in[0], n.in[1], n.in[2]
	heads := kernel.Attr{Heads: n.attr.Heads}
	b.do(q, kernel.AttnMix, heads, ds, k, seg)
	b.do(k, kernel.AttnMixT, heads, ds, q, seg)
}

func attnSoftmaxGrad(b *backward, n node, p, dp Value) {
	b.do(n.in[0], kernel.AttnSoftmaxGrad, n.attr, p, dp, n.in[1])
}

func attnMixGrad(b *backward, n node, _, dy Value) {
	p, v, seg := n.in[0], n.in[1], n.in[2]
	heads := kernel.Attr{Heads: n.attr.Heads}
	b.do(p, kernel.AttnScores, heads, dy, v, seg)
	b.do(v, kernel.AttnMixT, heads, p, dy, seg)
}

// crossEntropyGrad is the whole gradient of the logits: that the row maximum,
// the sum of exponentials and the row sum depend on them too is counted in the
// row. dy must be the same for all tokens, as below a Sum it is.
func crossEntropyGrad(b *backward, n node, _, dy Value) {
	x, m, s, y := n.in[0], n.in[1], n.in[2], n.in[4]
	b.do(x, kernel.CrossEntropyGrad, kernel.Attr{Eps: n.attr.Eps}, x, m, s, y, dy)
}

// sumGrad hands on the one number that every element's gradient is. There is
// no row that spreads it, so only a row whose rule takes a scalar, which is
// CrossEntropy, can come before a Sum of more than one element.
func sumGrad(b *backward, n node, _, dy Value) {
	b.add(n.in[0], dy)
}

func scaleGrad(b *backward, n node, _, dy Value) {
	b.do(n.in[0], kernel.Scale, n.attr, dy)
}
