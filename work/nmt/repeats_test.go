package nmt

import (
	"math"
	"slices"
	"sort"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
	"pgregory.net/rapid"
)

// twice reports whether some n-gram stands twice in tokens.
func twice(n int, tokens []int32) bool {
	for i := range tokens {
		for j := range i {
			if i+n <= len(tokens) && slices.Equal(tokens[i:i+n], tokens[j:j+n]) {
				return true
			}
		}
	}
	return false
}

// repeat changes a row of logits as the comment of Repeats says, token by token. It returns
// which tokens may follow. spared, which may be nil, says which are not banned.
func (r Repeats) repeat(row []float32, ids, tokens []int32, spared func(int32) bool) (may []bool) {
	for i, id := range ids {
		if r.Penalty != 0 && slices.Contains(tokens, id) {
			if row[i] > 0 {
				row[i] /= r.Penalty
			} else {
				row[i] *= r.Penalty
			}
		}
		banned := r.NGram > 0 && endsTwice(r.NGram, append(slices.Clone(tokens), id)) && (spared == nil || !spared(id))
		if may = append(may, !banned); banned {
			row[i] = float32(math.Inf(-1))
		}
	}
	return may
}

// endsTwice reports whether the n-gram at the end of tokens stands there before.
func endsTwice(n int, tokens []int32) bool {
	for to := n; to < len(tokens); to++ {
		if slices.Equal(tokens[to-n:to], tokens[max(0, len(tokens)-n):]) {
			return true
		}
	}
	return false
}

func drawRepeats(t *rapid.T) Repeats {
	return Repeats{
		NGram:   rapid.IntRange(0, 4).Draw(t, "n-gram"),
		Penalty: rapid.SampledFrom([]float32{0, 1, 1.1, 1.5, 10}).Draw(t, "penalty"),
	}
}

// TestBans: what is banned behind some tokens is what would end an n-gram there for the second time.
func TestBans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.Int32Range(3, 6), 0, 20).Draw(t, "tokens")
		r := Repeats{NGram: rapid.IntRange(0, 5).Draw(t, "n-gram")}
		spared := rapid.SliceOfN(rapid.Int32Range(3, 6), 0, 3).Draw(t, "spared")
		marks := make([]bool, rapid.IntRange(7, 200).Draw(t, "vocabulary"))
		got := r.bans([]int32{9, 9}, tokens, spared, marks)
		if len(got) > r.Most(len(tokens)+1) {
			t.Fatalf("%v are banned behind %v, at most %d can be", got, tokens, r.Most(len(tokens)+1))
		}
		for id := int32(3); id <= 6; id++ {
			want := r.NGram > 0 && endsTwice(r.NGram, append(slices.Clone(tokens), id)) && !slices.Contains(spared, id)
			if slices.Contains(got, id) != want {
				t.Fatalf("behind %v, %d is banned: %v, want %v", tokens, id, !want, want)
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("%v are not each once and ascending", got)
		}
		if slices.Contains(marks, true) {
			t.Fatal("a mark is left for the next use")
		}
	})
}

// slowRow is the logits behind some tokens, and their tokens, of an engine without repeats:
// the first step, and one for each token.
func slowRow(e *Engine, p *tensor.Set, src, tokens []int32) (row []float32, ids []int32) {
	if _, err := e.translate(p, [][]int32{src}, func(int) int { return len(tokens) + 1 }, 1, func(wave) error {
		d := &e.decoder
		for t := range len(tokens) + 1 {
			if t > 0 {
				d.ids[0] = tokens[t-1]
			}
			row = slices.Clone(kernel.Local(d.step(t)).F)
		}
		ids = slices.Clone(d.candidates(0))
		return nil
	}); err != nil {
		panic(err)
	}
	if ids == nil {
		for id := range row {
			ids = append(ids, int32(id))
		}
	}
	return row, ids
}

