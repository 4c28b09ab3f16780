package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// What a translation costs.
//
// Greedy search costs, for each sentence by itself, a function of the tokens of
// the source and the tokens written. The sums of both do not suffice: a step
// costs more the later it is. Beam search costs a function of the tokens of the
// source and of the steps that the search took, which may be more than the tokens
// that it wrote: two outputs of one length can cost differently. A segment with terms
// costs what a beam with its width costs, and its output has the terms.
//
// A result has texts, and one text can be several sequences of tokens. So the cost
// of a result has bounds, which [Expectation.Check] finds as tight as the texts and the
// claimed number of tokens allow. [Expectation.Published] is the function of the
// texts alone that a later version of the protocol can pay by.

// texts is the expected form of a Translate unit's result.
type texts struct {
	tokenizer model.Tokenizer
	meter     *nmt.Meter
	salt      []byte         // of the text, and of its translation
	source    []int          // by segment: its tokens; 0 of one that stays empty
	search    []model.Search // by segment; nil where all are greedy without terms
	terms     [][]string     // by segment; nil without terms
}

// of is the search for a segment of source tokens.
func (t *texts) of(segment, source int) model.Search {
	if t.search == nil {
		return model.Search{Most: model.MostTokens(source)}
	}
	return t.search[segment]
}

// vocabulary is a tokenizer as models name it.
type vocabulary struct {
	link    block.Link
	version uint16
	pieces  uint32
}

// translate expects a Translate's result.
func (c *Checker) translate(ctx context.Context, b block.Blocks, u unit.Unit, e *Expectation) error {
	m, err := model.Read(ctx, b, u.Inputs[0])
	if err != nil {
		return err
	}
	t := &texts{meter: c.meter(m.Config())}
	t.tokenizer, err = recall(c, &c.tokenizers, vocabulary{m.Tokenizer, m.Version, m.Vocab}, func() (model.Tokenizer, error) {
		return m.ReadTokenizer(ctx, b)
	})
	if err != nil {
		return err
	}
	var in unit.Text
	if err := block.GetNode(ctx, b, u.Inputs[1], &in); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	if err := in.Validate(); err != nil {
		return fmt.Errorf("text %s: %w", u.Inputs[1], err)
	}
	t.terms, t.salt = in.Terms, in.Salt
	record := 2 + 9 // the heads of the record and of the array, and the version
	if t.salt != nil {
		record += 2 + len(t.salt) // and an empty list of terms
	}
	longest := t.tokenizer.Longest() // a walk of the vocabulary
	for i, s := range in.Segments {
		n := model.SourceTokens(t.tokenizer, s)
		search, err := model.SearchOf(t.tokenizer, n, in.TermsOf(i), u.Decoding)
		if err != nil {
			return fmt.Errorf("text %s, segment %d: %w", u.Inputs[1], i, err)
		}
		t.source, t.search = append(t.source, n), append(t.search, search)
		record++ // the head of an empty text
		if n == 0 {
			continue
		}
		record += 8 + search.Most*longest
		least, _ := t.cost(n, search, t.shortest(in.TermsOf(i)))
		e.Read += uint64(n + 1)
		e.Tokens.Most += uint64(search.Most)
		e.Cost.Least, e.Cost.Most = e.Cost.Least+least, e.Cost.Most+t.most(n, search)
	}
	e.texts = t
	e.Outputs = []Output{{Name: "text", Record: min(record, block.MaxSize)}}
	if e.Read == 0 {
		e.cannot = "no segment holds a token"
	}
	return nil
}

// shortest is the fewest tokens of a translation with terms: at least one that writes one
// of them.
func (t *texts) shortest(terms []string) int { return min(len(terms), 1) }

// cost is the least and the most cost of a translation from source tokens into
// length tokens.
func (t *texts) cost(source int, s model.Search, length int) (least, most uint64) {
	from, to := nmt.Steps(length, s.Most, s.Width)
	return t.meter.Translation(source+1, from, t.least(s)), t.meter.Translation(source+1, to, s.Width)
}

// least is the width by which the least cost of a search counts. A small vocabulary may not
// fill a beam, above all where tokens may not repeat. With terms the whole width is counted.
func (t *texts) least(s model.Search) int {
	if s.Terms > 0 {
		return s.Width
	}
	return t.meter.Width(s.Width, s.Banned)
}

// most is the most that a translation from source tokens costs, whatever is written.
func (t *texts) most(source int, s model.Search) uint64 {
	_, most := t.cost(source, s, s.Most)
	return most
}

// Published is the cost of a Translate unit whose translation is segments. It counts, for
// each segment, the tokens that the tokenizer cuts it into, at most as many
// as are allowed, and a search ends with its output. Everyone who has the input
// and the output can compute it.
func (e *Expectation) Published(segments []string) (cost uint64) {
	t := e.texts
	for i, n := range t.source[:min(len(t.source), len(segments))] {
		if n > 0 {
			s := t.of(i, n)
			steps, _ := nmt.Steps(len(t.tokenizer.Target(segments[i])), s.Most, min(s.Width, 1))
			cost += t.meter.Translation(n+1, steps, s.Width)
		}
	}
	return cost
}

