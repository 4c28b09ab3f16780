package nmt

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Beam translates sources by beam search of the given width, at least 1.
//
// For every sentence the search keeps the width best prefixes of a translation, by the sum
// of their tokens' log-probabilities. The score of a prefix that ends is this sum divided by
// its length, EOS included, to the power of penalty. A sentence is done when width prefixes
// have ended, or at the limit, which is the same as in [Engine.Greedy]. Its translation is
// the best prefix that ended, or the best prefix if none has ended. Of equal sums the lower
// token wins, then the better parent; of equal scores the one that ended first. Width 1 gives
// the same as Greedy, unless rounding makes the sums of different logits equal.
//
// Beam returns the cost and the same errors as Greedy.
func (e *Engine) Beam(
	p *tensor.Set, sources [][]int32, limit func(source int) int, width int, penalty float32,
) ([][]int32, uint64, error) {
	outputs := make([][]int32, len(sources))
	cost, err := e.beams(p, sources, nil, limit, width, penalty, func(i int, m *beam) { outputs[i] = m.translation() })
	return outputs, cost, err
}

// beams searches for the translations of sources, calls found with the finished search for
// each of them, by its index, and returns the cost. The translation of each begins with its
// first tokens; nil is none.
func (e *Engine) beams(
	p *tensor.Set, sources, first [][]int32, limit func(source int) int, width int, penalty float32, found func(i int, m *beam),
) (uint64, error) {
	if width < 1 {
		return 0, fmt.Errorf("nmt: the width of the beam is %d, want 1 or more", width)
	}
	rooms, err := e.rooms(sources, first, nil, limit, width)
	if err != nil {
		return 0, err
	}
	return e.translateEach(p, sources, rooms, func(w wave) error {
		// Each beam starts with the sentence's one hypothesis, and owns width ranges of the
		// caches, one behind the other.
		b := &beamSearch{decoder: &e.decoder, width: width, penalty: penalty}
		for s := range w.sentences {
			b.beams = append(b.beams, newBeam(s, w, b.live[s], b.config.lead()))
		}
		if err := b.search(); err != nil {
			return err
		}
		for s, i := range w.sentences {
			found(i, &b.beams[s])
		}
		return nil
	})
}

// newBeam is the search for a sentence of w, before its first step.
func newBeam(sentence int, w wave, first hypothesis, lead int) beam {
	r := w.room[sentence]
	b := beam{sentence: sentence, limit: r.limit, live: []prefix{{hypothesis: first}}}
	for i := range r.width {
		b.slots = append(b.slots, first.slot+i*(lead+r.limit))
	}
	return b
}

// beamSearch is the search for all sentences of one wave.
type beamSearch struct {
	*decoder
	width     int
	penalty   float32
	all       bool      // the host reads all logits
	beams     []beam    // by sentence
	most, exp []float32 // by live hypothesis: largest logit, sum of exponentials
	logits    kernel.Tensor

	// On an accelerator the host reads only the largest logits of each row, unless these do
	// not decide.
	each    int            // how many of each row; 0 where the host reads all
	largest []float32      // [n, each]
	tokens  []int32        // [n, each]: their columns
	buf     kernel.Staging // for all logits
	rows    []nextLogits
}

// beam is the search for one sentence. It is done when no prefix is live.
type beam struct {
	sentence int
	limit    int
	slots    []int // the first rows of width ranges of the caches
	live     []prefix
	ended    []prefix
}

// prefix is a hypothesis with its tokens so far and their score: the sum of log-probabilities,
// divided by the length penalty after the prefix has ended.
type prefix struct {
	hypothesis
	tokens []int32
	score  float32

	progress // of a sentence with terms
}

// candidate is a live prefix, by its rank in the beam, and a token that may follow it.
type candidate struct {
	score float32
	token int32
	rank  int
}

// before reports whether c is better than d.
func (c candidate) before(d candidate) bool {
	switch {
	case c.score != d.score:
		return c.score > d.score
	case c.token != d.token:
		return c.token < d.token
	}
	return c.rank < d.rank
}

