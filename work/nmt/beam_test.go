package nmt

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// TestBeamOfOne is Greedy.
func TestBeamOfOne(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	src := sentences(4, toy.Vocab, 9, 12)
	want, _, err := e.Greedy(p, src, TwicePlusTen)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := e.Beam(p, src, TwicePlusTen, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		if !equal(got[i], want[i]) {
			t.Errorf("sentence %d: %v, greedy %v", i, got[i], want[i])
		}
	}
}

// TestBeamBatch decodes alone and together: the same tokens.
func TestBeamBatch(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	src := sentences(4, toy.Vocab, 40, 12)
	for _, width := range []int{2, 5} {
		want, _, err := e.Beam(p, src, TwicePlusTen, width, 0.75)
		if err != nil {
			t.Fatal(err)
		}
		for i := range src {
			got, _, err := e.Beam(p, src[i:i+1], TwicePlusTen, width, 0.75)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got[0], want[i]) {
				t.Errorf("width %d, sentence %d: alone %v, together %v", width, i, got[0], want[i])
			}
		}
	}
}

// TestBeamEqualsSlow compares with a search that keeps no caches, runs the
// whole forward pass for every prefix and sorts all candidates.
func TestBeamEqualsSlow(t *testing.T) {
	const width, limit, penalty = 3, 6, 0.75
	e, p := NewEngine(open(t, ""), toy), sharp()
	src := sentences(4, toy.Vocab, 60, 5)
	got, _, err := e.Beam(p, src, func(int) int { return limit }, width, penalty)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range src {
		if want := slowBeam(e, p, s, width, limit, penalty); !equal(got[i], want) {
			t.Errorf("sentence %d: %v, the slow search %v", i, got[i], want)
		}
	}
}

func slowBeam(e *Engine, p *tensor.Set, src []int32, width, limit int, penalty float32) []int32 {
	live := []prefix{{}}
	var ended []prefix
	for length := 1; length <= limit && len(ended) < width; length++ {
		var all []candidate
		for rank, h := range live {
			row := lastLogits(e, p, src, h.tokens)
			m, s := kernel.New(kernel.F32, 1), kernel.New(kernel.F32, 1)
			e.dev.Do(&kernel.Call{Op: kernel.RowMax, In: []kernel.Tensor{row}, Out: []kernel.Tensor{m}})
			e.dev.Do(&kernel.Call{Op: kernel.RowSumExp, In: []kernel.Tensor{row, m}, Out: []kernel.Tensor{s}})
			lse := m.F[0] + kernel.Log(s.F[0])
			for token := EOS; token < toy.Vocab; token++ {
				all = append(all, candidate{h.score + (row.F[token] - lse), int32(token), rank})
			}
		}
		slices.SortFunc(all, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		var next []prefix
		for i, c := range all[:2*width] {
			tokens := append(slices.Clone(live[c.rank].tokens), c.token)
			if c.token != EOS && len(next) < width {
				next = append(next, prefix{tokens: tokens, score: c.score})
			} else if c.token == EOS && i < width {
				score := c.score / kernel.Exp(float32(penalty*kernel.Log(float32(length))))
				ended = append(ended, prefix{tokens: tokens[:length-1], score: score})
			}
		}
		live = next
	}
	if len(ended) == 0 {
		return live[0].tokens
	}
	return slices.MaxFunc(ended, func(a, b prefix) int {
		if a.score < b.score {
			return -1
		} else if a.score > b.score {
			return 1
		}
		return 0
	}).tokens
}

// lastLogits is the forward pass's logits [1, Vocab] after some tokens, with
// Pad and BOS masked as in decoding.
func lastLogits(e *Engine, p *tensor.Set, src, tokens []int32) kernel.Tensor {
	e.in.load(p)
	e.in.pack([][]int32{src}, [][]int32{tokens})
	m := newModel(e.config, &e.in)
	logits := m.decode(m.encode())
	plan := m.g.Compile(&e.arena, logits)
	plan.Run(e.dev)
	v := e.config.Vocab
	row := plan.Result(logits).F[(e.config.lead()+len(tokens))*v:]
	row[e.config.Tokens().Pad], row[e.config.Tokens().BOS] = float32(math.Inf(-1)), float32(math.Inf(-1))
	return floats(row, 1, v)
}

func TestBeamWidth(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	for _, width := range []int{-1, 0} {
		if _, _, err := e.Beam(p, [][]int32{{3}}, TwicePlusTen, width, 1); err == nil {
			t.Errorf("a beam of %d is accepted", width)
		}
	}
}

// TestDecided takes the best of the largest logits of each row alone: where it
// is said that they decide, they give what all logits give.
func TestDecided(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 4
	dev, marks := open(t, ""), toy.Tokens()
	cut := 0
	for trial := range 2000 {
		var m beam
		var all, largest []nextLogits
		var lse []float32
		v, k := 8+r.IntN(20), 5+r.IntN(3)
		for range 1 + r.IntN(3) {
			m.live = append(m.live, prefix{score: -float32(r.IntN(40))})
			lse = append(lse, float32(r.IntN(3)))
			x := make([]float32, v)
			for i := range x {
				x[i] = float32(r.IntN(1 + trial%30)) // equals often
				if trial%7 == 0 {
					x[i] = 1 + float32(r.IntN(9))/(1<<23) // which round to equals
				}
			}
			ids := make([]int32, v)
			for i := range ids {
				ids[i] = int32(i)
			}
			slices.SortStableFunc(ids, func(i, j int32) int { return cmp.Compare(x[j], x[i]) })
			top := nextLogits{ids: ids[:k]}
			for _, id := range top.ids {
				top.x = append(top.x, x[id])
			}
			all, largest = append(all, nextLogits{x: x}), append(largest, top)
		}
		got := m.best(dev, largest, lse, n, marks)
		if !m.decided(got, largest, lse, n) {
			continue
		}
		cut++
		if want := m.best(dev, all, lse, n, marks); !slices.Equal(got, want) {
			t.Fatalf("trial %d: %v, want %v", trial, got, want)
		}
	}
	if cut < 500 || cut > 1900 {
		t.Errorf("the largest decided in %d of 2000 trials", cut)
	}
}