// slowRepeats is a search that steps anew through each prefix, and sorts all candidates. Width
// 0 is greedy. It begins behind the tokens first, and returns what ended, the best first, and the
// number of live hypotheses in each step.
func slowRepeats(e *Engine, p *tensor.Set, src, first []int32, r Repeats, width, limit int, penalty float32) (ranking []Scored, lives []int) {
	marks := e.config.Tokens()
	live := []prefix{{tokens: first}}
	divisor := func(length int) float32 { return kernel.Exp(float32(penalty * kernel.Log(float32(length)))) }
	for length := len(first) + 1; length <= limit && len(live) > 0 && len(ranking) < max(width, 1); length++ {
		var all []candidate
		lives = append(lives, len(live))
		for rank, h := range live {
			row, ids := slowRow(e, p, src, h.tokens)
			may := r.repeat(row, ids, h.tokens, nil)
			lse := logSum(e.dev, row)
			for i, id := range ids {
				if score := h.score + (row[i] - lse); width == 0 {
					all = append(all, candidate{row[i], id, rank}) // no sum, which may round to equals
				} else if may[i] && !marks.hidden(id) {
					all = append(all, candidate{score, id, rank})
				}
			}
		}
		slices.SortFunc(all, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		var next []prefix
		for i, c := range all[:min(len(all), max(1, 2*width))] {
			tokens := append(slices.Clone(live[c.rank].tokens), c.token)
			switch {
			case c.token != marks.EOS && len(next) < max(width, 1):
				next = append(next, prefix{tokens: tokens, score: c.score})
			case c.token == marks.EOS && i < max(width, 1):
				ranking = append(ranking, Scored{tokens[:length-1], c.score / divisor(length)})
			}
		}
		live = next
	}
	if len(ranking) == 0 {
		for _, h := range live {
			ranking = append(ranking, Scored{h.tokens, h.score / divisor(limit)})
		}
	}
	sort.SliceStable(ranking, func(i, j int) bool { return ranking[i].Score > ranking[j].Score })
	return ranking, lives
}

// sameRanking compares translations and the bits of their scores.
func sameRanking(a, b []Scored) bool {
	return slices.EqualFunc(a, b, func(x, y Scored) bool {
		return equal(x.Tokens, y.Tokens) && math.Float32bits(x.Score) == math.Float32bits(y.Score)
	})
}

// costOf is the cost of a search with the given number of live hypotheses in each step.
func costOf(m *Meter, source int, lives []int, width int) uint64 {
	width = min(width, 1) // of a step with one hypothesis
	cost := m.Translation(source+1, 1, width) - m.Step(source+1, 1, width)
	for i, n := range lives {
		cost += uint64(n) * m.Step(source+1, i+1, width)
	}
	return cost
}

// logSum is the logarithm of the sum of exponentials of a row.
func logSum(dev kernel.Device, x []float32) float32 {
	row, m, s := floats(x, 1, len(x)), kernel.New(kernel.F32, 1), kernel.New(kernel.F32, 1)
	dev.Do(&kernel.Call{Op: kernel.RowMax, In: []kernel.Tensor{row}, Out: []kernel.Tensor{m}})
	dev.Do(&kernel.Call{Op: kernel.RowSumExp, In: []kernel.Tensor{row, m}, Out: []kernel.Tensor{s}})
	return m.F[0] + kernel.Log(s.F[0])
}

// steep makes parameters of which each token decides about the next ones.
func steep(p *tensor.Set, by float32) *tensor.Set {
	for i := range p.Len() {
		if x := p.At(i); len(x.Shape) == 2 {
			for j := range x.F {
				x.F[j] *= by
			}
		}
	}
	return p
}

// TestRepeatsEqualSlow: whatever the model, the layout of its parameters, the shortlist, the
// beam and the settings, greedy search and beam search on every device give what the slow
// search gives, alone and together. No n-gram stands twice.
func TestRepeatsEqualSlow(t *testing.T) {
	all := devices(t)
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		if rapid.Bool().Draw(t, "recurrent") {
			c.Recurrent, c.Start = true, 0
		}
		r := drawRepeats(t)
		p := steep(Init(c, rapid.Uint64().Draw(t, "seed")), 3)
		if l := rapid.SampledFrom([]layout{trained, transposed, coded}).Draw(t, "layout"); l != trained {
			var err error
			if p, err = Prepare(c, p, l == coded); err != nil {
				t.Fatal(err)
			}
		}
		sources := drawSentences(t, c, 3, 4)
		width := rapid.IntRange(0, 4).Draw(t, "width")
		most := rapid.IntRange(1, 8).Draw(t, "limit")
		limit := func(int) int { return most }
		var list *Shortlist
		if c.Vocab > 4 && c.SourceVocab == 0 && rapid.Bool().Draw(t, "shortlist") {
			list = some(c.Vocab)
		}
		var want, plain [][]int32
		var price uint64
		var rankings [][]Scored
		for i, dev := range all {
			e := NewEngine(dev, c)
			e.Shortlist, e.Repeats = list, r
			search := func(sources [][]int32) ([][]int32, uint64) {
				out, cost, err := e.Greedy(p, sources, limit)
				if width > 0 {
					out, cost, err = e.Beam(p, sources, limit, width, 0.75)
				}
				if err != nil {
					t.Fatal(err)
				}
				return out, cost
			}
			got, cost := search(sources)
			if i == 0 {
				slow := NewEngine(dev, c)
				slow.Shortlist = list
				m := NewMeter(c)
				for _, s := range sources {
					ranking, lives := slowRepeats(slow, p, s, nil, r, width, most, 0.75)
					rankings, want = append(rankings, ranking), append(want, ranking[0].Tokens)
					price += costOf(m, len(s), lives, width)
				}
				e.Repeats = Repeats{}
				plain, _ = search(sources)
				e.Repeats = r
			}
			if !slices.EqualFunc(got, want, equal) {
				t.Fatalf("%s: %v, the slow search %v", dev.Name(), got, want)
			}
			if list == nil && layoutOf(p) == trained && cost != price { // as units are computed
				t.Fatalf("%s: a cost of %d, want %d", dev.Name(), cost, price)
			}
			if width > 0 {
				if got, err := e.Ranked(p, sources, nil, limit, width, 0.75); err != nil || !slices.EqualFunc(got, rankings, sameRanking) {
					t.Fatalf("%s: ranked %v (%v), want %v", dev.Name(), got, err, rankings)
				}
			}
			for j := range sources {
				if one, _ := search(sources[j : j+1]); !equal(one[0], want[j]) {
					t.Fatalf("%s: sentence %d alone is %v, with others %v", dev.Name(), j, one[0], want[j])
				}
			}
		}
		for _, tokens := range want {
			if r.NGram > 0 && twice(r.NGram, tokens) {
				t.Fatalf("%v has an n-gram of %d twice", tokens, r.NGram)
			}
		}
		if !slices.EqualFunc(want, plain, equal) {
			changed++
		}
	})
	if changed < 10 {
		t.Errorf("the settings changed the translations of %d models only", changed)
	}
}

