package nmt

import (
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// narrowing is the output projection of a wave with a shortlist. It computes the logits of all
// tokens that are candidates of some sentence of the wave. Each row of logits then keeps only
// the candidates of its own sentence, so a translation does not depend on the other
// sentences.
type narrowing struct {
	on      bool
	ids     [][]int32     // by sentence: its candidates, ascending
	columns [][]int32     // by sentence: the index of each candidate in all
	width   int           // the largest number of candidates of a sentence
	all     []int32       // the candidates of all sentences, ascending
	place   []int32       // by token: its index in all
	output  linear        // the projection to all
	wide    kernel.Tensor // logits [n, len(all)]

	// In the host's memory:
	table       kernel.Tensor  // the embeddings, during one call of translate
	whole, some linear         // the output projection, and its columns of all
	buf         kernel.Staging // for wide
	logits      kernel.Tensor  // [n, width]
}

// narrow prepares d for a wave of sources with a shortlist. A nil list means the whole
// vocabulary. The extra tokens of rooms are candidates too.
func (d *decoder) narrow(list *Shortlist, sources [][]int32, rooms []room) {
	w := &d.narrowed
	if w.on = list != nil; !w.on {
		return
	}
	w.ids, w.columns, w.width = w.ids[:0], w.columns[:0], 0
	// The candidates of each sentence, and of all sentences together.
	union := newTokenSet(d.config.Vocab)
	for i, s := range sources {
		ids := list.Candidates(s, d.marks)
		if extra := rooms[i].extra; len(extra) > 0 {
			own := newTokenSet(d.config.Vocab)
			own.add(ids)
			own.add(extra)
			ids = own.tokens(nil)
		}
		w.ids = append(w.ids, ids)
		union.add(ids)
		w.width = max(w.width, len(ids))
	}
	w.all = union.tokens(w.all[:0])
	w.place = slices.Grow(w.place[:0], d.config.Vocab)[:d.config.Vocab]
	for i, id := range w.all {
		w.place[id] = int32(i)
	}
	// Where each sentence finds its candidates among all.
	for _, ids := range w.ids {
		columns := make([]int32, len(ids))
		for i, id := range ids {
			columns[i] = w.place[id]
		}
		w.columns = append(w.columns, columns)
	}
	w.gather(d)
}

// gather makes the projection to all: the columns of the output projection that are candidates.
func (w *narrowing) gather(d *decoder) {
	if w.table.Shape == nil {
		w.table = kernel.Local(d.unembedding())
		w.whole = linear{kernel.Local(d.output.weight), kernel.Local(d.output.scale), kernel.Local(d.output.bias)}
	}
	pick := func(to *kernel.Tensor, from kernel.Tensor) {
		if from.F == nil { // no scales without codes, no bias in some models
			return
		}
		to.F = slices.Grow(to.F[:0], len(w.all))[:len(w.all)]
		for i, id := range w.all {
			to.F[i] = from.F[id]
		}
		to.Type, to.Shape = kernel.F32, []int{len(w.all)}
	}
	pick(&w.some.scale, w.whole.scale)
	pick(&w.some.bias, w.whole.bias)
	if d.output.weight.Type == kernel.I8 {
		w.some.weight = kernel.Columns8(w.some.weight, w.whole.weight, w.all)
	} else {
		w.transpose(d.config.Dim)
	}
	w.output = linear{kernel.On(d.dev, w.some.weight), kernel.On(d.dev, w.some.scale), kernel.On(d.dev, w.some.bias)}
}

// transpose makes a weight [dim, len(all)] from the candidates' embeddings.
func (w *narrowing) transpose(dim int) {
	n := len(w.all)
	y := slices.Grow(w.some.weight.F[:0], dim*n)[:dim*n]
	const block = 16 // columns of a row of y that share a cache line
	for i := 0; i < n; i += block {
		for j := range dim {
			for k := i; k < min(i+block, n); k++ {
				y[j*n+k] = w.table.F[int(w.all[k])*dim+j]
			}
		}
	}
	w.some.weight = floats(y, dim, n)
}

// choose returns the logits [n, width] of each live hypothesis's own candidates, from wide. A
// row with fewer candidates ends with -infinity.
func (w *narrowing) choose(d *decoder) kernel.Tensor {
	wide, n := kernel.Fetch(&w.buf, w.wide), len(d.live)
	// The host copies, since the rows have different columns.
	w.logits = floats(slices.Grow(w.logits.F[:0], n*w.width)[:n*w.width], n, w.width)
	for i, h := range d.live {
		from := wide.F[i*len(w.all) : (i+1)*len(w.all)]
		row := w.logits.F[i*w.width : (i+1)*w.width]
		columns := w.columns[h.sentence]
		for j, c := range columns {
			row[j] = from[c]
		}
		for j := len(columns); j < len(row); j++ {
			row[j] = float32(math.Inf(-1))
		}
	}
	return w.logits
}

// candidates returns the tokens of a sentence's logits, or nil where these are the vocabulary.
func (d *decoder) candidates(sentence int) []int32 {
	if !d.narrowed.on {
		return nil
	}
	return d.narrowed.ids[sentence]
}
