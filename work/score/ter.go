package score

import (
	"slices"
	"strings"
)

// terCounts is the edits of a segment and the words of its reference.
func terCounts(h, r string) []int {
	edits, words := edited(h, r)
	return []int{edits, words}
}

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

// edited is the edits from hypothesis to reference, and the reference's words.
func edited(hypothesis, reference string) (edits, words int) {
	hyp, ref := strings.FieldsFunc(strings.ToLower(hypothesis), white), strings.FieldsFunc(strings.ToLower(reference), white)
	if len(ref) == 0 {
		return len(hyp), 0
	}
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

// Tercom's limits: of the length of a shifted phrase and its way, of the
// shifts tried, and of how far from the diagonal an alignment may lead.
const (
	maxShiftSize = 10
	maxShiftWay  = 50
	maxShifts    = 1000
	beamWidth    = 25
)

// An edit of the hypothesis, on its way to the reference.
const (
	keep = iota
	substitute
	remove
	insert
)

// errorsOf is the edits of a trace that cost something.
func errorsOf(trace []uint8) []uint8 {
	return slices.DeleteFunc(slices.Clone(trace), func(op uint8) bool { return op == keep })
}

// trace is the cheapest edits from hyp to ref, in order, near the diagonal.
func trace(hyp, ref []string) []uint8 {
	type cell struct {
		cost int
		op   uint8
	}
	const far = 1 << 30
	width := len(ref) + 1
	cells := make([]cell, (len(hyp)+1)*width)
	for i := range cells {
		cells[i].cost = far
	}
	for j := range width {
		cells[j] = cell{j, insert}
	}
	beam := beamWidth // wider for a hypothesis that is far too short
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

// alignment is, by word of the reference, the last word of the hypothesis that
// stands at it or before it, and which words of both are wrong.
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

// shift is the move of a phrase and what it gains.
type shift struct{ gain, length, start, target int }

// better ranks shifts as Tercom does: by gain, then the longest phrase, the
// earliest, and the earliest place.
func (s shift) better(t shift) bool {
	return slices.Compare([]int{s.gain, s.length, -s.start, -s.target}, []int{t.gain, t.length, -t.start, -t.target}) > 0
}

// bestShift is the shift of a phrase of hyp that saves most edits, and what it
// makes of hyp. tried counts the shifts tried.
func bestShift(hyp, ref []string, tried *int) (gain int, shifted []string) {
	ops := trace(hyp, ref)
	before := len(errorsOf(ops))
	align, refWrong, hypWrong := alignment(ops)
	var best shift
	for start := range hyp {
		for at := max(0, start-maxShiftWay); at <= start+maxShiftWay && at < len(ref); at++ {
			for n := 1; n <= maxShiftSize && start+n <= len(hyp) && at+n <= len(ref) && hyp[start+n-1] == ref[at+n-1]; n++ {
				if !slices.Contains(hypWrong[start:start+n], true) || !slices.Contains(refWrong[at:at+n], true) ||
					start <= align[at] && align[at] < start+n {
					continue
				}
				last := -1
				for r := at - 1; r < at+n; r++ { // after each of these words of the reference
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

// moved is words with the n from start moved to before the word at target.
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
