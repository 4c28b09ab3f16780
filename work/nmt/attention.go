package nmt

import (
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Attention returns how much each token of a translation attended to each token of its source
// when it was predicted: by sentence, a row for each target token, with a column for each source
// token and one for the EOS behind them, if the model has one. A row sums to about 1. The
// targets are b.Target: nothing is searched, and they need not be good translations.
//
// A row is the mean over the heads of the cross attention in one layer of the decoder. In deep
// decoders it is the last but one, whose mean is nearest to an alignment of words (Garg et al.,
// "Jointly learning to align and translate with Transformer models", 2019, of six layers). In
// decoders of up to four layers the last one is nearer. This was measured against IBM's Model 1
// (English-German), on words of which that model is sure (a probability of 0.9 or more). The
// share of German words that attend most to the same English word as Model 1, by layer:
//
//	3 layers, Multi30k           0.59  0.69  0.71
//	4 layers, the phrasebook     0.71  0.76  0.82  0.84
//	2 layers, the phrasebook     0.76  0.83
//
// The attention of the next step, which has the token itself as its input (Chen et al.,
// "Accurate word alignment induction from neural machine translation", 2020), gave 0.23 to 0.43
// in these models. Marian's `--alignment` reads the same step of the decoder, in the one head of its last
// layer that a guided training has taught to align; other models have no such head.
//
// A row depends on its own pair only, and has the same bits on every device. A decoder with
// SSRUs has cross attention too, so this works with every model. It has no
// canonical cost, because no unit of work asks for it. Attention returns the errors of Loss,
// except the one for results that are not finite.
func (e *Engine) Attention(p *tensor.Set, b Batch) ([][][]float32, error) {
	if err := e.use(p); err != nil {
		return nil, err
	}
	if err := b.check(e.config); err != nil {
		return nil, err
	}
	rooms := make([]room, len(b.Target))
	for i, s := range b.Target {
		rooms[i] = room{limit: len(s), width: 1}
	}
	list := e.Shortlist
	e.Shortlist = nil // no token is chosen
	d := &e.decoder
	out := make([][][]float32, len(b.Target))
	_, err := e.translateEach(p, b.Source, rooms, func(w wave) error {
		g := newAttentionReader(d)
		for t := 0; len(d.live) > 0; t++ {
			rows := d.stepAttention(g, t+d.config.lead())
			live := d.live
			d.live, d.ids = live[:0], d.ids[:0]
			for i, h := range live {
				s := w.sentences[h.sentence]
				out[s] = append(out[s], rows[i])
				if t+1 < len(b.Target[s]) {
					d.live, d.ids = append(d.live, h), append(d.ids, b.Target[s][t])
				}
			}
		}
		return nil
	})
	e.Shortlist = list
	return out, err
}

// alignLayer is the decoder's layer of which [Engine.Attention] reads the attention.
func (c Config) alignLayer() int {
	if c.Decoder < 5 {
		return c.Decoder - 1
	}
	return c.Decoder - 2
}

// attentionReader reads the weights of a cross attention. The operation Attend gives sums of values by
// weights. With values that are 1 in one place and 0 elsewhere, these sums are the weights
// themselves, in the bits that every device computes. A head has Dim/Heads columns: so one call
// gives its weights of as many source tokens.
type attentionReader struct {
	layer  int
	width  int             // columns of a head
	values []kernel.Tensor // [rows of the sources, Dim]: by call
	out    []kernel.Tensor // [n, Dim]: by call
}

// newAttentionReader makes a reader for the sources of the wave that d begins.
func newAttentionReader(d *decoder) *attentionReader {
	c, starts := d.config, d.source.starts
	g := &attentionReader{layer: c.alignLayer(), width: c.Dim / c.Heads}
	for from := 0; from < d.source.longest(); from += g.width {
		values := kernel.New(kernel.F32, int(starts[len(starts)-1]), c.Dim)
		for s := range len(starts) - 1 {
			for j := from; j < from+g.width && int(starts[s])+j < int(starts[s+1]); j++ {
				row := values.F[(int(starts[s])+j)*c.Dim:][:c.Dim]
				for head := range c.Heads {
					row[head*g.width+j-from] = 1
				}
			}
		}
		g.values = append(g.values, kernel.On(d.dev, values))
	}
	g.out = make([]kernel.Tensor, len(g.values))
	return g
}

// read computes the weights of the queries d.q, if a is the attention of g's layer.
func (g *attentionReader) read(d *decoder, layer int, seg kernel.Tensor) {
	if g == nil || layer != g.layer {
		return
	}
	n := len(d.live)
	for i, values := range g.values {
		g.out[i] = floats(make([]float32, n*d.config.Dim), n, d.config.Dim)
		d.run(kernel.Attend, softmaxAttr(d.config, false),
			[]kernel.Tensor{g.out[i]}, []kernel.Tensor{d.q, d.layers[layer].cross.keys, values, seg})
	}
}

// stepAttention takes a step of the decoder, and returns what each live hypothesis attends to: a weight for each token
// of its source, the mean over the heads.
func (d *decoder) stepAttention(g *attentionReader, t int) [][]float32 {
	kernel.BeginAsync(d.dev)
	d.reader = g
	d.advance(t)
	d.reader = nil
	kernel.EndAsync(d.dev)
	heads := d.config.Heads
	all := make([][]float32, len(d.live))
	for i, h := range d.live {
		all[i] = make([]float32, d.source.starts[h.sentence+1]-d.source.starts[h.sentence])
		for j := range all[i] {
			x := g.out[j/g.width].F[i*d.config.Dim+j%g.width:]
			var sum float32
			for head := range heads {
				sum += x[head*g.width]
			}
			all[i][j] = sum / float32(heads)
		}
	}
	return all
}
