package nmt

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// Batch is pairs of sentences: Target[i] translates Source[i].
type Batch struct {
	Source, Target [][]int32
}

// Tokens is the number of tokens the loss is taken over: the targets' and one
// EOS each.
func (b Batch) Tokens() int {
	n := 0
	for _, t := range b.Target {
		n += len(t) + 1
	}
	return n
}

// check reports tokens or lengths that the model cannot take. Batches come
// from strangers.
func (b Batch) check(vocab int) error {
	if len(b.Source) != len(b.Target) {
		return fmt.Errorf("nmt: %d sources, %d targets", len(b.Source), len(b.Target))
	}
	if err := checkSentences("source", b.Source, vocab); err != nil {
		return err
	}
	return checkSentences("target", b.Target, vocab)
}

func checkSentences(side string, sentences [][]int32, vocab int) error {
	if len(sentences) == 0 {
		return fmt.Errorf("nmt: no sentence")
	}
	for i, s := range sentences {
		if len(s) >= MaxLength {
			return fmt.Errorf("nmt: %s %d has %d tokens, at most %d fit", side, i, len(s), MaxLength-1)
		}
		for _, id := range s {
			if id <= EOS || int(id) >= vocab {
				return fmt.Errorf("nmt: %s %d holds token %d, not in %d..%d", side, i, id, EOS+1, vocab-1)
			}
		}
	}
	return nil
}

// ragged is sentences packed end to end.
type ragged struct {
	ids, pos []int32 // [T]: each token and its position in its sentence
	starts   []int32 // by sentence, and T at the end
}

// reset empties r and keeps its storage.
func (r *ragged) reset() {
	r.ids, r.pos, r.starts = r.ids[:0], r.pos[:0], append(r.starts[:0], 0)
}

// add appends the sentence before+s+after; a negative before or after is no
// token.
func (r *ragged) add(before int32, s []int32, after int32) {
	if before >= 0 {
		r.ids = append(r.ids, before)
	}
	r.ids = append(r.ids, s...)
	if after >= 0 {
		r.ids = append(r.ids, after)
	}
	start := int(r.starts[len(r.starts)-1])
	for p := range len(r.ids) - start {
		r.pos = append(r.pos, int32(p))
	}
	r.starts = append(r.starts, int32(len(r.ids)))
}

// appendSegments appends the segment table [S,4] in which sentence s of
// queries looks at sentence s of keys.
func appendSegments(table []int32, queries, keys *ragged) []int32 {
	for s := range len(queries.starts) - 1 {
		q, k := queries.starts[s], keys.starts[s]
		table = append(table, q, queries.starts[s+1]-q, k, keys.starts[s+1]-k)
	}
	return table
}

// ints is x as a tensor of the given shape.
func ints(x []int32, shape ...int) kernel.Tensor {
	return kernel.Tensor{Type: kernel.I32, Shape: shape, I: x}
}

// floats is x as a tensor of the given shape.
func floats(x []float32, shape ...int) kernel.Tensor {
	return kernel.Tensor{Type: kernel.F32, Shape: shape, F: x}
}

// longest is the length of the longest sentence.
func (r *ragged) longest() int {
	n := int32(0)
	for s := range len(r.starts) - 1 {
		n = max(n, r.starts[s+1]-r.starts[s])
	}
	return int(n)
}