// search takes steps until every beam is done.
func (b *beamSearch) search() error {
	for t := 0; len(b.live) > 0; t++ {
		lse, err := b.predict(t)
		if err != nil {
			return err
		}
		penalty := b.divisor(t + 1)
		// The live prefixes of all beams are the rows of the logits, beam after beam.
		row := 0
		for s := range b.beams {
			if m := &b.beams[s]; len(m.live) > 0 {
				n := len(m.live)
				found := b.candidates(m, row, lse[row:row+n])
				row += n
				b.follow(m, found, t+1, penalty)
			}
		}
		// The next step's hypotheses.
		b.live, b.ids, b.written = b.live[:0], b.ids[:0], b.written[:0]
		for s := range b.beams {
			b.enlist(b.beams[s].live)
		}
	}
	return nil
}

// divisor is the length to the power of the penalty, by functions that have the same bits
// everywhere.
func (b *beamSearch) divisor(length int) float32 {
	return kernel.Exp(float32(b.penalty * kernel.Log(float32(length))))
}

// enlist adds the prefixes of a beam to the hypotheses of the next step.
func (b *beamSearch) enlist(live []prefix) {
	for _, h := range live {
		b.decoder.live = append(b.decoder.live, h.hypothesis)
		b.ids, b.written = append(b.ids, h.tokens[len(h.tokens)-1]), append(b.written, h.tokens)
	}
}

