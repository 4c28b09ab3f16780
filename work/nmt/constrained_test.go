package nmt

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
	"pgregory.net/rapid"
)

// drawTerms draws some terms in tokens of a vocabulary, and its edges.
func drawTerms(t *rapid.T, vocab int, e Edges) []Term {
	token := rapid.Int32Range(EOS+1, int32(vocab)-1)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Term {
		term := Term{Closed: rapid.Bool().Draw(t, "closed")}
		for i := range rapid.IntRange(1, 2).Draw(t, "spellings") {
			s := Spelling{Tokens: rapid.SliceOfN(token, 1, 3).Draw(t, "tokens")}
			s.Inner = i > 0 && rapid.Bool().Draw(t, "inner")
			term.Spellings = append(term.Spellings, s)
		}
		return term
	}), 0, 3).Draw(t, "terms")
}

func drawEdges(t *rapid.T, vocab int) Edges {
	bools := rapid.SliceOfN(rapid.Bool(), vocab, vocab)
	return Edges{Joins: bools.Draw(t, "joins"), Opens: bools.Draw(t, "opens")}
}

// stands says, as the words of Term's comments do, whether a term stands in a whole translation.
func stands(term Term, terms []Term, e Edges, tokens []int32) bool {
	for _, s := range term.Spellings {
		for from := range tokens {
			to := from + len(s.Tokens)
			if to > len(tokens) || !slices.Equal(tokens[from:to], s.Tokens) {
				continue
			}
			if s.Inner && from > 0 && !e.Opens[tokens[from-1]] {
				continue
			}
			if !term.Closed || to == len(tokens) || !continues(terms, e, tokens[to]) {
				return true
			}
		}
	}
	return false
}

// continues reports whether a token continues a word and begins no term.
func continues(terms []Term, e Edges, token int32) bool {
	begins := slices.ContainsFunc(terms, func(t Term) bool { return t.Spellings[0].Tokens[0] == token })
	return e.Joins[token] && !begins
}

// slowNeed is [demand.need] by its definition, from all tokens of a prefix.
func slowNeed(terms []Term, e Edges, tokens []int32) int {
	absent, open, gain := 0, 0, 0
	for _, t := range terms {
		n := len(t.Spellings[0].Tokens)
		if !stands(t, terms, e, tokens) {
			absent += n
		}
		// It stands for good if it does so whatever follows: also before a token that continues
		// a word.
		if forGood(t, terms, e, tokens) {
			continue
		}
		open += n
		for _, s := range t.Spellings {
			for k := 1; k <= min(len(s.Tokens), len(tokens)); k++ {
				from := len(tokens) - k
				if slices.Equal(tokens[from:], s.Tokens[:k]) && (!s.Inner || from == 0 || e.Opens[tokens[from-1]]) {
					gain = max(gain, n-len(s.Tokens)+k)
				}
			}
		}
	}
	return min(absent, open-gain)
}

// forGood reports whether a term stands in tokens without its end being that of the tokens,
// where a word could go on.
func forGood(t Term, terms []Term, e Edges, tokens []int32) bool {
	if !t.Closed {
		return stands(t, terms, e, tokens)
	}
	for to := range tokens {
		if !continues(terms, e, tokens[to]) && stands(t, terms, e, tokens[:to]) {
			return true
		}
	}
	return false
}

// TestNeed walks through prefixes at random. What demand says of them, token by token, is what
// their tokens say. Some token always leads on, and at 0 all terms stand.
func TestNeed(t *testing.T) {
	const vocab = 9
	rapid.Check(t, func(t *rapid.T) {
		e := drawEdges(t, vocab)
		terms := drawTerms(t, vocab, e)
		d := newDemand(terms, e)
		var tokens []int32
		met := uint32(0)
		for range rapid.IntRange(0, 12).Draw(t, "length") {
			need := d.need(met, tokens)
			if want := slowNeed(terms, e, tokens); need != want {
				t.Fatalf("%v needs %d, want %d", tokens, need, want)
			}
			all := !slices.ContainsFunc(terms, func(x Term) bool { return !stands(x, terms, e, tokens) })
			if (need == 0) != all {
				t.Fatalf("%v needs %d tokens, and all terms stand is %v", tokens, need, all)
			}
			next := d.next(nil, met, tokens)
			leads := func(id int32) bool {
				longer := append(slices.Clone(tokens), id)
				return d.need(d.follow(met, longer), longer) < need
			}
			if need > 0 && !slices.ContainsFunc(next, leads) {
				t.Fatalf("after %v no token of %v leads on to %+v", tokens, next, terms)
			}
			id := rapid.Int32Range(EOS+1, vocab-1).Draw(t, "token")
			if len(next) > 0 && rapid.Bool().Draw(t, "forward") {
				id = rapid.SampledFrom(next).Draw(t, "next")
			}
			tokens = append(tokens, id)
			met = d.follow(met, tokens)
		}
	})
}

