package nmt

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Beam translates sources by beam search. Of every sentence the width best
// beginnings are kept, by the sum of their tokens' log probabilities; one that
// ends counts that sum divided by its length, EOS included, to the power of
// penalty. A sentence is done when width beginnings have ended or at the limit,
// which is as in Greedy; the best that ended is its translation, or the best
// beginning where none has. Of equal sums the lower token wins, then the better
// beginning; of equal scores the one that ended first. Width 1 is Greedy, but
// where rounding makes two sums equal whose logits were not. It fails as Greedy
// does.
func (e *Engine) Beam(p *tensor.Set, sources [][]int32, limit func(source int) int, width int, penalty float32) ([][]int32, uint64, error) {
	if width < 1 {
		return nil, 0, fmt.Errorf("nmt: beam of %d: want 1 or more", width)
	}
	outputs := make([][]int32, len(sources))
	cost, err := e.translate(p, sources, limit, width, func(w wave) error {
		b := &beamSearch{decoder: &e.decoder, width: width, penalty: penalty, beams: make([]beam, len(w.sentences))}
		for s := range b.beams {
			b.beams[s] = beam{sentence: s, limit: w.limits[s], live: []beginning{{hypothesis: b.live[s]}}}
			for i := range width {
				b.beams[s].slots = append(b.beams[s].slots, b.live[s].slot+i*w.limits[s])
			}
		}
		if err := b.search(); err != nil {
			return err
		}
		for s, i := range w.sentences {
			outputs[i] = b.beams[s].translation()
		}
		return nil
	})
	return outputs, cost, err
}

// beamSearch searches for the sentences of one wave together.
type beamSearch struct {
	*decoder
	width     int
	penalty   float32
	beams     []beam // by sentence
	most, exp []float32
	logits    kernel.Tensor  // of the step
	room      kernel.Staging // for those where the host does not read them
	largest   []float32      // then the largest of each row
	tokens    []int32        // and whose they are
	each      int            // of a row; 0 where all are read
	rows      []options
}

// options is the logits of tokens that may follow a beginning.
type options struct {
	x   []float32
	ids []int32 // the tokens, nil for all in order
}

// beam is one sentence's search. It is done when nothing is live.
type beam struct {
	sentence int
	limit    int
	slots    []int // the first rows of width ranges of the caches
	live     []beginning
	ended    []beginning
}

// beginning is a hypothesis with its tokens so far and their score: the sum
// of log probabilities, or, when it has ended, that divided by the penalty.
type beginning struct {
	hypothesis
	tokens []int32
	score  float32
}

// candidate is a beginning, by its rank in the beam, and a token to follow it.
type candidate struct {
	score float32
	token int32
	rank  int
}

// before is the order of candidates, best first.
func (c candidate) before(d candidate) bool {
	switch {
	case c.score != d.score:
		return c.score > d.score
	case c.token != d.token:
		return c.token < d.token
	}
	return c.rank < d.rank
}

// search steps until every beam is done.
func (b *beamSearch) search() error {
	for t := 0; len(b.live) > 0; t++ {
		lse, err := b.predict(t)
		if err != nil {
			return err
		}
		penalty := kernel.Exp(float32(b.penalty * kernel.Log(float32(t+1))))
		row := 0
		for s := range b.beams {
			if m := &b.beams[s]; len(m.live) > 0 {
				n := len(m.live)
				found := b.candidates(m, row, lse[row:row+n])
				row += n
				b.follow(m, found, t+1, penalty)
			}
		}
		b.live, b.ids = b.live[:0], b.ids[:0]
		for s := range b.beams {
			for _, h := range b.beams[s].live {
				b.live = append(b.live, h.hypothesis)
				b.ids = append(b.ids, h.tokens[len(h.tokens)-1])
			}
		}
	}
	return nil
}

// predict takes a step, and gives the log of the sum of exponentials of each
// row of logits.
func (b *beamSearch) predict(t int) ([]float32, error) {
	n := len(b.live)
	b.most, b.exp = slices.Grow(b.most[:0], n)[:n], slices.Grow(b.exp[:0], n)[:n]
	most, exp := floats(b.most, n), floats(b.exp, n)
	kernel.BeginAsync(b.dev)
	logits := b.beamStep(t, most, exp)
	if b.logits, b.each = logits, 0; logits.Home != nil { // else they are at hand
		b.each = min(2*b.width+spare, logits.Shape[1])
		b.largest = slices.Grow(b.largest[:0], n*b.each)[:n*b.each]
		b.tokens = slices.Grow(b.tokens[:0], n*b.each)[:n*b.each]
		b.run(kernel.TopK, kernel.Attr{Rows: b.each},
			[]kernel.Tensor{floats(b.largest, n, b.each), ints(b.tokens, n, b.each)}, []kernel.Tensor{logits})
	}
	kernel.EndAsync(b.dev)
	for i := range n {
		b.exp[i] = b.most[i] + kernel.Log(b.exp[i])
	}
	if !tensor.Finite(exp) {
		return nil, ErrNonFinite
	}
	return b.exp, nil
}

// beamStep takes a step, and puts the largest of each row of logits in most and
// the sum of the row's exponentials in exp.
func (d *decoder) beamStep(t int, most, exp kernel.Tensor) (logits kernel.Tensor) {
	logits = d.step(t)
	d.do(kernel.RowMax, kernel.Attr{}, []kernel.Tensor{most}, []kernel.Tensor{logits})
	d.do(kernel.RowSumExp, kernel.Attr{}, []kernel.Tensor{exp}, []kernel.Tensor{logits, most})
	return logits
}

// spare is how many more of a row's largest logits are read than there are
// candidates, so that the least of them is seldom as good as one.
const spare = 6

