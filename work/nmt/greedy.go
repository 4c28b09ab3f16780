package nmt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// waveRows is the most rows of the caches of a wave, which is a group of sentences that are decoded
// together, unless one sentence needs more: few enough for little memory.
const waveRows = 1 << 13

// waveWidth is the most hypotheses of a wave: enough for fast matrix products. A step reads all
// weights, so a wide model takes more of them. The logits of too many would leave the cache: in
// the model of width 128 a beam of 5 with 128 hypotheses was slower by 7 per cent than with 64, in the one of
// width 512 it was faster with 256 by 21 per cent.
func (c Config) waveWidth() int { return min(max(c.Dim/2, 64), 256) }

// TwicePlusTen is the usual limit on the length of a translation: twice the number of the
// source's tokens, plus ten.
func TwicePlusTen(source int) int { return 2*source + 10 }

// Greedy translates sources by greedy search: at every position it takes the most likely
// token, and of equally likely ones the lowest. A translation ends with EOS, or after
// limit(len(source)) tokens, at most MaxLength-1. The outputs contain neither BOS nor EOS.
// Each depends on its own source only.
//
// Greedy also returns the cost: see [kernel.Cost]. It returns an error for parameters or
// tokens that do not fit the configuration, and an [ErrNonFinite].
func (e *Engine) Greedy(p *tensor.Set, sources [][]int32, limit func(source int) int) ([][]int32, uint64, error) {
	outputs := make([][]int32, len(sources))
	best := ints(nil, 0)
	cost, err := e.translate(p, sources, limit, 1, func(w wave) error {
		for t := 0; len(e.decoder.live) > 0; t++ {
			n := len(e.decoder.live)
			best.Shape[0], best.I = n, slices.Grow(best.I[:0], n)[:n]
			logits := e.decoder.greedyStep(t, best)
			// ArgMax chooses an infinity if there is one, and the first token where all
			// logits are NaN. So the chosen logits show both.
			if !tensor.AllFinite(e.decoder.pick(logits, best.I)) {
				return ErrNonFinite
			}
			e.advance(w, best.I, outputs)
		}
		return nil
	})
	return outputs, cost, err
}

// greedyStep takes a step, and puts the most likely token after each live hypothesis in best.
func (d *decoder) greedyStep(t int, best kernel.Tensor) (logits kernel.Tensor) {
	kernel.BeginAsync(d.dev)
	defer kernel.EndAsync(d.dev)
	logits = d.step(t)
	d.do(kernel.ArgMax, kernel.Attr{}, []kernel.Tensor{best}, []kernel.Tensor{logits})
	return logits
}

// advance appends the best token to each live sentence's output. A sentence stays live until
// EOS or its limit.
func (e *Engine) advance(w wave, best []int32, outputs [][]int32) {
	d := &e.decoder
	live := d.live
	d.live, d.ids, d.written = d.live[:0], d.ids[:0], d.written[:0]
	for i, h := range live {
		// With a shortlist, columns stand for the sentence's candidates.
		token := best[i]
		if ids := d.candidates(h.sentence); ids != nil {
			token = ids[token]
		}
		if token == d.config.Tokens().EOS {
			continue
		}
		out := &outputs[w.sentences[h.sentence]]
		*out = append(*out, token)
		if len(*out) < w.room[h.sentence].limit {
			d.live, d.ids, d.written = append(d.live, h), append(d.ids, token), append(d.written, *out)
		}
	}
}

// wave is a group of sentences that are decoded together.
type wave struct {
	sentences []int  // indexes of the sources
	room      []room // by sentence of the wave
}

// room is what the search for one sentence may take.
type room struct {
	limit int     // the largest number of tokens
	width int     // the largest number of live hypotheses
	extra []int32 // tokens that are candidates whatever the shortlist says
	first []int32 // tokens that the translation begins with
}

// translate is translateEach with a limit by the length of the source, and one width.
func (e *Engine) translate(
	p *tensor.Set, sources [][]int32, limit func(int) int, width int, search func(wave) error,
) (uint64, error) {
	all := make([]room, len(sources))
	for i, s := range sources {
		all[i] = room{limit: min(limit(len(s)), MaxLength-1), width: width}
	}
	return e.translateEach(p, sources, all, search)
}

