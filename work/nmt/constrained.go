package nmt

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Constrained translates sources so that each translation contains its terms, by beam search
// with banks (Post and Vilar, 2018, "Fast Lexically Constrained Decoding with Dynamic Beam
// Allocation for Neural Machine Translation", arXiv 1804.06609). terms has those of each source.
//
// A prefix of a translation belongs to the bank of the tokens that its terms still need. Each
// step looks at every live prefix: at its 2*beam most likely tokens, and at all tokens that
// go on with a term or begin one. A token is allowed if the terms still fit into the limit
// behind it, and EOS if all terms stand. Then the banks take turns, the one that needs fewest
// tokens first. Each takes its best candidate, until there are [TermWidth] of them. So a
// prefix with the terms does not lose its place to likelier ones without.
//
// The limit of a sentence is [TermLimit]. Scores, penalty and the choice among equals are
// those of [Engine.Beam]. A sentence is done when beam prefixes have ended, or at its limit.
// A beam of 1 is allowed. A translation depends on its own source and terms only.
//
// The cost counts TermWidth hypotheses in each step but the first, as [Meter.Translation]
// does, also in the steps that have fewer. Then it is a function of the steps.
func (e *Engine) Constrained(
	p *tensor.Set, sources [][]int32, terms [][]Term, edges Edges, limit func(source int) int, beam int, penalty float32,
) ([][]int32, uint64, error) {
	outputs := make([][]int32, len(sources))
	cost, err := e.constrain(p, sources, nil, terms, edges, limit, beam, penalty, func(i int, m *constrainedBeam) { outputs[i] = m.translation() })
	return outputs, cost, err
}

// constrain searches for the translations of sources, calls found with the finished search for
// each of them, by its index, and returns the cost. The translation of each begins with its
// first tokens; nil is none.
func (e *Engine) constrain(
	p *tensor.Set, sources, first [][]int32, terms [][]Term, edges Edges, limit func(source int) int, beam int, penalty float32,
	found func(i int, m *constrainedBeam),
) (uint64, error) {
	if beam < 1 || len(terms) != len(sources) {
		return 0, fmt.Errorf("nmt: a beam of %d, terms for %d of %d sentences", beam, len(terms), len(sources))
	}
	room, err := e.rooms(sources, first, terms, limit, beam)
	if err != nil {
		return 0, err
	}
	for i := range sources {
		if err := checkTerms(terms[i], room[i].limit, e.config, edges); err != nil {
			return 0, fmt.Errorf("sentence %d: %w", i, err)
		}
	}
	if e.meter == nil {
		e.meter = NewMeter(e.config)
	}
	var cost uint64
	_, err = e.translateEach(p, sources, room, func(w wave) error {
		c := &constrainedSearch{beamSearch: beamSearch{decoder: &e.decoder, width: beam, penalty: penalty, all: true}}
		for s, i := range w.sentences {
			m := constrainedBeam{beam: newBeam(s, w, c.live[s], c.config.lead()), demand: newDemand(terms[i], edges)}
			m.live[0].need = TermTokens(terms[i])
			c.beams = append(c.beams, m)
		}
		if err := c.search(); err != nil {
			return err
		}
		for s, i := range w.sentences {
			m := &c.beams[s]
			found(i, m)
			cost += e.meter.Translation(len(sources[i])+1, m.steps, w.room[s].width)
		}
		return nil
	})
	return cost, err
}

// rooms is the room of each sentence. The tokens of its terms, and those that its translation
// begins with, make its limit higher, and are candidates of any shortlist. first and terms may
// be nil.
func (e *Engine) rooms(sources, first [][]int32, terms [][]Term, limit func(source int) int, beam int) ([]room, error) {
	if first != nil && len(first) != len(sources) {
		return nil, fmt.Errorf("nmt: beginnings for %d of %d sentences", len(first), len(sources))
	}
	all := make([]room, len(sources))
	for i, s := range sources {
		r := room{limit: limit(len(s)), width: beam}
		n := 0
		if terms != nil {
			n = TermTokens(terms[i])
			r.width = TermWidth(beam, n)
			for _, t := range terms[i] {
				for _, s := range t.Spellings {
					r.extra = append(r.extra, s.Tokens...)
				}
			}
		}
		if first != nil {
			r.first, r.extra = first[i], append(r.extra, first[i]...)
		}
		if r.limit = TermLimit(r.limit, n+len(r.first)); len(r.first) > 0 && n+len(r.first) > r.limit {
			return nil, fmt.Errorf("sentence %d: nmt: a beginning of %d tokens, and terms of %d, for a translation of at most %d", i, len(r.first), n, r.limit)
		}
		if i := slices.IndexFunc(r.first, func(id int32) bool { return id < 0 || int(id) >= e.config.Vocab || e.config.Tokens().is(id) }); i >= 0 {
			return nil, fmt.Errorf("nmt: a translation cannot begin with the token %d", r.first[i])
		}
		all[i] = r
	}
	return all, nil
}

// constrainedSearch is the search for all sentences of one wave.
type constrainedSearch struct {
	beamSearch
	beams []constrainedBeam // by sentence
}

// constrainedBeam is the search for one sentence.
type constrainedBeam struct {
	beam
	*demand
	steps int
}

