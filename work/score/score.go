// Package score measures translations against references: BLEU, chrF and TER.
//
// A [Metric] compares a list of translations with the references of each, and returns the same
// figure as sacreBLEU (Post, 2018), with a signature that says how it was computed. [Compare] says
// whether the difference of two systems is significant, by a paired bootstrap. [BLEU.Parts] returns
// the score with its parts: the precisions and the brevity penalty. [TokenizerFor] chooses BLEU's tokenizer by the language.
//
//	references := score.References(lines)
//	m := score.BLEU{WordSplitter: score.TokenizerFor("de")}.Metric()
//	x, err := m.Score(translations, references)
//	if err != nil {
//		return err
//	}
//	fmt.Printf("%.2f %s\n", x, m.Signature(references))
//	// 41.03 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:alia-2
//
// Scores have the same bits on every machine, because a score may decide when training
// stops. Counts are integers. The rest is sums, divisions and products of float64, with each
// product rounded before it is added (no fused multiply-add). The logarithm and the exponential
// are the package's own.
package score

import (
	"fmt"
	"strconv"
	"strings"
)

// version changes when a score of the same texts does. Since alia-2 texts are lowered as in Python,
// for example with a final sigma.
const version = "alia-2"

// Metric is a way to score translations. The counts of a corpus are the sums of its segments'
// counts, so a sample of a corpus is scored without counting again: see [Compare].
type Metric struct {
	Name     string
	Lower    bool   // a lower score is better
	settings string // of the signature
	count    func(hypothesis string, references []string) []float64
	score    func(counts []float64) float64
}

// References gives each segment its references, out of lists that have one for each segment. A
// segment has no reference in a list where the list is shorter, or has a blank line beside another
// list's text: sentences may have different numbers of references.
func References(lists ...[]string) [][]string {
	n := 0
	for _, list := range lists {
		n = max(n, len(list))
	}
	segments := make([][]string, n)
	for i := range segments {
		for _, list := range lists {
			if i < len(list) && strings.TrimFunc(list[i], white) != "" {
				segments[i] = append(segments[i], list[i])
			}
		}
		if segments[i] == nil { // the reference is that nothing stands here
			segments[i] = []string{""}
		}
	}
	return segments
}

// Signature says in sacreBLEU's notation how the metric scores against these references.
func (m Metric) Signature(references [][]string) string {
	count := ""
	for i, r := range references {
		if n := strconv.Itoa(len(r)); i == 0 || n == count {
			count = n
		} else {
			count = "var"
			break
		}
	}
	return "nrefs:" + count + "|" + m.settings + "|version:" + version
}

// caseOf is the case of a signature.
func caseOf(lowercase bool) string {
	if lowercase {
		return "lc"
	}
	return "mixed"
}

// yes is a truth of a signature.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Score compares hypotheses with their references, at least one for each. It returns an error when
// the lists differ in length or are empty.
func (m Metric) Score(hypotheses []string, references [][]string) (float64, error) {
	if err := check(hypotheses, references); err != nil {
		return 0, fmt.Errorf("score %s: %w", m.Name, err)
	}
	return m.score(sum(m.counts(hypotheses, references), nil)), nil
}

// counts returns the counts of each segment.
func (m Metric) counts(hypotheses []string, references [][]string) [][]float64 {
	counts := make([][]float64, len(hypotheses))
	for i, h := range hypotheses {
		counts[i] = m.count(h, references[i])
	}
	return counts
}

// sum adds the counts of the segments with the given indexes, which may repeat. With nil it adds
// the counts of all segments. Counts are whole numbers, but for the mean length of several
// references, so the sums are exact far beyond any corpus.
func sum(counts [][]float64, indexes []int) []float64 {
	all := make([]float64, len(counts[0]))
	add := func(segment []float64) {
		for i, n := range segment {
			all[i] += n
		}
	}
	if indexes == nil {
		for _, segment := range counts {
			add(segment)
		}
	}
	for _, i := range indexes {
		add(counts[i])
	}
	return all
}

// check returns an error for lists that cannot be compared.
func check(hypotheses []string, references [][]string) error {
	switch {
	case len(hypotheses) != len(references):
		return fmt.Errorf("there are %d translations for %d references", len(hypotheses), len(references))
	case len(hypotheses) == 0:
		return fmt.Errorf("there are no translations")
	}
	for i, r := range references {
		if len(r) == 0 {
			return fmt.Errorf("translation %d has no reference", i+1)
		}
	}
	return nil
}

// grams counts the n-grams of tokens. Tokens contain no spaces, or are single characters, so
// joining them with spaces is unambiguous.
func grams(tokens []string, n int) map[string]int {
	counts := make(map[string]int, len(tokens))
	for i := range len(tokens) - n + 1 {
		counts[strings.Join(tokens[i:i+n], " ")]++
	}
	return counts
}

// overlap returns the number of n-grams that a and b share, counted with repetition.
func overlap(a, b map[string]int) float64 {
	shared := 0
	for g, n := range a { // order-free: an integer sum
		shared += min(n, b[g])
	}
	return float64(shared)
}

// total returns the number of n-grams.
func total(a map[string]int) float64 {
	all := 0
	for _, n := range a { // order-free: an integer sum
		all += n
	}
	return float64(all)
}
