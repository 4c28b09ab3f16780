package score

import "slices"

// TER is the settings of the translation edit rate (Snover et al., 2006): the number of edits that
// turn a translation into its reference, for each hundred words of the references. An edit inserts,
// deletes or replaces a word, or shifts a phrase. Of several references the one with the fewest
// edits counts, and the mean of their lengths. The greedy search for shifts, its limits and its
// ties are those of sacreBLEU, which are those of Tercom.
type TER struct {
	Normalized    bool // separate punctuation from words, and replace entities
	NoPunctuation bool // leave punctuation out
	Asian         bool // with Normalized, Chinese characters are words; with NoPunctuation, leave out theirs too
	CaseSensitive bool // else words are compared in small letters, as Python's str.lower
}

// Metric is TER with these settings.
func (o TER) Metric() Metric {
	return Metric{
		Name:     "TER",
		Lower:    true,
		settings: "case:" + caseOf(!o.CaseSensitive) + "|tok:tercom|norm:" + yes(o.Normalized) + "|punct:" + yes(!o.NoPunctuation) + "|asian:" + yes(o.Asian),
		count:    o.count,
		score:    terOf,
	}
}

// count returns the fewest edits of a segment to a reference, and the mean number of words of its
// references.
func (o TER) count(h string, references []string) []float64 {
	hyp, fewest, length := o.words(h), -1, 0
	for _, r := range references {
		ref := o.words(r)
		edits := editsOf(hyp, ref)
		if fewest < 0 || edits < fewest {
			fewest = edits
		}
		length += len(ref)
	}
	return []float64{float64(fewest), float64(length) / float64(len(references))}
}

// terOf computes the score from a corpus's counts.
func terOf(counts []float64) float64 {
	edits, words := counts[0], counts[1]
	switch {
	case words > 0:
		return float64(100*edits) / words
	case edits > 0:
		return 100
	}
	return 0
}

// editsOf returns the number of edits from hyp to ref.
func editsOf(hyp, ref []string) int {
	if len(ref) == 0 {
		return len(hyp)
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
	return shifts + len(errorsOf(trace(hyp, ref)))
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
// dynamic programming, limited to a band along the diagonal. It keeps the operations of the band
// only, so the memory is that of a few times both texts.
func trace(hyp, ref []string) []uint8 {
	const far = 1 << 30 // the cost of a cell outside the band
	width := len(ref) + 1
	beam := beamWidth // more for a hypothesis that is much too short
	if half := (len(ref) + 2*len(hyp) - 1) / max(2*len(hyp), 1); half > beamWidth {
		beam = half + beamWidth
	}
	// Cell (i,j) is the cost from the first i words of hyp to the first j of ref, and the last
	// operation. Row i has the cells from starts[i]; row 0 inserts.
	starts, rows := make([]int, len(hyp)+1), make([][]uint8, len(hyp)+1)
	before, now := make([]int, width), make([]int, width)
	for j := range width {
		before[j], now[j] = j, far
	}
	last, end := 0, width // the cells of before that are not far
	for i := 1; i <= len(hyp); i++ {
		diagonal := i * len(ref) / len(hyp)
		from, until := max(0, diagonal-beam), min(width, diagonal+beam)
		if i == len(hyp) {
			until = width
		}
		starts[i], rows[i] = from, make([]uint8, max(until-from, 0))
		for j := from; j < until; j++ {
			up := before[j] + 1
			if j == 0 {
				now[j], rows[i][0] = up, remove
				continue
			}
			// Of equal costs the first wins: keep or substitute, remove, insert.
			cost, op := before[j-1], uint8(keep)
			if hyp[i-1] != ref[j-1] {
				cost, op = cost+1, substitute
			}
			if up < cost {
				cost, op = up, remove
			}
			if left := now[j-1] + 1; left < cost {
				cost, op = left, insert
			}
			now[j], rows[i][j-from] = min(cost, far), op
		}
		// The row before becomes the next one, with all cells far.
		for j := last; j < end; j++ {
			before[j] = far
		}
		before, now, last, end = now, before, from, until
	}
	// Back from the last cell.
	var ops []uint8
	for i, j := len(hyp), len(ref); i > 0 || j > 0; {
		op := uint8(insert)
		if i > 0 {
			op = rows[i][j-starts[i]]
		}
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