// predict takes a step and returns the logarithm of the sum of exponentials of each row of
// logits, which turns logits into log-probabilities.
func (b *beamSearch) predict(t int) ([]float32, error) {
	n := len(b.live)
	b.most, b.exp = slices.Grow(b.most[:0], n)[:n], slices.Grow(b.exp[:0], n)[:n]
	most, exp := floats(b.most, n), floats(b.exp, n)
	kernel.BeginAsync(b.dev)
	logits := b.beamStep(t, most, exp)
	// The logits of an accelerator stay there, but for the largest of each row.
	if b.logits, b.each = logits, 0; logits.Home != nil && !b.all {
		b.each = min(2*b.width+spare, logits.Shape[1])
		b.largest = slices.Grow(b.largest[:0], n*b.each)[:n*b.each]
		b.tokens = slices.Grow(b.tokens[:0], n*b.each)[:n*b.each]
		b.run(kernel.TopK, kernel.Attr{Rows: b.each},
			[]kernel.Tensor{floats(b.largest, n, b.each), ints(b.tokens, n, b.each)},
			[]kernel.Tensor{logits})
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

// beamStep takes a step. It puts the largest logit of each row in most, and the sum of the row's
// exponentials in exp.
func (d *decoder) beamStep(t int, most, exp kernel.Tensor) (logits kernel.Tensor) {
	logits = d.step(t)
	d.do(kernel.RowMax, kernel.Attr{}, []kernel.Tensor{most}, []kernel.Tensor{logits})
	d.do(kernel.RowSumExp, kernel.Attr{}, []kernel.Tensor{exp}, []kernel.Tensor{logits, most})
	return logits
}

// spare is how many more of a row's largest logits are read than there are candidates, so that
// the smallest of them is seldom as good as a candidate.
const spare = 6

// candidates returns the 2*width best candidates of m, the best first: enough for width
// prefixes even where width of them end. The live prefixes of m are the rows of logits from
// row on, and lse is the logarithm of the sum of exponentials of each. If the largest
// logits of each row do not decide, because the score of another may round to the same, the
// host reads all logits.
func (b *beamSearch) candidates(m *beam, row int, lse []float32) []candidate {
	n := 2 * b.width // at most width of them end
	best := m.best(b.dev, b.nextLogits(m, row), lse, n, b.marks)
	if b.each > 0 && b.each < b.logits.Shape[1] && !m.decided(best, b.rows, lse, n) {
		b.logits, b.each = kernel.Fetch(&b.buf, b.logits), 0
		best = m.best(b.dev, b.nextLogits(m, row), lse, n, b.marks)
	}
	return best
}

// nextLogits returns the logits of m's live prefixes, whose first row is row.
func (b *beamSearch) nextLogits(m *beam, row int) []nextLogits {
	b.rows = b.rows[:0]
	ids, width := b.decoder.candidates(m.sentence), b.logits.Shape[1]
	for i := row; i < row+len(m.live); i++ {
		o := nextLogits{ids: ids}
		switch {
		case b.each > 0:
			o = nextLogits{x: b.largest[i*b.each : (i+1)*b.each], ids: b.tokens[i*b.each : (i+1)*b.each]}
		case ids != nil:
			o.x = b.logits.F[i*width:][:len(ids)]
		default:
			o.x = b.logits.F[i*width : (i+1)*width]
		}
		if len(b.banned) > 0 {
			o.banned = b.banned[i]
			if next, ok := b.forced(i); ok {
				o.only = []int32{next}
			}
		}
		b.rows = append(b.rows, o)
	}
	return b.rows
}

// decided reports whether best, the n best candidates among the largest logits of each row,
// are the best of all. Every other logit of a row is at most the row's last one here.
func (m *beam) decided(best []candidate, rows []nextLogits, lse []float32, n int) bool {
	for rank, h := range m.live {
		last := rows[rank].x[len(rows[rank].x)-1]
		if len(best) < n || !(best[n-1].score > h.score+(last-lse[rank])) {
			return false
		}
	}
	return true
}

// best returns the n best candidates, the best first. rows has the logits that follow each live
// prefix.
func (m *beam) best(dev kernel.Device, rows []nextLogits, lse []float32, n int, marks Marks) []candidate {
	best := make([]candidate, 0, n+1)
	for rank, h := range m.live {
		// Once the list is full, most logits are too small for it, and only passed over.
		ids := rows[rank].ids
		least := float32(math.Inf(-1))
		if len(best) == n {
			least = leastLogit(best[n-1].score, h.score, lse[rank])
		}
		all := rows[rank].x
		for i := kernel.AtLeast(dev, all, least); i < len(all); i += 1 + kernel.AtLeast(dev, all[i+1:], least) {
			x, token := all[i], int32(i)
			if ids != nil {
				token = ids[i]
			}
			if marks.hidden(token) || rows[rank].forbids(token) {
				continue
			}
			// Insert the candidate behind those that are better.
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

// leastLogit is a bound a little below every logit with which a prefix of score before reaches
// score. Logits below it need no exact computation.
func leastLogit(score, before, lse float32) float32 {
	s, b, l := float64(score), float64(before), float64(lse)
	slack := (math.Abs(s) + math.Abs(b) + math.Abs(l)) / (1 << 20) // far more than two roundings
	return float32(s - b + l - slack)
}

// follow replaces m's live prefixes by the candidates, the best first, which have length
// tokens. Candidates that end join the ended if they are among the width best, and the width
// best others are live.
func (b *beamSearch) follow(m *beam, found []candidate, length int, penalty float32) {
	var next []prefix
	var parents []int // of next: their ranks in m.live
	for i, c := range found {
		parent := m.live[c.rank]
		switch {
		case c.token == b.marks.EOS && i < b.width:
			parent.score = c.score / penalty
			m.ended = append(m.ended, parent)
		case c.token != b.marks.EOS && len(next) < b.width:
			tokens := append(slices.Clone(parent.tokens), c.token)
			next = append(next, prefix{hypothesis: parent.hypothesis, tokens: tokens, score: c.score})
			parents = append(parents, c.rank)
		}
	}
	// The sentence may be done: by enough ended prefixes, or by its limit.
	if len(m.ended) >= b.width {
		next = nil
	}
	if length >= m.limit {
		if len(m.ended) == 0 {
			m.ended = cut(next, penalty)
		}
		next = nil
	}
	b.assign(m, next, parents, length)
	m.live = next
}

// cut is live prefixes, the best first, as ones that ended at the limit.
func cut(live []prefix, penalty float32) []prefix {
	for i := range live {
		live[i].score /= penalty
	}
	return live
}

// assign gives each prefix of next a range of the caches with the rows of its parent. The first
// child of a parent takes the parent's own range. The others copy it to ranges that no first
// child has, so no range is overwritten that is still read.
func (b *beamSearch) assign(m *beam, next []prefix, parents []int, rows int) {
	rows += b.config.lead()
	// First the ranges that stay, then free ones for the copies.
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
		to, from, w := m.slots[free], next[i].slot, b.config.Dim // next[i] still has its parent's slot
		for l := range b.layers {
			a := &b.layers[l].self
			for _, x := range []*kernel.Tensor{&a.keys, &a.values} {
				if x.Shape == nil { // an SSRU has one cache, of its cells
					continue
				}
				kernel.Copy(x.Part(to*w, (to+rows)*w), x.Part(from*w, (from+rows)*w))
			}
		}
		next[i].slot = to
		taken = append(taken, to)
	}
}

// translation returns the tokens of the ended prefix with the highest score.
func (m *beam) translation() []int32 {
	best := m.ended[0] // the first that ended wins among equals
	for _, h := range m.ended[1:] {
		if h.score > best.score {
			best = h
		}
	}
	return best.tokens
}
