package nmt

import (
	"errors"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// A decoder of small, fast models has a simpler simple recurrent unit, SSRU, in the place of
// self-attention (Kim et al., "From research to production and back: ludicrously fast neural
// machine translation", 2019). With z the input of the sub-layer at a position, and the cell
// before the first position 0:
//
//	x = z*Wx, keep = z*Wkeep + b
//	cell = sigmoid(keep)*cell before + (1-sigmoid(keep))*x
//	output = relu(cell)
//
// The mean of two numbers by a sigmoid is an attention over two keys whose scores are keep and
// 0: its softmax is (sigmoid(keep), 1-sigmoid(keep)). So each column is a head of width 1, and
// the operation is Attend, whose bits every device has already.
//
// A cell needs the one before, so a decoder with SSRUs takes one step after the other in
// LogProbs and Loss too, and has no gradient.

// errRecurrent is the error of a gradient.
var errRecurrent = errors.New("nmt: the decoder of this model has SSRUs, through which this program computes no gradient: the model translates, and cannot be trained further")

// gates is the scratch memory of SSRUs, for n hypotheses.
type gates struct {
	ones, zeros  kernel.Tensor // [n, Dim]
	keys, values kernel.Tensor // [2n, Dim]: keep and zeros, the cells before and x, in turn
	even, odd    []int32       // rows of keys and values
	before       []int32       // by live hypothesis: the row of its last cell in the cache
	pairs        []int32       // segments [n, 4]
}

// reserve makes room for n hypotheses.
func (g *gates) reserve(dev kernel.Device, n, dim int) {
	if len(g.even) >= n && g.ones.Shape[1] == dim {
		return
	}
	ones := make([]float32, n*dim)
	for i := range ones {
		ones[i] = 1
	}
	vector := func(n int) kernel.Tensor {
		x := kernel.Alloc(dev, kernel.F32, n*dim) // of zeros
		x.Shape = []int{n, dim}
		return x
	}
	*g = gates{ones: kernel.On(dev, floats(ones, n, dim)), zeros: vector(n), keys: vector(2 * n), values: vector(2 * n)}
	for i := range int32(n) {
		g.even, g.odd, g.pairs = append(g.even, 2*i), append(g.odd, 2*i+1), append(g.pairs, i, 1, 2*i, 2)
	}
}

// top is the first rows of a matrix.
func top(x kernel.Tensor, rows int) kernel.Tensor {
	x.Shape = []int{rows, x.Shape[1]}
	x.F = x.F[:rows*x.Shape[1]]
	return x
}

// recur is the SSRU of layer l at position t. rows are the hypotheses' rows in the cache of
// cells.
func (d *decoder) recur(l *decoderLayer, t int, rows kernel.Tensor) {
	n, g := len(d.live), &d.gates
	z := d.enter(l.self.norm)
	d.project(z, target{d.q, l.x}, target{d.k, l.keep})
	keys, values := top(g.keys, 2*n), top(g.values, 2*n)
	even, odd := ints(g.even[:n], n), ints(g.odd[:n], n)
	d.put(keys, even, d.k)
	d.put(values, odd, d.q)
	if t == 0 {
		d.put(values, even, top(g.zeros, n))
	} else {
		g.before = g.before[:0]
		for _, h := range d.live {
			g.before = append(g.before, int32(h.slot+t-1))
		}
		d.run(kernel.Gather, kernel.Attr{}, []kernel.Tensor{d.v}, []kernel.Tensor{l.self.keys, ints(g.before, n)})
		d.put(values, even, d.v)
	}
	d.do(kernel.Attend, kernel.Attr{Heads: d.config.Dim, Scale: 1},
		[]kernel.Tensor{d.k}, []kernel.Tensor{top(g.ones, n), keys, values, ints(g.pairs[:4*n], n, 4)})
	d.put(l.self.keys, rows, d.k)
	d.do(kernel.Relu, kernel.Attr{}, []kernel.Tensor{d.y}, []kernel.Tensor{d.k})
	d.leave(l.self.norm)
}

// forced is the loss of a batch, computed by the steps of a decoder that is given the targets.
type forced struct {
	ce, nll []float32 // by token, packed as the targets
	loss    LossSums
}

// force computes the loss of a decoder with SSRUs, as the graph of [Engine.Loss] does for other
// models.
func (e *Engine) force(p *tensor.Set, b Batch) (*forced, error) {
	if err := e.use(p); err != nil {
		return nil, err
	}
	if err := b.check(e.config); err != nil {
		return nil, err
	}
	starts := make([]int, len(b.Target))
	for i, s := range b.Target[:len(b.Target)-1] {
		starts[i+1] = starts[i] + len(s) + 1
	}
	rooms := make([]room, len(b.Target))
	for i, s := range b.Target {
		rooms[i] = room{limit: len(s) + 1, width: 1}
	}
	f := &forced{ce: make([]float32, b.Tokens()), nll: make([]float32, b.Tokens())}
	list := e.Shortlist
	e.Shortlist = nil // a loss is over all tokens
	_, err := e.translateEach(p, b.Source, rooms, func(w wave) error {
		for t := 0; len(e.decoder.live) > 0; t++ {
			next := make([]int32, len(e.decoder.live))
			for i, h := range e.decoder.live {
				if s := b.Target[w.sentences[h.sentence]]; t < len(s) {
					next[i] = s[t]
				} else {
					next[i] = e.config.Tokens().EOS
				}
			}
			ce, nll := e.decoder.forceStep(t, e.config.Smoothing, next)
			live := e.decoder.live
			e.decoder.live, e.decoder.ids = live[:0], e.decoder.ids[:0]
			for i, h := range live {
				s := w.sentences[h.sentence]
				f.ce[starts[s]+t], f.nll[starts[s]+t] = ce[i], nll[i]
				if t < len(b.Target[s]) {
					e.decoder.live, e.decoder.ids = append(e.decoder.live, h), append(e.decoder.ids, next[i])
				}
			}
		}
		return nil
	})
	e.Shortlist = list
	if err != nil {
		return nil, err
	}
	f.loss = LossSums{Loss: e.decoder.sum(f.ce), NLL: e.decoder.sum(f.nll), Tokens: b.Tokens()}
	if f.loss.Cost = e.decoder.cost; !f.loss.finite() {
		return nil, ErrNonFinite
	}
	return f, nil
}

// forceStep takes a step, and gives the smoothed loss and the negative log-likelihood of each
// row's next token.
func (d *decoder) forceStep(t int, smoothing float32, next []int32) (ce, nll []float32) {
	n := len(next)
	vector := func() kernel.Tensor { return floats(make([]float32, n), n) }
	most, exp, sum, loss, like := vector(), vector(), vector(), vector(), vector()
	none := kernel.Attr{}
	kernel.BeginAsync(d.dev)
	logits := d.all(t)
	d.do(kernel.RowMax, none, []kernel.Tensor{most}, []kernel.Tensor{logits})
	d.do(kernel.RowSumExp, none, []kernel.Tensor{exp}, []kernel.Tensor{logits, most})
	d.do(kernel.RowSum, none, []kernel.Tensor{sum}, []kernel.Tensor{logits})
	d.do(kernel.CrossEntropy, kernel.Attr{Eps: smoothing},
		[]kernel.Tensor{loss, like}, []kernel.Tensor{logits, most, exp, sum, ints(next, n)})
	kernel.EndAsync(d.dev)
	return loss.F, like.F
}

// sum is the sum of numbers, in the sequence of the operation Sum.
func (d *decoder) sum(x []float32) float32 {
	out := floats(make([]float32, 1), 1)
	kernel.BeginAsync(d.dev)
	d.do(kernel.Sum, kernel.Attr{}, []kernel.Tensor{out}, []kernel.Tensor{floats(x, len(x))})
	kernel.EndAsync(d.dev)
	return out.F[0]
}
