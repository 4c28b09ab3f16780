package score

import (
	"slices"
	"strings"
)

// terCounts returns the number of edits of a segment, and the number of words of its reference.
func terCounts(h, r string) []int {
	edits, words := edited(h, r)
	return []int{edits, words}
}

// terOf computes the score from a corpus's counts.
func terOf(counts []int) float64 {
	edits, words := counts[0], counts[1]
	switch {
	case words > 0:
		return float64(100*float64(edits)) / float64(words)
	case edits > 0:
		return 100
	}
	return 0
}

// edited returns the number of edits from hypothesis to reference, and the number of the
// reference's words.
func edited(hypothesis, reference string) (edits, words int) {
	hyp := strings.FieldsFunc(strings.ToLower(hypothesis), white)
	ref := strings.FieldsFunc(strings.ToLower(reference), white)
	if len(ref) == 0 {
		return len(hyp), 0
	}
	// Shift phrases as long as that saves edits, then count the edits that are left.
	shifts, tried := 0, 0
	for {
		gain, shifted := bestShift(hyp, ref, &tried)
		if tried >= maxShifts || gain <= 0 {
			break
		}
		shifts, hyp = shifts+1, shifted
	}
	return shifts + len(errorsOf(trace(hyp, ref))), len(ref)
}

// The limits of Tercom.
const (
	maxShiftSize = 10   // words of a shifted phrase
	maxShiftWay  = 50   // words that a phrase is shifted past
	maxShifts    = 1000 // shifts tried
	beamWidth    = 25   // distance of an alignment from the diagonal
)

// The operations that turn a hypothesis into its reference.
const (
	keep = iota
	substitute
	remove
	insert
)

// errorsOf returns the operations of a trace that count as edits.
func errorsOf(trace []uint8) []uint8 {
	return slices.DeleteFunc(slices.Clone(trace), func(op uint8) bool { return op == keep })
}

// trace returns the cheapest sequence of operations from hyp to ref: the Levenshtein distance by
// dynamic programming, limited to a band along the diagonal.
func trace(hyp, ref []string) []uint8 {
	type cell struct {
		cost int
		op   uint8
	}
	// Cell (i,j) is the cost from the first i words of hyp to the first j of ref, and the
	// last operation. Cells outside the band stay far away.
	const far = 1 << 30
	width := len(ref) + 1
	cells := make([]cell, (len(hyp)+1)*width)
	for i := range cells {
		cells[i].cost = far
	}
	for j := range width {
		cells[j] = cell{j, insert}
	}
	beam := beamWidth // more for a hypothesis that is much too short
	if half := (len(ref) + 2*len(hyp) - 1) / max(2*len(hyp), 1); half > beamWidth {
		beam = half + beamWidth
	}
	for i := 1; i <= len(hyp); i++ {
		diagonal := i * len(ref) / len(hyp)
		from, until := max(0, diagonal-beam), min(width, diagonal+beam)
		if i == len(hyp) {
			until = width
		}
		for j := from; j < until; j++ {
			c := &cells[i*width+j]
			up := cells[(i-1)*width+j].cost + 1
			if j == 0 {
				*c = cell{up, remove}
				continue
			}
			// Of equal costs the first wins: keep or substitute, remove, insert.
			slant, op := cells[(i-1)*width+j-1].cost, uint8(keep)
			if hyp[i-1] != ref[j-1] {
				slant, op = slant+1, substitute
			}
			for _, way := range []cell{{slant, op}, {up, remove}, {cells[i*width+j-1].cost + 1, insert}} {
				if way.cost < c.cost {
					*c = way
				}
			}
		}
	}
	// Back from the last cell.
	var ops []uint8
	for i, j := len(hyp), len(ref); i > 0 || j > 0; {
		op := cells[i*width+j].op
		ops = append(ops, op)
		if op != insert {
			i--
		}
		if op != remove {
			j--
		}
	}
	slices.Reverse(ops)
	return ops
}

// alignment returns, by word of the reference, the last word of the hypothesis that is aligned with
// it or stands before it, and by word of both whether it is wrong.
func alignment(trace []uint8) (align []int, refWrong, hypWrong []bool) {
	for _, op := range trace {
		if op != insert {
			hypWrong = append(hypWrong, op != keep)
		}
		if op != remove {
			align, refWrong = append(align, len(hypWrong)-1), append(refWrong, op != keep)
		}
	}
	return align, refWrong, hypWrong
}

// shift is the move of a phrase from word start to in front of word target, and the edits it saves.
type shift struct{ gain, length, start, target int }

// better ranks shifts as Tercom does: by gain, then the longer phrase, the earlier start, and the
// earlier target.
func (s shift) better(t shift) bool {
	rank := func(s shift) []int { return []int{s.gain, s.length, -s.start, -s.target} }
	return slices.Compare(rank(s), rank(t)) > 0
}

// bestShift finds the shift of a phrase of hyp that saves most edits. It returns the edits saved and
// the shifted words. tried counts the shifts that were tried.
func bestShift(hyp, ref []string, tried *int) (gain int, shifted []string) {
	ops := trace(hyp, ref)
	before := len(errorsOf(ops))
	align, refWrong, hypWrong := alignment(ops)
	var best shift
	for start := range hyp {
		// Candidates are phrases of hyp that also occur in ref at most maxShiftWay words away.
		for at := max(0, start-maxShiftWay); at <= start+maxShiftWay && at < len(ref); at++ {
			longest := min(maxShiftSize, len(hyp)-start, len(ref)-at)
			for n := 1; n <= longest && hyp[start+n-1] == ref[at+n-1]; n++ {
				// Both must have a wrong word, and the phrase must not be in its place.
				if !slices.Contains(hypWrong[start:start+n], true) || !slices.Contains(refWrong[at:at+n], true) ||
					start <= align[at] && align[at] < start+n {
					continue
				}
				// Try the targets behind each word of the reference's phrase, and before it.
				last := -1
				for r := at - 1; r < at+n; r++ {
					target := 0
					if r >= 0 {
						target = align[r] + 1
					}
					if target == last {
						continue
					}
					last = target
					words := moved(hyp, start, n, target)
					s := shift{before - len(errorsOf(trace(words, ref))), n, start, target}
					*tried++
					if shifted == nil || s.better(best) {
						best, shifted = s, words
					}
				}
				if *tried >= maxShifts {
					return best.gain, shifted
				}
			}
		}
	}
	return best.gain, shifted
}

// moved returns words with n of them, from start, moved in front of the word at target.
func moved(words []string, start, n, target int) []string {
	phrase := words[start : start+n]
	switch {
	case target < start:
		return slices.Concat(words[:target], phrase, words[target:start], words[start+n:])
	case target > start+n:
		return slices.Concat(words[:start], words[start+n:target], phrase, words[target:])
	}
	end := min(target+n, len(words))
	return slices.Concat(words[:start], words[start+n:end], phrase, words[end:])
}
