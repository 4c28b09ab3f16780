package nmt

import (
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// narrowing is the output projection of a wave whose sentences have a
// shortlist: of the candidates of any of them. Each row of logits is its own
// sentence's candidates alone, so that nothing depends on who else is in the
// wave.
type narrowing struct {
	on      bool
	ids     [][]int32     // by sentence: its candidates, ascending
	columns [][]int32     // by sentence: where they are among those of all
	width   int           // most candidates of a sentence
	all     []int32       // of any sentence, ascending
	place   []int32       // by token: where it is in all
	output  linear        // to all
	wide    kernel.Tensor // logits [n, len(all)]

	// Where the host reads and writes them:
	table       kernel.Tensor  // the embeddings, while one call translates
	whole, some linear         // the output, and the columns of it that are candidates
	room        kernel.Staging // wide's elements
	logits      kernel.Tensor  // [n, width]
}

// narrow prepares d for a wave of sources and a shortlist; nil is the whole
// vocabulary.
func (d *decoder) narrow(list *Shortlist, sources [][]int32) {
	w := &d.narrowed
	if w.on = list != nil; !w.on {
		return
	}
	w.ids, w.columns, w.width = w.ids[:0], w.columns[:0], 0
	union := newTokenSet(d.config.Vocab)
	for _, s := range sources {
		ids := list.Candidates(s, d.marks)
		w.ids = append(w.ids, ids)
		union.add(ids)
		w.width = max(w.width, len(ids))
	}
	w.all = union.tokens(w.all[:0])
	w.place = slices.Grow(w.place[:0], d.config.Vocab)[:d.config.Vocab]
	for i, id := range w.all {
		w.place[id] = int32(i)
	}
	for _, ids := range w.ids {
		columns := make([]int32, len(ids))
		for i, id := range ids {
			columns[i] = w.place[id]
		}
		w.columns = append(w.columns, columns)
	}
	w.gather(d)
}

// gather copies the output's columns of all candidates.
func (w *narrowing) gather(d *decoder) {
	if w.table.Shape == nil {
		w.table = kernel.Local(d.table)
		w.whole = linear{kernel.Local(d.output.weight), kernel.Local(d.output.scale), kernel.Local(d.output.bias)}
	}
	pick := func(to *kernel.Tensor, from kernel.Tensor) {
		if from.F == nil {
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

// transpose makes the candidates' embeddings, of so many elements, a weight.
func (w *narrowing) transpose(dim int) {
	n := len(w.all)
	y := slices.Grow(w.some.weight.F[:0], dim*n)[:dim*n]
	const block = 16 // columns that share lines of the cache
	for i := 0; i < n; i += block {
		for j := range dim {
			for k := i; k < min(i+block, n); k++ {
				y[j*n+k] = w.table.F[int(w.all[k])*dim+j]
			}
		}
	}
	w.some.weight = floats(y, dim, n)
}

// choose gives each live hypothesis its row of logits from the wide one; what is
// beyond its candidates is impossible.
func (w *narrowing) choose(d *decoder) kernel.Tensor {
	wide, n := kernel.Fetch(&w.room, w.wide), len(d.live)
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

// candidates are the tokens of the logits of a sentence, nil where they are
// the vocabulary.
func (d *decoder) candidates(sentence int) []int32 {
	if !d.narrowed.on {
		return nil
	}
	return d.narrowed.ids[sentence]
}
