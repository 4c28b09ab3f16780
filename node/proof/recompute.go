package proof

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Computer computes translations again with the models of this machine: [engine.Local].
type Computer interface {
	Start(ctx context.Context, r engine.Request) (engine.Job, error)
	// Arithmetic names how it computes with a model.
	Arithmetic(ctx context.Context, model block.Link) (string, error)
}

// Different is a text whose translation is another when it is computed again.
type Different struct {
	Text     int // index
	Pair     ProvenText
	Computed string
}

func (d *Different) Error() string {
	return fmt.Sprintf("text %d, %.60q: computed again, the translation is %.60q, and the receipt has %.60q", d.Text+1, d.Pair.Source, d.Computed, d.Pair.Target)
}

// Recomputable counts the texts that a model gave. What a person wrote is not computed.
func (c *Verified) Recomputable() (n int) {
	for _, t := range c.Texts {
		if t.Origin != Human {
			n++
		}
	}
	return n
}

// Options are those of an engine that computes as the receipt says: [engine.LocalConfig].
func (c *Verified) Options() (int8, shortlist bool) {
	return strings.HasPrefix(c.Arithmetic, "int8"), strings.Contains(c.Arithmetic, "shortlist")
}

// Recompute computes texts again, and compares them character for character. share is the
// part of the texts, in millionths; at least one is computed. Which ones follows from the
// receipt, so everybody who takes the same share computes the same. The error is a
// [Different] where a translation differs. done, which may be nil, is told how many are
// computed.
func (c *Verified) Recompute(ctx context.Context, e Computer, millionths uint32, done func(n, of int)) (n int, err error) {
	if c.TextRules != text.Rules {
		return 0, fmt.Errorf("the receipt was made by version %d of the rules for sentences, and this program has version %d: compute with the program that made it", c.TextRules, text.Rules)
	}
	chosen := c.sample(millionths)
	if len(chosen) == 0 {
		return 0, nil
	}
	if got, err := e.Arithmetic(ctx, c.Model); err != nil {
		return 0, err
	} else if got != c.Arithmetic {
		return 0, fmt.Errorf("the texts were computed in %s, and would be computed again in %s, which is another function", c.Arithmetic, got)
	}
	for from := 0; from < len(chosen); {
		// Texts of one job are computed together: they have its glossary.
		to := from
		for to < len(chosen) && c.group(chosen[to]) == c.group(chosen[from]) {
			to++
		}
		if err := c.recompute(ctx, e, chosen[from:to], func() {
			if n++; done != nil {
				done(n, len(chosen))
			}
		}); err != nil {
			return n, err
		}
		from = to
	}
	c.again = n
	return n, nil
}

// group is the job of a text; -1 for none.
func (c *Verified) group(text int) int {
	if c.Texts[text].Origin == Bought {
		return c.Texts[text].Job
	}
	return -1
}

// sample chooses texts: those with the least hashes, sorted by job.
func (c *Verified) sample(millionths uint32) (chosen []int) {
	type ticket struct {
		text int
		hash [sha256.Size]byte
	}
	var all []ticket
	for i, t := range c.Texts {
		if t.Origin != Human {
			all = append(all, ticket{i, sha256.Sum256(binary.BigEndian.AppendUint32(c.id[:len(c.id):len(c.id)], uint32(i)))})
		}
	}
	slices.SortFunc(all, func(a, b ticket) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	n := (uint64(len(all))*uint64(min(millionths, 1e6)) + 1e6 - 1) / 1e6
	for _, t := range all[:n] {
		chosen = append(chosen, t.text)
	}
	slices.SortFunc(chosen, func(a, b int) int { return cmp.Or(cmp.Compare(c.group(a), c.group(b)), cmp.Compare(a, b)) })
	return chosen
}

// recompute computes texts of one job.
func (c *Verified) recompute(ctx context.Context, e Computer, texts []int, one func()) (err error) {
	r := engine.Request{Model: c.Model, To: c.To, Decoding: c.Decoding, Terms: c.terms(texts[0])}
	for _, i := range texts {
		r.Texts = append(r.Texts, c.Texts[i].Source)
	}
	j, err := e.Start(ctx, r)
	if err != nil {
		return err
	}
	defer j.Close()
	for t, err := range j.Texts(ctx) {
		if err != nil {
			return err
		}
		i := texts[t.Index]
		if got := clean(t.Text); got != c.Texts[i].Target {
			return &Different{Text: i, Pair: c.Texts[i], Computed: got}
		}
		one()
	}
	return ctx.Err()
}

// terms are those of a text's glossary.
func (c *Verified) terms(text int) []unit.Term {
	if g := c.group(text); g >= 0 {
		return c.Jobs[g].Job.Terms
	}
	return c.Statement.Terms
}
