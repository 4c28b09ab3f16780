package corpus

import "math/bits"

// Length is the length of a tokenised pair: the number of tokens of its source and of its target,
// each with the end-of-sentence token.
type Length struct{ Source, Target int }

// MaxTokens is the length, in tokens, of the longest side of a pair that is trained on, the
// end-of-sentence token included: no model computes longer sentences. A script that the
// tokenizer was not made for can have several tokens a character, so [MaxSentence] does not
// bound them.
const MaxTokens = 1024

// Fits reports whether a batch of batchTokens tokens can have the pair.
func (l Length) Fits(batchTokens int) bool { return l.within(min(batchTokens, MaxTokens)) }

// within reports whether a pair, or a batch of this total length, is within the limit.
func (l Length) within(tokens int) bool { return l.Source <= tokens && l.Target <= tokens }

// TooLong counts the pairs that are too long for any batch of batchTokens tokens.
func TooLong(lengths []Length, batchTokens int) int {
	n := 0
	for _, l := range lengths {
		if !l.Fits(batchTokens) {
			n++
		}
	}
	return n
}

// Batches divides one epoch into batches, which are lists of indexes of pairs. It shuffles the
// pairs by seed and epoch, and begins a new batch where the sources or the targets would have
// more than batchTokens tokens. Each pair that [Length.Fits] is in exactly one batch, and no batch is
// empty.
//
// Batches are not padded, so pairs of similar length need not be together. Training is better
// when they are not (Multi30k, preset tiny, 3 epochs: chrF 51.5, against 48.6 when sorted by
// length).
func Batches(lengths []Length, batchTokens int, seed uint64, epoch int) [][]int {
	order := make([]int, 0, len(lengths))
	for i, l := range lengths {
		if l.Fits(batchTokens) {
			order = append(order, i)
		}
	}
	// Each epoch has a stream of its own.
	shuffle(order, &stream{key: mix(seed) + uint64(epoch)})
	var batches [][]int
	var sum Length
	start := 0
	for end, i := range order {
		sum.Source += lengths[i].Source
		sum.Target += lengths[i].Target
		if !sum.within(batchTokens) { // this pair begins the next batch
			batches = append(batches, order[start:end:end])
			start, sum = end, lengths[i]
		}
	}
	if start < len(order) {
		batches = append(batches, order[start:])
	}
	return batches
}

// stream is the generator SplitMix64 (Steele, Lea and Flood, 2014) based on a counter: word n of a
// stream is mix(mix(key) + (n+1)*gamma). Streams with different keys are independent.
type stream struct{ key, n uint64 }

const gamma = 0x9E3779B97F4A7C15

// mix is the output function of SplitMix64, a bijection of 64-bit words.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below returns the next number in [0, n). All are equally likely (Lemire, "Fast random integer
// generation in an interval", 2019).
func (s *stream) below(n uint64) uint64 {
	for {
		s.n++
		high, low := bits.Mul64(mix(mix(s.key)+s.n*gamma), n)
		if low >= n || low >= -n%n { // else the word would favour some numbers: draw again
			return high
		}
	}
}

// shuffle is the Fisher-Yates shuffle, from the last element to the first.
func shuffle[T any](xs []T, s *stream) {
	for i := len(xs) - 1; i > 0; i-- {
		j := int(s.below(uint64(i) + 1))
		xs[i], xs[j] = xs[j], xs[i]
	}
}

// hashOf is FNV-1a of the source, a tab and the target, followed by mix, because the high bits of
// FNV-1a depend too little on the text.
func hashOf(p Pair) uint64 {
	h := uint64(0xCBF29CE484222325)
	for i := range len(p.Source) {
		h = (h ^ uint64(p.Source[i])) * fnvPrime
	}
	h = (h ^ '\t') * fnvPrime
	for i := range len(p.Target) {
		h = (h ^ uint64(p.Target[i])) * fnvPrime
	}
	return mix(h)
}

const fnvPrime = 0x100000001B3