// TestConstrained: whatever the model, the sentences, their terms, the beam and the shortlist,
// every term stands in its translation within the limit. The translation and the cost are
// the same alone, together and in another sequence, on every device.
func TestConstrained(t *testing.T) {
	all := devices(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		p := Init(c, rapid.Uint64().Draw(t, "seed"))
		sources := drawSentences(t, c, 4, 5)
		e := drawEdges(t, c.Vocab)
		terms := make([][]Term, len(sources))
		for i := range terms {
			terms[i] = drawTerms(t, c.Vocab, e)
		}
		beam := rapid.IntRange(1, 8).Draw(t, "beam")
		limit := func(n int) int { return n/2 + 2 }
		var list *Shortlist
		if c.Vocab > 4 && c.SourceVocab == 0 && rapid.Bool().Draw(t, "shortlist") {
			list = some(c.Vocab)
		}
		var want [][]int32
		var cost uint64
		for _, dev := range all {
			engine := NewEngine(dev, c)
			engine.Shortlist = list
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
	})
}

// checkConstrained holds outputs to their terms, their limits, and the bounds of the cost.
func checkConstrained(
	t *rapid.T, m *Meter, sources [][]int32, terms [][]Term, e Edges, limit func(int) int, beam int, out [][]int32, cost uint64,
) {
	var least, most uint64
	for i, tokens := range out {
		n := TermTokens(terms[i])
		most1 := TermLimit(limit(len(sources[i])), n)
		if len(tokens) > most1 {
			t.Fatalf("%d tokens, the limit is %d", len(tokens), most1)
		}
		for _, term := range terms[i] {
			if !stands(term, terms[i], e, tokens) {
				t.Fatalf("%v is without %+v", tokens, term)
			}
		}
		from, to := Steps(len(tokens), most1, TermWidth(beam, n))
		least += m.Translation(len(sources[i])+1, from, TermWidth(beam, n))
		most += m.Translation(len(sources[i])+1, to, TermWidth(beam, n))
	}
	if cost < least || cost > most {
		t.Fatalf("cost %d, want %d to %d", cost, least, most)
	}
}

// alone translates each sentence by itself, the last one first.
func alone(
	t *rapid.T, e *Engine, p *tensor.Set, sources [][]int32, terms [][]Term, edges Edges, limit func(int) int, beam int, want [][]int32,
) {
	for i := len(sources) - 1; i >= 0; i-- {
		got, _, err := e.Constrained(p, sources[i:i+1], terms[i:i+1], edges, limit, beam, 0.75)
		if err != nil || !equal(got[0], want[i]) {
			t.Fatalf("sentence %d alone: %v, %v, want %v", i, got, err, want[i])
		}
	}
}

// TestConstrainedBest: a beam with room for every prefix finds the best of all translations
// with the terms.
func TestConstrainedBest(t *testing.T) {
	c := Config{Vocab: 7, Dim: 8, FFN: 12, Heads: 2, Encoder: 1, Decoder: 1}
	e := NewEngine(open(t, ""), c)
	edges := Edges{Joins: []bool{6: true}, Opens: []bool{4: true, 6: false}}
	for seed := range uint64(12) {
		p := Init(c, seed)
		for i := range p.Len() {
			if x := p.At(i); len(x.Shape) == 2 {
				for j := range x.F {
					x.F[j] *= 3
				}
			}
		}
		for name, terms := range map[string][]Term{ // order-free: independent cases
			"none": nil,
			"one":  {{Spellings: []Spelling{{Tokens: []int32{5}}}, Closed: true}},
			"two": {
				{Spellings: []Spelling{{Tokens: []int32{5}}, {Tokens: []int32{6}, Inner: true}}, Closed: true},
				{Spellings: []Spelling{{Tokens: []int32{3}}}},
			},
		} {
			src := []int32{3, int32(3 + seed%4), 5}
			limit := 4 - TermTokens(terms)
			got, _, err := e.Constrained(p, [][]int32{src}, [][]Term{terms}, edges, func(int) int { return limit }, 400, 0.75)
			if err != nil {
				t.Fatal(err)
			}
			want := bestOfAll(e, p, src, terms, edges, 4)
			if !equal(got[0], want) {
				t.Errorf("seed %d, terms %s: %v, the best of all is %v", seed, name, got[0], want)
			}
		}
	}
}