// extension is a candidate, and where it leaves the terms.
type extension struct {
	candidate
	progress
}

// search takes steps until every beam is done.
func (c *constrainedSearch) search() error {
	for t := 0; len(c.decoder.live) > 0; t++ {
		c.spare()
		lse, err := c.predict(t)
		if err != nil {
			return err
		}
		c.logits = kernel.Fetch(&c.buf, c.logits) // terms may need any of them
		penalty := c.divisor(t + 1)
		row := 0
		for s := range c.beams {
			if m := &c.beams[s]; len(m.live) > 0 {
				n := len(m.live)
				found := m.choose(m.extensions(c, row, lse[row:row+n], t+1), len(m.slots))
				row += n
				m.steps++
				c.follow(m, found, t+1, penalty)
			}
		}
		c.decoder.live, c.ids, c.written = c.decoder.live[:0], c.ids[:0], c.written[:0]
		for s := range c.beams {
			c.enlist(c.beams[s].live)
		}
	}
	return nil
}

// spare finds, for each live hypothesis, the tokens that no repetition bans: those by which
// its terms need fewer tokens.
func (c *constrainedSearch) spare() {
	if c.repeats.NGram == 0 {
		return
	}
	c.spared = c.spared[:0]
	for s := range c.beams {
		m := &c.beams[s]
		for _, h := range m.live {
			var ids []int32
			if h.need > 0 {
				tokens := append(slices.Clone(h.tokens), 0)
				ids = slices.DeleteFunc(m.next(nil, h.met, h.tokens), func(id int32) bool {
					tokens[len(tokens)-1] = id
					return m.need(m.follow(h.met, tokens), tokens) >= h.need
				})
			}
			c.spared = append(c.spared, ids)
		}
	}
}

// extensions returns the allowed candidates of m, whose tokens become length tokens. The live
// prefixes of m are the rows of logits from row on.
func (m *constrainedBeam) extensions(c *constrainedSearch, row int, lse []float32, length int) (all []extension) {
	rows := c.nextLogits(&m.beam, row)
	var tokens, ids []int32
	for rank, h := range m.live {
		// The likeliest tokens, those of terms, and EOS.
		one := beam{live: m.live[rank : rank+1]}
		ids = m.next(ids[:0], h.met, h.tokens)
		if h.need == 0 {
			ids = append(ids, c.marks.EOS)
		}
		found := one.best(c.dev, rows[rank:rank+1], lse[rank:rank+1], 2*c.width, c.marks)
		for _, id := range ids {
			if !rows[rank].forbids(id) && !slices.ContainsFunc(found, func(f candidate) bool { return f.token == id }) {
				// It is in the shortlist: EOS and the tokens of terms always are.
				found = append(found, candidate{score: h.score + (rows[rank].of(id) - lse[rank]), token: id})
			}
		}
		tokens = append(append(tokens[:0], h.tokens...), 0)
		var known [2]*progress
		for _, f := range found {
			f.rank = rank
			x := extension{candidate: f}
			if f.token == c.marks.EOS {
				if h.need == 0 {
					all = append(all, x)
				}
				continue
			}
			tokens[len(tokens)-1] = f.token
			if x.progress = m.after(h.met, tokens, &known); length+x.need <= m.limit {
				all = append(all, x)
			}
		}
	}
	return all
}

// choose returns at most width of the candidates, the best first: the banks take turns.
func (m *constrainedBeam) choose(all []extension, width int) (chosen []extension) {
	better := func(a, b extension) int {
		if a.before(b.candidate) {
			return -1
		}
		return 1 // no two are equal
	}
	// Bank after bank, each in sequence; the turn of a candidate is its place in its bank.
	slices.SortFunc(all, func(a, b extension) int { return cmp.Or(cmp.Compare(a.need, b.need), better(a, b)) })
	turns := make([]int, len(all))
	for i := range all {
		if i > 0 && all[i].need == all[i-1].need {
			turns[i] = turns[i-1] + 1
		}
	}
	for turn := 0; len(chosen) < min(width, len(all)); turn++ {
		for i := range all {
			if turns[i] == turn && len(chosen) < width {
				chosen = append(chosen, all[i])
			}
		}
	}
	slices.SortFunc(chosen, better)
	return chosen
}

// follow replaces m's live prefixes by the chosen candidates, which have length tokens.
func (c *constrainedSearch) follow(m *constrainedBeam, chosen []extension, length int, penalty float32) {
	var next []prefix
	var parents []int // of next: their ranks in m.live
	for _, x := range chosen {
		h := m.live[x.rank]
		if x.token == c.marks.EOS {
			h.score = x.score / penalty
			m.ended = append(m.ended, h)
			continue
		}
		tokens := append(slices.Clone(h.tokens), x.token)
		next = append(next, prefix{hypothesis: h.hypothesis, tokens: tokens, score: x.score, progress: x.progress})
		parents = append(parents, x.rank)
	}
	if len(m.ended) >= c.width {
		next = nil
	}
	if length >= m.limit {
		if len(m.ended) == 0 {
			m.ended = cut(next, penalty) // behind them the terms need no token
		}
		next = nil
	}
	c.assign(&m.beam, next, parents, length)
	m.live = next
}