// candidates returns the best that may be written, two for each of the width, in
// order. The beginnings of m are the rows of logits from row on, lse the log of
// the sum of exponentials of each. Where the largest of each row do not decide,
// as another's score may round to the same, all are read.
func (b *beamSearch) candidates(m *beam, row int, lse []float32) []candidate {
	n := 2 * b.width
	best := m.best(b.options(m, row), lse, n, b.marks)
	if b.each > 0 && b.each < b.logits.Shape[1] && !m.decided(best, b.rows, lse, n) {
		b.logits, b.each = kernel.Fetch(&b.room, b.logits), 0
		best = m.best(b.options(m, row), lse, n, b.marks)
	}
	return best
}

// options is the rows of m's beginnings, the first of which is row.
func (b *beamSearch) options(m *beam, row int) []options {
	b.rows = b.rows[:0]
	ids, width := b.decoder.candidates(m.sentence), b.logits.Shape[1]
	for i := row; i < row+len(m.live); i++ {
		o := options{ids: ids}
		switch {
		case b.each > 0:
			o = options{b.largest[i*b.each : (i+1)*b.each], b.tokens[i*b.each : (i+1)*b.each]}
		case ids != nil:
			o.x = b.logits.F[i*width:][:len(ids)]
		default:
			o.x = b.logits.F[i*width : (i+1)*width]
		}
		b.rows = append(b.rows, o)
	}
	return b.rows
}

// decided reports whether the n best of the largest of each row are the best of
// all: whatever else a row has is at most its last one here.
func (m *beam) decided(best []candidate, rows []options, lse []float32, n int) bool {
	for rank, h := range m.live {
		last := rows[rank].x[len(rows[rank].x)-1]
		if len(best) < n || !(best[n-1].score > h.score+(last-lse[rank])) {
			return false
		}
	}
	return true
}

// best returns the n best candidates of rows, by beginning, in order.
func (m *beam) best(rows []options, lse []float32, n int, marks Marks) []candidate {
	best := make([]candidate, 0, n+1)
	for rank, h := range m.live {
		ids := rows[rank].ids
		least := float32(math.Inf(-1))
		if len(best) == n {
			least = leastLogit(best[n-1].score, h.score, lse[rank])
		}
		for i, x := range rows[rank].x {
			if x < least {
				continue
			}
			token := int32(i)
			if ids != nil {
				token = ids[i]
			}
			if marks.hidden(token) {
				continue
			}
			score := h.score + (x - lse[rank])
			if len(best) == n && score < best[n-1].score {
				continue
			}
			c := candidate{score, token, rank}
			at, _ := slices.BinarySearchFunc(best, c, func(d, c candidate) int {
				if d.before(c) {
					return -1
				}
				return 1
			})
			best = slices.Insert(best, at, c)[:min(len(best)+1, n)]
			if len(best) == n {
				least = leastLogit(best[n-1].score, h.score, lse[rank])
			}
		}
	}
	return best
}

// leastLogit is a little below every logit whose token, after a beginning of
// that score, reaches score: most logits are below it and need no more than a
// comparison.
func leastLogit(score, before, lse float32) float32 {
	s, b, l := float64(score), float64(before), float64(lse)
	slack := (math.Abs(s) + math.Abs(b) + math.Abs(l)) / (1 << 20) // far more than two roundings
	return float32(s - b + l - slack)
}

// follow puts the candidates, the best first, in the place of m's beginnings
// of length-1 tokens: those that end, if they are among the width best, with
// the ended, the width best others with the live.
func (b *beamSearch) follow(m *beam, found []candidate, length int, penalty float32) {
	var next []beginning
	var parents []int
	for i, c := range found {
		parent := m.live[c.rank]
		switch {
		case c.token == b.marks.EOS && i < b.width:
			parent.score = c.score / penalty
			m.ended = append(m.ended, parent)
		case c.token != b.marks.EOS && len(next) < b.width:
			tokens := append(slices.Clone(parent.tokens), c.token)
			next = append(next, beginning{parent.hypothesis, tokens, c.score})
			parents = append(parents, c.rank)
		}
	}
	if len(m.ended) >= b.width {
		next = nil
	}
	if length >= m.limit {
		if len(m.ended) == 0 {
			m.ended = next[:1]
		}
		next = nil
	}
	b.assign(m, next, parents, length)
	m.live = next
}

// assign gives each of next a range of the caches with its parent's rows. A
// parent's first child takes the parent's own range; the others copy it to the
// ranges that no first child has, so no range is written that is still read.
func (b *beamSearch) assign(m *beam, next []beginning, parents []int, rows int) {
	var taken []int
	for i, parent := range parents[:len(next)] {
		if slices.Index(parents, parent) == i {
			taken = append(taken, next[i].slot)
		}
	}
	for i, parent := range parents[:len(next)] {
		if slices.Index(parents, parent) == i {
			continue
		}
		free := slices.IndexFunc(m.slots, func(slot int) bool { return !slices.Contains(taken, slot) })
		to, from, w := m.slots[free], next[i].slot, b.config.Dim
		for l := range b.layers {
			a := &b.layers[l].self
			for _, x := range []*kernel.Tensor{&a.keys, &a.values} {
				kernel.Copy(x.Part(to*w, (to+rows)*w), x.Part(from*w, (from+rows)*w))
			}
		}
		next[i].slot = to
		taken = append(taken, to)
	}
}

// translation is the tokens of the highest score among the ended.
func (m *beam) translation() []int32 {
	best := m.ended[0]
	for _, h := range m.ended[1:] {
		if h.score > best.score {
			best = h
		}
	}
	return best.tokens
}
