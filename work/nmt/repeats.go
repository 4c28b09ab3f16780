package nmt

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Repeats is what a search does about tokens that a translation has already. It changes the
// logits of each step before their softmax. The change depends on the tokens that the
// hypothesis has written so far; BOS, Form.Start and EOS do not count as written. The zero Repeats changes nothing.
//
// First, the logit x of each token that the hypothesis has becomes x/Penalty if x is above 0,
// and else x*Penalty, rounded once to binary32 (Keskar et al., 2019, "CTRL: A Conditional
// Transformer Language Model for Controllable Generation", arXiv 1909.05858, section 4.1).
// Then the logit of each token that is banned becomes -infinity.
//
// EOS is never banned, so some token can always follow. A search that can end only there ends
// there. A token that begins or continues a term that the sentence must have (a glossary) is
// not banned either: terms stand even where they repeat an n-gram.
type Repeats struct {
	// NGram is a number of tokens: no translation has the same n-gram of this size twice. A
	// token is banned if it would end the second one. 0 bans none.
	NGram int
	// Penalty is at least 1; larger values make repetitions less likely. 0 and 1 change
	// nothing.
	Penalty float32
}

// check returns an error if no search can do r.
func (r Repeats) check() error {
	if r.NGram < 0 || r.Penalty != 0 && !(r.Penalty >= 1 && r.Penalty <= math.MaxFloat32) {
		return fmt.Errorf("nmt: n-grams of %d tokens (want 0 or more) and a repetition penalty of %v (want 0, or 1 or more)", r.NGram, r.Penalty)
	}
	return nil
}

// bans returns the tokens that are banned behind tokens, but those of spared, ascending, in the
// storage of ids. marks [Vocab] is all false before and after. No step is paid for this, so
// it takes the time of a read.
func (r Repeats) bans(ids, tokens, spared []int32, marks []bool) []int32 {
	ids = ids[:0]
	if r.NGram == 0 || len(tokens) < r.NGram {
		return ids
	}
	for _, id := range spared {
		marks[id] = true
	}
	// Those that follow where the last tokens of the n-gram stood before.
	n := r.NGram - 1
	last := tokens[len(tokens)-n:]
	for i, id := range tokens[n:] {
		if !marks[id] && endsAs(tokens[i:i+n], last) {
			marks[id], ids = true, append(ids, id)
		}
	}
	for _, id := range spared {
		marks[id] = false
	}
	if many := len(marks) / 16; len(ids) < many {
		slices.Sort(ids)
	} else { // a walk over the vocabulary is faster
		at := 0
		for id, banned := range marks {
			if banned {
				ids[at] = int32(id)
				at++
			}
		}
	}
	for _, id := range ids {
		marks[id] = false
	}
	return ids
}

// endsAs reports whether two texts of one length are equal. It begins at the end: most texts
// differ there.
func endsAs(a, b []int32) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Most is the largest number of tokens that r bans at a step, where a translation has at most
// limit tokens.
func (r Repeats) Most(limit int) int {
	if r.NGram == 0 {
		return 0
	}
	return max(0, limit-r.NGram+1)
}

// penalized is a logit of a token that the hypothesis has.
func (r Repeats) penalized(x float32) float32 {
	if x > 0 {
		return x / r.Penalty
	}
	return x * r.Penalty
}

// discourage changes the logits of the live hypotheses: as [Repeats] says, and at the tokens that
// a translation begins with, where every other is -infinity. The canonical cost of a unit leaves this out, because it is
// small: for each hypothesis it changes one number for each written token, while the step
// computes Dim products for each token of the vocabulary.
func (d *decoder) discourage(logits kernel.Tensor) kernel.Tensor {
	d.banned = d.banned[:0]
	begins := slices.ContainsFunc(d.first, func(first []int32) bool { return len(first) > 0 })
	if d.repeats == (Repeats{}) && !begins {
		return logits
	}
	// An accelerator's logits come to the host: a few numbers of each row, at places that are
	// known one row at a time.
	logits = kernel.Fetch(&d.fetched, logits)
	width := logits.Shape[1]
	if len(d.had) < d.config.Vocab {
		d.had = make([]bool, d.config.Vocab)
	}
	for i, h := range d.live {
		row := nextLogits{x: logits.F[i*width : (i+1)*width], ids: d.candidates(h.sentence)}
		if next, ok := d.forced(i); ok {
			row.force(next)
			d.banned = append(d.banned, nil)
			continue
		}
		if d.repeats.Penalty != 0 {
			// Each once. To sort them took a third of the time of a step of a small model, which is
			// paid for the step alone.
			for _, id := range d.written[i] {
				if d.had[id] {
					continue
				}
				d.had[id] = true
				if at, ok := row.at(id); ok {
					row.x[at] = d.repeats.penalized(row.x[at])
				}
			}
			for _, id := range d.written[i] {
				d.had[id] = false
			}
		}
		var spared, banned []int32
		if i < len(d.spared) {
			spared = d.spared[i]
		}
		if i < cap(d.banned) {
			banned = d.banned[:i+1][i] // of an earlier step
		}
		banned = d.repeats.bans(banned, d.written[i], spared, d.had[:d.config.Vocab])
		for _, id := range banned {
			if at, ok := row.at(id); ok {
				row.x[at] = float32(math.Inf(-1))
			}
		}
		d.banned = append(d.banned, banned)
	}
	return logits
}

// forced is the only token that may follow a live hypothesis, if there is one.
func (d *decoder) forced(i int) (int32, bool) {
	first, n := d.first[d.live[i].sentence], len(d.written[i])
	if n >= len(first) {
		return 0, false
	}
	return first[n], true
}

// nextLogits is the logits of tokens that may follow a prefix.
type nextLogits struct {
	x      []float32
	ids    []int32 // their tokens; nil means the tokens 0, 1, 2, ...
	banned []int32 // tokens that may not follow, ascending: see [Repeats]
	only   []int32 // the one token that may follow; nil where several may
}

// at is the place of a token's logit, if it has one here. The ids must be ascending.
func (o nextLogits) at(token int32) (int, bool) {
	if o.ids == nil {
		return int(token), true
	}
	return slices.BinarySearch(o.ids, token)
}

// of is the logit of a token; -infinity for one that has none here.
func (o nextLogits) of(token int32) float32 {
	if at, ok := o.at(token); ok {
		return o.x[at]
	}
	return float32(math.Inf(-1))
}

// force sets the logits of all tokens but one to -infinity.
func (o nextLogits) force(token int32) {
	at, ok := o.at(token)
	for i := range o.x {
		if !ok || i != at {
			o.x[i] = float32(math.Inf(-1))
		}
	}
}

// forbids reports whether a token may not follow.
func (o nextLogits) forbids(token int32) bool {
	if len(o.only) > 0 {
		return token != o.only[0]
	}
	_, found := slices.BinarySearch(o.banned, token)
	return found
}
