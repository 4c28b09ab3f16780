package nmt

import (
	"fmt"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// learn trains a model on a batch that each step gives, for some steps.
func learn(t testing.TB, e *Engine, p *tensor.Set, steps int, rate float32, batch func(step int) Batch) (last float32) {
	t.Helper()
	m, v := p.Zeros(), p.Zeros()
	hyper := floats([]float32{rate, 1, 1}, 3)
	for step := range steps {
		g, err := e.Gradient(p, []Batch{batch(step)}, DropoutKey{Step: uint32(step)})
		if err != nil {
			t.Fatal(err)
		}
		last = g.Loss / float32(g.Tokens)
		for i := range p.Len() {
			u := kernel.New(kernel.F32, p.At(i).Shape...)
			e.dev.Do(&kernel.Call{
				Op: kernel.Adam, Attr: kernel.Attr{Beta1: 0.9, Beta2: 0.98, Eps: 1e-9},
				In:  []kernel.Tensor{g.Grads.At(i).Tensor, m.At(i).Tensor, v.At(i).Tensor, hyper},
				Out: []kernel.Tensor{u, m.At(i).Tensor, v.At(i).Tensor},
			})
			for j := range u.F {
				p.At(i).F[j] -= u.F[j]
			}
		}
	}
	return last
}

// swapped is sentences without a word twice, and their translations word for word by another
// word, with each pair of neighbours the other way round.
func swapped(seed uint64, vocab, n int) (b Batch, gold [][]int) {
	state := seed*0x9E3779B97F4A7C15 + 1
	next := func(n int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int(state>>33) % n
	}
	for range n {
		words := vocab - 3
		order := make([]int, words)
		for i := range order {
			order[i] = i
		}
		size := 3 + next(7)
		var s, w []int32
		var g []int
		for i := range size {
			j := i + next(words-i)
			order[i], order[j] = order[j], order[i]
			s = append(s, int32(3+order[i]))
		}
		for i := range size {
			j := i ^ 1
			if j >= size {
				j = i
			}
			w = append(w, 3+(s[j]-3+7)%int32(words))
			g = append(g, j)
		}
		b.Source, b.Target, gold = append(b.Source, s), append(b.Target, w), append(gold, g)
	}
	return b, gold
}

// TestAttentionAligns: a model that has learnt to translate word for word, with neighbours
// swapped, attends to the word that it translates.
func TestAttentionAligns(t *testing.T) {
	for _, layers := range []int{1, 3} {
		c := Config{Vocab: 33, Dim: 32, FFN: 64, Heads: 4, Encoder: 2, Decoder: layers, Smoothing: 0.1}
		e, p := NewEngine(open(t, ""), c), Init(c, 0)
		learn(t, e, p, 700, 0.004, func(step int) Batch { b, _ := swapped(uint64(step), c.Vocab, 48); return b })
		b, gold := swapped(1_000_000, c.Vocab, 100)
		rows, err := e.Attention(p, b)
		if err != nil {
			t.Fatal(err)
		}
		right, all := 0, 0
		for i := range gold {
			for k, j := range gold[i] {
				row := rows[i][k]
				if all++; slices.Max(row) == row[j] {
					right++
				}
			}
		}
		if 100*right < 95*all {
			t.Errorf("%d layers: %d of %d words attend to their source", layers, right, all)
		}
	}
}

// TestAttention: on every device, alone and with others, in every layout and form, the rows
// have the same bits, a weight for each token of the source, and the sum 1. What
// comes after the layer changes nothing.
func TestAttention(t *testing.T) {
	deep := toy
	deep.Decoder = 5
	bare := recurrent()
	started := toy
	started.Form = Form{Start: 4, Marks: Marks{Pad: Pad, BOS: BOS, EOS: EOS}, NormEps: 1e-5}
	b := Batch{Source: [][]int32{{5, 3, 8, 5, 3, 8, 7, 6, 5, 4}, {4}, {7, 7}}, Target: [][]int32{{6, 3}, {8, 4, 4, 5, 6}, {}}}
	for name, c := range map[string]Config{"toy": toy, "deep": deep, "SSRU": bare, "a token in front": started} { // order-free: each by itself
		p := Init(c, 5)
		for i := range p.Len() { // no bias is zero
			for j := range p.At(i).F {
				p.At(i).F[j] += float32((5*i+3*j)%13-6) / 16
			}
		}
		prepared, err := Prepare(c, p, false)
		if err != nil {
			t.Fatal(err)
		}
		end := 1
		if c.BareSource {
			end = 0
		}
		var first [][][]float32
		for _, dev := range devices(t) {
			e := NewEngine(dev, c)
			e.Shortlist = &Shortlist{} // it does not matter
			rows, err := e.Attention(p, b)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = rows
			}
			for i := range b.Source {
				alone, err := e.Attention(prepared, Batch{Source: b.Source[i : i+1], Target: b.Target[i : i+1]})
				if err != nil {
					t.Fatal(err)
				}
				if len(rows[i]) != len(b.Target[i]) || !slices.EqualFunc(rows[i], first[i], sameBits) || !slices.EqualFunc(alone[0], first[i], sameBits) {
					t.Errorf("%s, %s: pair %d has %v, alone %v, at first %v", name, dev.Name(), i, rows[i], alone[0], first[i])
				}
				for _, row := range rows[i] {
					var sum float32
					for _, w := range row {
						sum += w
					}
					if len(row) != len(b.Source[i])+end || !(sum > 0.999 && sum < 1.001) {
						t.Errorf("%s: a row of %d weights, whose sum is %v", name, len(row), sum)
					}
				}
			}
			out, _, err := e.Greedy(p, b.Source[:1], TwicePlusTen)
			if e.Shortlist = nil; err == nil {
				t.Errorf("%s: the shortlist is gone, %v", name, out)
			}
		}
		if name == "deep" && c.alignLayer() != 3 || name != "deep" && c.alignLayer() != c.Decoder-1 {
			t.Errorf("%s: layer %d", name, c.alignLayer())
		}
		w, ok := p.Get(fmt.Sprintf("decoder.%d.cross.out.weight", c.alignLayer()))
		if !ok {
			t.Fatal(name)
		}
		w.F[0]++
		rows, err := NewEngine(open(t, ""), c).Attention(p, b)
		if err != nil || !slices.EqualFunc(rows[0], first[0], sameBits) {
			t.Errorf("%s: what comes after the attention changes it: %v, %v", name, rows[0], err)
		}
	}
}

func TestAttentionRefuses(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), Init(toy, 1)
	good := [][]int32{{3, 4}}
	for name, b := range map[string]Batch{"unequal": {Source: good}, "a mark": {Source: good, Target: [][]int32{{EOS}}}, "none": {}} {
		if _, err := e.Attention(p, b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	other := toy
	other.FFN++
	if _, err := e.Attention(Init(other, 1), Batch{Source: good, Target: good}); err == nil {
		t.Error("parameters of another shape: no error")
	}
}