// bestOfAll scores every translation that ends within limit steps.
func bestOfAll(e *Engine, p *tensor.Set, src []int32, terms []Term, edges Edges, limit int) (best []int32) {
	top := float32(math.Inf(-1))
	var walk func(tokens []int32, score float32)
	walk = func(tokens []int32, score float32) {
		row, lse := logProbs(e, p, src, tokens)
		length := len(tokens) + 1
		if !slices.ContainsFunc(terms, func(t Term) bool { return !stands(t, terms, edges, tokens) }) {
			s := (score + (row[EOS] - lse)) / kernel.Exp(float32(0.75*kernel.Log(float32(length))))
			if s > top {
				top, best = s, slices.Clone(tokens)
			}
		}
		if length == limit {
			return
		}
		for id := EOS + 1; id < e.config.Vocab; id++ {
			walk(append(slices.Clone(tokens), int32(id)), score+(row[id]-lse))
		}
	}
	walk(nil, 0)
	return best
}

// logProbs is the logits after some tokens, and the logarithm of the sum of their exponentials.
func logProbs(e *Engine, p *tensor.Set, src, tokens []int32) ([]float32, float32) {
	row := lastLogits(e, p, src, tokens)
	m, s := kernel.New(kernel.F32, 1), kernel.New(kernel.F32, 1)
	e.dev.Do(&kernel.Call{Op: kernel.RowMax, In: []kernel.Tensor{row}, Out: []kernel.Tensor{m}})
	e.dev.Do(&kernel.Call{Op: kernel.RowSumExp, In: []kernel.Tensor{row, m}, Out: []kernel.Tensor{s}})
	return slices.Clone(row.F), m.F[0] + kernel.Log(s.F[0])
}

// TestConstrainedEqualsSlow compares with a search that keeps no caches and no state, and
// looks at all tokens of all prefixes.
func TestConstrainedEqualsSlow(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	edges := Edges{Joins: make([]bool, toy.Vocab), Opens: make([]bool, toy.Vocab)}
	edges.Joins[9], edges.Joins[10], edges.Opens[8] = true, true, true
	src := sentences(4, toy.Vocab, 40, 5)
	raw := sentences(8, toy.Vocab, 3*len(src), 3)
	terms := make([][]Term, len(src))
	for i, tokens := range raw {
		if len(tokens) > 0 {
			terms[i%len(src)] = append(terms[i%len(src)], Term{Spellings: []Spelling{{Tokens: tokens}}, Closed: i%2 == 0})
		}
	}
	for _, beam := range []int{1, 3} {
		got, _, err := e.Constrained(p, src, terms, edges, func(int) int { return 6 }, beam, 0.75)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range src {
			if want := slowConstrained(e, p, s, terms[i], edges, 6, beam); !equal(got[i], want) {
				t.Errorf("beam %d, sentence %d: %v, the slow search %v", beam, i, got[i], want)
			}
		}
	}
}

func slowConstrained(e *Engine, p *tensor.Set, src []int32, terms []Term, edges Edges, limit, beam int) []int32 {
	width := beam + min(TermTokens(terms), 24)
	limit += TermTokens(terms)
	type state struct {
		tokens []int32
		score  float32
		token  int32
		need   int
	}
	live, ended := []state{{}}, []state(nil)
	for length := 1; len(live) > 0; length++ {
		banks := make([][]state, limit+1)
		for _, h := range live {
			row, lse := logProbs(e, p, src, h.tokens)
			order := make([]int32, 0, len(row))
			for id := range row {
				if id >= EOS {
					order = append(order, int32(id))
				}
			}
			score := func(id int32) float32 { return h.score + (row[id] - lse) }
			slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(score(b), score(a)) })
			for i, id := range order {
				// Only the likeliest, those that lead on with a term, and EOS.
				tokens := append(slices.Clone(h.tokens), id)
				if i >= 2*beam && !leads(terms, edges, h.tokens, id) && id != EOS {
					continue
				}
				if id == EOS {
					if slowNeed(terms, edges, h.tokens) == 0 {
						banks[0] = append(banks[0], state{h.tokens, score(id), id, 0})
					}
				} else if need := slowNeed(terms, edges, tokens); length+need <= limit {
					banks[need] = append(banks[need], state{tokens, score(id), id, need})
				}
			}
		}
		var chosen []state
		for _, b := range banks {
			slices.SortStableFunc(b, func(a, b state) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.token, b.token)) })
		}
		for turn := 0; turn < limit*toy.Vocab*width; turn++ {
			for _, b := range banks {
				if turn < len(b) && len(chosen) < width {
					chosen = append(chosen, b[turn])
				}
			}
		}
		slices.SortStableFunc(chosen, func(a, b state) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.token, b.token)) })
		live = nil
		power := kernel.Exp(float32(0.75 * kernel.Log(float32(length))))
		for _, s := range chosen {
			if s.token == EOS {
				s.score /= power
				ended = append(ended, s)
			} else {
				live = append(live, s)
			}
		}
		switch {
		case length == limit && len(ended) == 0:
			return live[0].tokens
		case length == limit, len(ended) >= beam:
			live = nil
		}
	}
	return slices.MaxFunc(ended, func(a, b state) int { return cmp.Compare(a.score, b.score) }).tokens
}