// translateEach checks its arguments and then takes one wave after the other. For each it
// encodes the sources, gives each sentence one hypothesis, which is BOS, and cache rows for
// as many hypotheses as all says, and calls search. It returns the total cost.
func (e *Engine) translateEach(p *tensor.Set, sources [][]int32, all []room, search func(wave) error) (uint64, error) {
	if err := e.use(p); err != nil {
		return 0, err
	}
	if len(sources) == 0 {
		return 0, nil
	}
	if err := checkSentences("source", sources, e.config); err != nil {
		return 0, err
	}
	if err := e.Repeats.check(); err != nil {
		return 0, err
	}
	if e.decoder.params == nil {
		e.decoder.layOut(e.config, e.in.shapes)
	}
	if l := e.Shortlist; l != nil && l.vocab() != e.config.Vocab {
		return 0, vocabularyError(uint64(l.vocab()), e.config.Vocab)
	}
	if e.Shortlist != nil && e.config.SourceVocab > 0 {
		return 0, errors.New("nmt: a shortlist is for models whose sources and targets share a vocabulary")
	}
	e.decoder.load(e.dev, e.config, p)
	e.decoder.repeats = e.Repeats
	lead := e.config.lead()
	for _, w := range waves(sources, all, e.config.waveWidth()) {
		part := make([][]int32, len(w.sentences))
		for j, i := range w.sentences {
			part[j] = sources[i]
		}
		// The encoder first: it leaves its keys and values in the decoder's layers.
		e.encode(p, part)
		e.decoder.narrow(e.Shortlist, part, w.room)
		hypotheses, rows, longest := 0, 0, 0
		for _, r := range w.room {
			hypotheses += r.width
			rows += (lead + r.limit) * r.width
			longest = max(longest, r.limit)
		}
		d := &e.decoder
		e.in.reach(lead + longest)
		d.begin(hypotheses, rows, &e.in.source, e.in.positions)
		d.first = d.first[:0]
		for _, r := range w.room {
			d.first = append(d.first, r.first)
		}
		// A sentence owns width ranges of rows for its limit; the first hypothesis has the first range.
		slot := 0
		for s, r := range w.room {
			d.live, d.ids = append(d.live, hypothesis{sentence: s, slot: slot}), append(d.ids, e.config.Tokens().BOS)
			d.written = append(d.written, nil)
			slot += (lead + r.limit) * r.width
		}
		if lead > 0 {
			d.begun()
		}
		if err := search(w); err != nil {
			return 0, fmt.Errorf("translate: %w", err)
		}
	}
	return e.decoder.cost, nil
}

// begun computes Form.Start, which stands in front of the live hypotheses' tokens.
func (d *decoder) begun() {
	kernel.BeginAsync(d.dev)
	defer kernel.EndAsync(d.dev)
	first := slices.Clone(d.ids)
	for i := range d.ids {
		d.ids[i] = d.config.Start
	}
	d.advance(0)
	copy(d.ids, first)
}

// waves divides the sentences whose limit allows any output into waves, the shortest sources
// first, with at most width hypotheses each. Sentences of about one length end at about the
// same time.
func waves(sources [][]int32, rooms []room, width int) []wave {
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(len(sources[i]), len(sources[j])) })
	var all []wave
	hypotheses, rows := 0, 0
	for _, i := range order {
		r := rooms[i]
		if r.limit <= 0 {
			continue
		}
		// A new wave where the sentence does not fit the last one.
		if len(all) == 0 || hypotheses+r.width > width || rows+r.limit*r.width > waveRows {
			all, hypotheses, rows = append(all, wave{}), 0, 0
		}
		w := &all[len(all)-1]
		w.sentences, w.room = append(w.sentences, i), append(w.room, r)
		hypotheses, rows = hypotheses+r.width, rows+r.limit*r.width
	}
	return all
}

// encoding is the graph of the encoder, with the keys and values of the decoder's cross
// attentions as its outputs.
type encoding struct {
	model   *model
	kv      []tensor.Value // keys and values of each layer in turn
	program *tensor.Program
}

// newEncodingGraph makes the graph without a program.
func newEncodingGraph(c Config, in *inputs) *encoding {
	// Keys and values are computed once here, not at every step of the decoder.
	m := newModel(c, in)
	memory := m.encode()
	e := &encoding{model: m}
	for i := range m.Decoder {
		k, v := m.memory(fmt.Sprintf("decoder.%d.cross", i), memory)
		e.kv = append(e.kv, k, v)
	}
	return e
}

// encode runs the encoder on a wave's sources and gives the decoder's layers the keys and
// values of their cross attentions.
func (e *Engine) encode(p *tensor.Set, wave [][]int32) {
	e.in.load(p)
	e.in.pack(wave, nil)
	if e.encoder == nil {
		e.encoder = newEncodingGraph(e.config, &e.in)
		e.encoder.program = e.encoder.model.g.Compile(&e.arena, e.encoder.kv...)
	}
	c := e.encoder
	c.model.refresh()
	c.program.Prepare()
	c.program.Run(e.dev)
	e.decoder.cost += c.program.Cost()
	for i := range e.decoder.layers {
		l := &e.decoder.layers[i]
		l.cross.keys, l.cross.values = c.program.Result(c.kv[2*i]), c.program.Result(c.kv[2*i+1])
	}
}
