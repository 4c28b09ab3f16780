package nmt

import (
	"fmt"
	"slices"
)

// Term is what a translation must contain: one of its spellings in tokens.
type Term struct {
	// Spellings are at least one. The first may begin anywhere.
	Spellings []Spelling
	// Closed is set for a term that ends with a letter of a word. The word must end there:
	// no token of [Edges.Joins] follows.
	Closed bool
}

// Spelling is a sequence of tokens, at least one.
type Spelling struct {
	Tokens []int32
	// Inner is set for a spelling that would continue a word. It may begin a translation, or
	// follow a token of [Edges.Opens].
	Inner bool
}

// Edges is the tokens at which words begin and end, by token.
type Edges struct {
	Joins []bool // it continues the word in front of it
	Opens []bool // a word can begin behind it
}

// MaxTerms is the most terms of a sentence.
const MaxTerms = 32

// TermTokens is the number of tokens of the first spellings of terms. The limit of a
// translation with terms is higher by it.
func TermTokens(terms []Term) (n int) {
	for _, t := range terms {
		n += len(t.Spellings[0].Tokens)
	}
	return n
}

// maxBanks is the most hypotheses that terms add to a beam.
const maxBanks = 24

// TermWidth is the most live hypotheses of a search with a beam, for a sentence whose terms
// have the given number of tokens: one more for each token, and no more than 24 more.
func TermWidth(beam, tokens int) int { return beam + min(tokens, maxBanks) }

// TermLimit is the most tokens of a translation whose terms have the given number of
// tokens, where limit are allowed without terms.
func TermLimit(limit, tokens int) int { return min(limit+tokens, MaxLength-1) }

// checkTerms returns an error if terms cannot be those of a sentence whose translation has
// at most limit tokens.
func checkTerms(terms []Term, limit int, c Config, e Edges) error {
	switch n := TermTokens(terms); {
	case len(terms) > MaxTerms:
		return fmt.Errorf("nmt: %d terms, at most %d are allowed", len(terms), MaxTerms)
	case n > limit:
		return fmt.Errorf("nmt: terms of %d tokens for a translation of at most %d", n, limit)
	case len(e.Joins) != c.Vocab || len(e.Opens) != c.Vocab:
		return fmt.Errorf("nmt: the edges of %d and %d tokens, the model has %d", len(e.Joins), len(e.Opens), c.Vocab)
	}
	for _, t := range terms {
		for i, s := range t.Spellings {
			if len(s.Tokens) == 0 || i == 0 && s.Inner {
				return fmt.Errorf("nmt: spelling %d of a term has %d tokens, or is the first and cannot begin anywhere", i, len(s.Tokens))
			}
			for _, id := range s.Tokens {
				if id < 0 || int(id) >= c.Vocab || c.Tokens().is(id) {
					return fmt.Errorf("nmt: a term has the token %d", id)
				}
			}
		}
	}
	return nil
}

// demand is the terms of one sentence. It says how far a prefix of a translation is; this is
// a function of the prefix's tokens.
type demand struct {
	terms  []Term
	edges  Edges
	starts []int32 // the first tokens of first spellings: none of them continues a word
	spelt  []int32 // the tokens of all spellings, ascending
}

func newDemand(terms []Term, e Edges) *demand {
	d := &demand{terms: terms, edges: e}
	for _, t := range terms {
		d.starts = append(d.starts, t.Spellings[0].Tokens[0])
		for _, s := range t.Spellings {
			d.spelt = append(d.spelt, s.Tokens...)
		}
	}
	slices.Sort(d.spelt)
	return d
}

// joins reports whether a token continues the word in front of it. The first token of a
// first spelling never does. So it can always follow a term, and ends it.
func (d *demand) joins(token int32) bool {
	return d.edges.Joins[token] && !slices.Contains(d.starts, token)
}

// fits reports whether tokens end with the first n tokens of s, at a place where s may begin.
func (d *demand) fits(s Spelling, n int, tokens []int32) bool {
	from := len(tokens) - n
	if from < 0 || !slices.Equal(tokens[from:], s.Tokens[:n]) {
		return false
	}
	return !s.Inner || from == 0 || d.edges.Opens[tokens[from-1]]
}

// ends reports whether tokens end with a spelling of t.
func (d *demand) ends(t Term, tokens []int32) bool {
	return slices.ContainsFunc(t.Spellings, func(s Spelling) bool { return d.fits(s, len(s.Tokens), tokens) })
}

// follow returns which terms stand in tokens for good, by bit, where met stood in tokens
// without the last. A closed term stands for good once a token follows that does not
// continue its word.
func (d *demand) follow(met uint32, tokens []int32) uint32 {
	last := len(tokens) - 1
	closes := last > 0 && !d.joins(tokens[last])
	for i, t := range d.terms {
		if bit := uint32(1) << i; met&bit == 0 && (t.Closed && closes && d.ends(t, tokens[:last]) || !t.Closed && d.ends(t, tokens)) {
			met |= bit
		}
	}
	return met
}

// need is a number of tokens behind which all terms can stand, after a prefix in which met
// stand for good. Terms that overlap may need fewer. It is 0 exactly if all terms stand where
// the translation ends here.
//
// Where it is n > 0, one of next's tokens makes it n-1 or less: the next one of the spelling
// that is furthest, or the first one of the first spelling of a term that is not there. So a
// prefix with enough room for need always has an allowed token.
func (d *demand) need(met uint32, tokens []int32) int {
	absent, open, gain := 0, 0, 0 // tokens of terms that are not there, of those not there for good
	for i, t := range d.terms {
		if met&(1<<i) != 0 {
			continue
		}
		n := len(t.Spellings[0].Tokens)
		open += n
		if !d.ends(t, tokens) {
			absent += n
		}
		for _, s := range t.Spellings {
			for k := len(s.Tokens); k > 0; k-- {
				if d.fits(s, k, tokens) {
					gain = max(gain, n-(len(s.Tokens)-k))
					break
				}
			}
		}
	}
	return min(absent, open-gain)
}

// after returns what follow and need say of tokens. Most candidates of a prefix are in no
// term, and leave it in one of two ways, which known keeps: with a token that continues a word, or not.
func (d *demand) after(met uint32, tokens []int32, known *[2]*progress) progress {
	last := tokens[len(tokens)-1]
	_, spelt := slices.BinarySearch(d.spelt, last)
	way := 0
	if d.joins(last) {
		way = 1
	}
	if !spelt && known[way] != nil {
		return *known[way]
	}
	p := progress{met: d.follow(met, tokens)}
	p.need = d.need(p.met, tokens)
	if !spelt {
		known[way] = &p
	}
	return p
}

// progress is how far a prefix is.
type progress struct {
	met  uint32 // the terms that stand for good, by bit
	need int    // tokens that the terms still need
}

// next appends the tokens that go on with a term, or begin one, each once.
func (d *demand) next(ids []int32, met uint32, tokens []int32) []int32 {
	for i, t := range d.terms {
		if met&(1<<i) != 0 {
			continue
		}
		for _, s := range t.Spellings {
			for k := range s.Tokens { // of none of its tokens, its first follows
				if !slices.Contains(ids, s.Tokens[k]) && d.fits(s, k, tokens) {
					ids = append(ids, s.Tokens[k])
				}
			}
		}
	}
	return ids
}