// leads reports whether a token goes on with a term that does not stand for good, or begins one.
func leads(terms []Term, e Edges, tokens []int32, id int32) bool {
	for _, t := range terms {
		if forGood(t, terms, e, tokens) {
			continue
		}
		s := t.Spellings[0].Tokens
		for k := range s {
			if k <= len(tokens) && s[k] == id && slices.Equal(tokens[len(tokens)-k:], s[:k]) {
				return true
			}
		}
	}
	return false
}

// TestConstrainedGolden holds what a small model makes of sentences with terms: one digest for
// binary32 and one for int8, whatever the device, the threads, the batch and the layout.
func TestConstrainedGolden(t *testing.T) {
	c := Config{Vocab: 70, Dim: 24, FFN: 37, Heads: 3, Encoder: 2, Decoder: 2, Smoothing: 0.1}
	p := Init(c, 5)
	for i := range p.Len() {
		if x := p.At(i); len(x.Shape) == 2 && x.Name != "embedding.weight" {
			for j := range x.F {
				x.F[j] *= 4
			}
		}
	}
	edges := Edges{Joins: make([]bool, c.Vocab), Opens: make([]bool, c.Vocab)}
	for id := range c.Vocab {
		edges.Joins[id], edges.Opens[id] = id%3 == 0, id%3 == 1
	}
	src := sentences(9, c.Vocab, 12, 8)
	terms := make([][]Term, len(src))
	for i, tokens := range sentences(10, c.Vocab, 2*len(src), 4) {
		if len(tokens) > 0 {
			spellings := []Spelling{{Tokens: tokens}, {Tokens: tokens[len(tokens)-1:], Inner: true}}
			terms[i/2] = append(terms[i/2], Term{Spellings: spellings[:1+i%2], Closed: i%3 > 0})
		}
	}
	for l, want := range map[layout]string{ // order-free: independent cases
		trained:    "2da1778084c9524e",
		transposed: "2da1778084c9524e",
		coded:      "990cf1ed5e481fe1",
	} {
		p := prepared(t, c, p, l)
		for _, name := range kernel.Names() {
			for _, threads := range []int{1, 2} {
				dev, err := kernel.Open(name, threads)
				if err != nil {
					t.Fatal(err)
				}
				if got := constrainedDigest(t, NewEngine(dev, c), p, src, terms, edges); got != want {
					t.Errorf("%s, %d threads, layout %d: %s, want %s", name, threads, l, got, want)
				}
			}
		}
	}
}

// constrainedDigest is a digest of translations and costs.
func constrainedDigest(t *testing.T, e *Engine, p *tensor.Set, src [][]int32, terms [][]Term, edges Edges) string {
	t.Helper()
	h := uint64(14695981039346656037)
	for _, beam := range []int{1, 4} {
		out, cost, err := e.Constrained(p, src, terms, edges, TwicePlusTen, beam, 0.75)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []byte(fmt.Sprint(out, cost)) {
			h = (h ^ uint64(b)) * 1099511628211
		}
	}
	return fmt.Sprintf("%016x", h)
}

// TestConstrainedRefuses: terms that no search takes are named.
func TestConstrainedRefuses(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	edges := Edges{Joins: make([]bool, toy.Vocab), Opens: make([]bool, toy.Vocab)}
	term := func(tokens ...int32) []Term { return []Term{{Spellings: []Spelling{{Tokens: tokens}}}} }
	for want, terms := range map[string][]Term{
		"token 11":         term(11),
		"token 2":          term(3, EOS),
		"token -1":         term(-1),
		"0 tokens":         term(),
		"33 terms":         slices.Repeat(term(3), 33),
		"terms of 2000 to": term(slices.Repeat([]int32{3}, 2000)...),
	} {
		if _, _, err := e.Constrained(p, [][]int32{{3}}, [][]Term{terms}, edges, TwicePlusTen, 1, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	for name, c := range map[string]struct {
		beam  int
		terms [][]Term
		edges Edges
	}{
		"no beam":    {0, [][]Term{term(3)}, edges},
		"no terms":   {1, nil, edges},
		"no edges":   {1, [][]Term{term(3)}, Edges{}},
		"no opening": {1, [][]Term{term(3)}, Edges{Joins: edges.Joins}},
	} {
		if _, _, err := e.Constrained(p, [][]int32{{3}}, c.terms, c.edges, TwicePlusTen, c.beam, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
