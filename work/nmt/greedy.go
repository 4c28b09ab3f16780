package nmt

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// The sizes of a wave, the sentences that are decoded together: enough for
// full matrix products, little enough for memory.
const (
	waveWidth = 64      // hypotheses
	waveRows  = 1 << 13 // rows of the caches, unless one sentence needs more
)

// TwicePlusTen is the usual limit on a translation's tokens: twice the
// source's and ten.
func TwicePlusTen(source int) int { return 2*source + 10 }

// Greedy translates sources, taking the likeliest token at every position and
// the lowest of equals, until EOS or until limit(len(source)) tokens, MaxLength-1
// at most. The outputs hold neither BOS nor EOS. An output depends on its
// source alone. It returns the cost too, and fails on bad tokens, and with
// ErrNonFinite.
func (e *Engine) Greedy(p *tensor.Set, sources [][]int32, limit func(source int) int) ([][]int32, uint64, error) {
	outputs := make([][]int32, len(sources))
	best := ints(nil, 0)
	cost, err := e.translate(p, sources, limit, 1, func(w wave) error {
		for t := 0; len(e.decoder.live) > 0; t++ {
			best.Shape[0], best.I = len(e.decoder.live), slices.Grow(best.I[:0], waveWidth)[:len(e.decoder.live)]
			logits := e.decoder.greedyStep(t, best)
			if !tensor.AllFinite(e.decoder.pick(logits, best.I)) {
				return ErrNonFinite
			}
			e.advance(w, best.I, outputs)
		}
		return nil
	})
	return outputs, cost, err
}

// greedyStep takes a step, and puts the likeliest token after each live
// hypothesis in best.
func (d *decoder) greedyStep(t int, best kernel.Tensor) (logits kernel.Tensor) {
	kernel.BeginAsync(d.dev)
	defer kernel.EndAsync(d.dev)
	logits = d.step(t)
	d.do(kernel.ArgMax, kernel.Attr{}, []kernel.Tensor{best}, []kernel.Tensor{logits})
	return logits
}

// advance appends to each live sentence's output its best token, and keeps
// alive those that go on.
func (e *Engine) advance(w wave, best []int32, outputs [][]int32) {
	d := &e.decoder
	live := d.live
	d.live, d.ids = d.live[:0], d.ids[:0]
	for i, h := range live {
		token := best[i]
		if ids := d.candidates(h.sentence); ids != nil {
			token = ids[token]
		}
		if token == d.config.Tokens().EOS {
			continue
		}
		out := &outputs[w.sentences[h.sentence]]
		*out = append(*out, token)
		if len(*out) < w.limits[h.sentence] {
			d.live, d.ids = append(d.live, h), append(d.ids, token)
		}
	}
}

// wave is sentences that are decoded together.
type wave struct {
	sentences []int // which of the sources
	limits    []int // most tokens, by sentence of the wave
}

// translate checks the arguments and, for one wave of sentences after the
// other, encodes the sources, makes a hypothesis of BOS alone for each sentence
// with cache rows for width of them, and calls search. It returns the cost of
// all.
func (e *Engine) translate(p *tensor.Set, sources [][]int32, limit func(int) int, width int, search func(wave) error) (uint64, error) {
	if err := e.use(p); err != nil {
		return 0, err
	}
	if len(sources) == 0 {
		return 0, nil
	}
	if err := checkSentences("source", sources, e.config); err != nil {
		return 0, err
	}
	if e.decoder.params == nil {
		e.decoder.lay(e.config, e.in.shapes)
	}
	if l := e.Shortlist; l != nil && l.vocab() != e.config.Vocab {
		return 0, fmt.Errorf("nmt: the shortlist is of %d tokens, the model has %d: build it with this model", l.vocab(), e.config.Vocab)
	}
	e.decoder.load(e.dev, e.config, p)
	for _, w := range waves(sources, limit, width) {
		part := make([][]int32, len(w.sentences))
		for j, i := range w.sentences {
			part[j] = sources[i]
		}
		e.encode(p, part)
		e.decoder.narrow(e.Shortlist, part)
		rows, longest := 0, 0
		for _, n := range w.limits {
			rows += n * width
			longest = max(longest, n)
		}
		d := &e.decoder
		e.in.reach(longest)
		d.begin(len(w.sentences)*width, rows, &e.in.source, e.in.positions)
		slot := 0
		for s, n := range w.limits {
			d.live, d.ids = append(d.live, hypothesis{sentence: s, slot: slot}), append(d.ids, e.config.Tokens().BOS)
			slot += n * width
		}
		if err := search(w); err != nil {
			return 0, fmt.Errorf("translate: %w", err)
		}
	}
	return e.decoder.cost, nil
}

// waves divides the sentences that may have any output, shortest sources
// first.
func waves(sources [][]int32, limit func(int) int, width int) []wave {
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(len(sources[i]), len(sources[j])) })
	var all []wave
	rows := 0
	for _, i := range order {
		n := min(limit(len(sources[i])), MaxLength-1)
		if n <= 0 {
			continue
		}
		if w := len(all) - 1; w < 0 || (len(all[w].sentences)+1)*width > waveWidth || rows+n*width > waveRows {
			all, rows = append(all, wave{}), 0
		}
		w := &all[len(all)-1]
		w.sentences, w.limits = append(w.sentences, i), append(w.limits, n)
		rows += n * width
	}
	return all
}

// encoding is the graph of the keys and values that a decoder's cross
// attentions look at.
type encoding struct {
	model *model
	kv    []tensor.Value // by layer: keys, values
	plan  *tensor.Program
}

// newEncodingGraph makes the graph without a plan.
func newEncodingGraph(c Config, in *inputs) *encoding {
	m := newModel(c, in)
	memory := m.encode()
	e := &encoding{model: m}
	for i := range m.Decoder {
		k, v := m.memory(fmt.Sprintf("decoder.%d.cross", i), memory)
		e.kv = append(e.kv, k, v)
	}
	return e
}

// encode runs the encoder on a wave's sources and leaves the cross attentions'
// keys and values in the decoder's layers.
func (e *Engine) encode(p *tensor.Set, wave [][]int32) {
	e.in.load(p)
	e.in.pack(wave, nil)
	if e.encoder == nil {
		e.encoder = newEncodingGraph(e.config, &e.in)
		e.encoder.plan = e.encoder.model.g.Compile(&e.arena, e.encoder.kv...)
	}
	c := e.encoder
	c.model.refresh()
	c.plan.Prepare()
	c.plan.Run(e.dev)
	e.decoder.cost += c.plan.Cost()
	for i := range e.decoder.layers {
		l := &e.decoder.layers[i]
		l.cross.keys, l.cross.values = c.plan.Result(c.kv[2*i]), c.plan.Result(c.kv[2*i+1])
	}
}