// checkText checks the one output of a Translate unit, and the result's tokens and
// cost by that output.
func (e *Expectation) checkText(ctx context.Context, r unit.Result, b Blocks) error {
	data, err := get(ctx, 0, r.Outputs[0], e.Outputs[0].Record, b)
	if err != nil {
		return err
	}
	var out unit.Text
	if err := block.Decode(data, &out); err != nil {
		return wrong(Malformed, 0, "%w", err)
	}
	t := e.texts
	want := unit.Text{Salt: t.salt}.Translation(nil)
	switch {
	case out.Version != want.Version || out.Terms != nil || len(out.Segments) != len(t.source):
		return wrong(Form, 0, "a text of version %d with %d segments, want version %d with %d", out.Version, len(out.Segments), want.Version, len(t.source))
	case !bytes.Equal(out.Salt, want.Salt):
		return wrong(Form, 0, "a text with another salt than its source")
	}
	written, err := t.written(out.Segments)
	if err != nil {
		return err
	}
	var tokens Range
	for _, s := range written {
		tokens.Least, tokens.Most = tokens.Least+uint64(s.least), tokens.Most+uint64(s.most)
	}
	if !tokens.holds(uint64(r.Tokens)) {
		return wrong(Tokens, -1, "%d tokens for texts of %v", r.Tokens, tokens)
	}
	if cost := t.costs(written, int(r.Tokens)); !cost.holds(r.Cost) {
		return wrong(Cost, -1, "a cost of %d FLOP for texts of %d tokens that cost %v", r.Cost, r.Tokens, cost)
	}
	return nil
}

// written is how few and how many tokens each segment of an output can be, without
// those that stay empty.
func (t *texts) written(segments []string) ([]sentence, error) {
	var all []sentence
	for i, s := range segments {
		n := t.source[i]
		if n == 0 {
			if s != "" {
				return nil, wrong(Text, 0, "segment %d: %d bytes, and the input is empty", i, len(s))
			}
			continue
		}
		search := t.of(i, n)
		least, most, ok := t.tokenizer.Lengths(s, search.Most)
		if !ok {
			return nil, wrong(Text, 0, "segment %d: the model writes no such %d bytes with %d tokens, the most for %d of the input", i, len(s), search.Most, n)
		}
		if t.terms != nil {
			for _, term := range t.terms[i] {
				if !strings.Contains(s, term) {
					return nil, wrong(Text, 0, "segment %d: the term %q is missing", i, term)
				}
			}
		}
		all = append(all, sentence{source: n, least: least, most: most, search: search})
	}
	return all, nil
}

// sentence is a segment. It has source tokens, and its translation has least to
// most tokens.
type sentence struct {
	source, least, most int
	search              model.Search
}

// costs is the range of the cost of sentences whose translations have tokens tokens
// in all.
func (t *texts) costs(all []sentence, tokens int) (r Range) {
	// A search takes a step for each token and one for EOS, which does not follow an
	// output of the limit.
	fewest, most := tokens, tokens
	spans := make([]span, len(all))
	var greedy []span
	for i, s := range all {
		from, _ := nmt.Steps(s.least, s.search.Most, s.search.Width)
		to, _ := nmt.Steps(s.most, s.search.Most, s.search.Width)
		spans[i] = span{s.source + 1, from, to, t.least(s.search)}
		if s.most < s.search.Most {
			fewest++
		}
		// A beam may have gone on to the limit, whatever it wrote. Greedy searches share the
		// tokens that the beams did not write.
		if s.search.Width == 0 {
			greedy = append(greedy, spans[i])
			most++
		} else {
			r.Most += t.most(s.source, s.search)
			most -= s.least
		}
	}
	r.Least = t.cheapest(spans, fewest)
	r.Most += t.dearest(greedy, most)
	return r
}

// span is the fewest and the most steps of the search for the translation of a
// sentence of source tokens, EOS included.
type span struct{ source, from, to, width int }

// cheapest is the least cost of searches that take the given number of steps in
// all, or more where they cannot take so few. In one search each step costs more
// than the step before. So the least cost is that of the cheapest steps of all
// searches, up to a price that bisection finds.
func (t *texts) cheapest(spans []span, steps int) (cost uint64) {
	// until is the last step of a search of which no step costs more than price.
	until := func(s span, price int) int {
		return s.from + sort.Search(s.to-s.from, func(i int) bool {
			return int(t.meter.Step(s.source, s.from+1+i, s.width)) > price
		})
	}
	top := 0
	for _, s := range spans {
		top = max(top, int(t.meter.Step(s.source, s.to, s.width)))
	}
	price := sort.Search(top, func(price int) bool {
		total := 0
		for _, s := range spans {
			total += until(s, price)
		}
		return total >= steps
	})
	for _, s := range spans {
		last := until(s, price-1)
		cost += t.meter.Translation(s.source, last, s.width)
		steps -= last
	}
	return cost + uint64(max(0, steps))*uint64(price)
}

// dearest is the greatest cost of greedy searches that take the given number of steps in
// all, or fewer. It counts the further steps of each search at the mean price of all of
// them, which is no less than that of the first of them, and takes the dearest
// searches first.
func (t *texts) dearest(spans []span, steps int) (cost uint64) {
	double := func(s span) uint64 { // twice the mean price
		return t.meter.Step(s.source, s.from+1, 0) + t.meter.Step(s.source, s.to, 0)
	}
	for _, s := range spans {
		cost += t.meter.Translation(s.source, s.from, 0)
		steps -= s.from
	}
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(double(b), double(a)) })
	for _, s := range spans {
		n := max(0, min(s.to-s.from, steps))
		cost += (uint64(n)*double(s) + 1) / 2
		steps -= n
	}
	return cost
}