// TestRepeatsWithTerms: terms stand whatever may not repeat, on every device the same, alone
// and together, at a cost within the bounds. Where no term needs a repetition, none is there.
func TestRepeatsWithTerms(t *testing.T) {
	all := devices(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		p := steep(Init(c, rapid.Uint64().Draw(t, "seed")), 2)
		sources := drawSentences(t, c, 3, 5)
		e := drawEdges(t, c.Vocab)
		terms := make([][]Term, len(sources))
		for i := range terms {
			terms[i] = drawTerms(t, c.Vocab, e)
		}
		beam, r := rapid.IntRange(1, 5).Draw(t, "beam"), drawRepeats(t)
		limit := func(n int) int { return n/2 + 5 }
		var want [][]int32
		var cost uint64
		for _, dev := range all {
			engine := NewEngine(dev, c)
			engine.Repeats = r
			if c.Vocab > 4 && c.SourceVocab == 0 {
				engine.Shortlist = some(c.Vocab)
			}
			got, paid, err := engine.Constrained(p, sources, terms, e, limit, beam, 0.75)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want, cost = got, paid
				checkConstrained(t, NewMeter(c), sources, terms, e, limit, beam, got, paid)
				alone(t, engine, p, sources, terms, e, limit, beam, got)
			}
			if paid != cost || !slices.EqualFunc(got, want, equal) {
				t.Fatalf("%s: %v for %d, want %v for %d", dev.Name(), got, paid, want, cost)
			}
		}
		for i, tokens := range want {
			if len(terms[i]) == 0 && r.NGram > 0 && twice(r.NGram, tokens) {
				t.Fatalf("%v has an n-gram of %d twice", tokens, r.NGram)
			}
		}
	})
}

// TestRepeatsWithTermsBest: a beam with room for every prefix finds the best of all
// translations with the terms that no ban forbids.
func TestRepeatsWithTermsBest(t *testing.T) {
	c := Config{Vocab: 7, Dim: 8, FFN: 12, Heads: 2, Encoder: 1, Decoder: 1}
	edges := Edges{Joins: []bool{6: true}, Opens: []bool{4: true, 6: false}}
	spell := func(tokens ...int32) Term { return Term{Spellings: []Spelling{{Tokens: tokens}}} }
	for seed := range uint64(4) {
		p := steep(Init(c, seed), 3)
		for name, terms := range map[string][]Term{ // order-free: independent cases
			"none":                  nil,
			"one":                   {{Spellings: []Spelling{{Tokens: []int32{5}}}, Closed: true}},
			"two that share tokens": {spell(3, 4), spell(4, 3)},
		} {
			for _, r := range []Repeats{{NGram: 1}, {NGram: 2}, {Penalty: 2}, {NGram: 1, Penalty: 1.25}} {
				e := NewEngine(open(t, ""), c)
				src := []int32{3, int32(3 + seed%4), 5}
				want := bestRepeats(e, p, src, terms, edges, 5, r)
				e.Repeats = r
				limit := 5 - TermTokens(terms)
				got, _, err := e.Constrained(p, [][]int32{src}, [][]Term{terms}, edges, func(int) int { return limit }, 700, 0.75)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(got[0], want) {
					t.Errorf("seed %d, terms %s, %+v: %v, the best of all is %v", seed, name, r, got[0], want)
				}
			}
		}
	}
}

// bestRepeats scores every translation without a banned token that ends within limit steps.
func bestRepeats(e *Engine, p *tensor.Set, src []int32, terms []Term, edges Edges, limit int, r Repeats) (best []int32) {
	top := float32(math.Inf(-1))
	var walk func(tokens []int32, score float32)
	walk = func(tokens []int32, score float32) {
		row, ids := slowRow(e, p, src, tokens)
		need := slowNeed(terms, edges, tokens)
		may := r.repeat(row, ids, tokens, func(id int32) bool {
			return slowNeed(terms, edges, append(slices.Clone(tokens), id)) < need
		})
		lse := logSum(e.dev, row)
		length := len(tokens) + 1
		if need == 0 {
			s := (score + (row[EOS] - lse)) / kernel.Exp(float32(0.75*kernel.Log(float32(length))))
			if s > top {
				top, best = s, slices.Clone(tokens)
			}
		}
		if length == limit {
			return
		}
		for id := EOS + 1; id < e.config.Vocab; id++ {
			if may[id] {
				walk(append(slices.Clone(tokens), int32(id)), score+(row[id]-lse))
			}
		}
	}
	walk(nil, 0)
	return best
}

// TestRepeatsEnd: a search in which every token but EOS is banned ends with it. The cost is
// that of the hypotheses there were, also where a beam is not full.
func TestRepeatsEnd(t *testing.T) {
	c := Config{Vocab: 5, Dim: 8, FFN: 12, Heads: 2, Encoder: 1, Decoder: 1} // two tokens beside the marks
	c.OutputBias = true
	m, thin := NewMeter(c), 0
	for seed := range uint64(10) {
		p := steep(Init(c, seed), 2)
		bias, _ := p.Get("output.bias")
		bias.F[EOS] = -20 // so that beams go on
		e, slow := NewEngine(open(t, ""), c), NewEngine(open(t, ""), c)
		e.Repeats.NGram = 1 + int(seed%2)
		for width := range 6 {
			for _, src := range [][]int32{{3}, {4, 4}, {3, 4, 3}} {
				limit := TwicePlusTen(len(src))
				out, cost, err := e.Greedy(p, [][]int32{src}, TwicePlusTen)
				if width > 0 {
					out, cost, err = e.Beam(p, [][]int32{src}, TwicePlusTen, width, 1)
				}
				if err != nil {
					t.Fatal(err)
				}
				ranking, lives := slowRepeats(slow, p, src, nil, e.Repeats, width, limit, 1)
				want := ranking[0].Tokens
				if !equal(out[0], want) || len(want) > 5 || twice(e.Repeats.NGram, want) {
					t.Errorf("seed %d, width %d: %v becomes %v, want %v", seed, width, src, out[0], want)
				}
				if price := costOf(m, len(src), lives, width); cost != price {
					t.Errorf("seed %d, width %d: %v costs %d, want %d", seed, width, src, cost, price)
				}
				for _, n := range lives[1:] {
					if least := m.Width(width, e.Repeats.Most(limit)); n < least {
						t.Errorf("seed %d, width %d: %v has %d hypotheses at a step, want at least %d", seed, width, src, n, least)
					}
					if n < m.Width(width, 0) {
						thin++
					}
				}
			}
		}
	}
	if thin == 0 {
		t.Error("no beam had too few hypotheses: the bound was not tried")
	}
}

// TestRepeatsRefused: settings that are none.
func TestRepeatsRefused(t *testing.T) {
	e := NewEngine(open(t, ""), toy)
	for _, r := range []Repeats{{NGram: -1}, {Penalty: -1}, {Penalty: 0.5}, {Penalty: float32(math.Inf(1))}, {Penalty: float32(math.NaN())}} {
		e.Repeats = r
		if _, _, err := e.Greedy(sharp(), [][]int32{{3}}, TwicePlusTen); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}
