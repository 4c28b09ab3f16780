package score_test

import (
	"fmt"

	"github.com/alia-network/alia/work/score"
)

var (
	references = score.References([]string{"The cat sat on the mat.", "It is raining again today."})
	first      = []string{"The cat sat on a mat.", "It rains again today."}
	second     = []string{"A cat on the mat.", "It is raining today again."}
)

// BLEU, chrF and TER of two lines.
func ExampleMetric_Score() {
	for _, m := range []score.Metric{(score.BLEU{WordSplitter: score.TokenizerFor("en")}).Metric(), score.NewChrF().Metric(), score.TER{}.Metric()} {
		x, err := m.Score(first, references)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %.2f %s\n", m.Name, x, m.Signature(references))
	}
	// Output:
	// BLEU 38.68 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:alia-2
	// chrF2 60.61 nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:alia-2
	// TER 27.27 nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:alia-2
}

// The parts of a BLEU score.
func ExampleBLEU_Parts() {
	b, err := score.BLEU{WordSplitter: score.TokenizerFor("en")}.Parts(first, references)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f: precisions %.1f, brevity penalty %.2f, %d of %d tokens\n",
		b.Score, b.Precisions, b.Brevity, b.Hypothesis, b.Reference)
	// Output: 38.68: precisions [83.3 60.0 37.5 16.7], brevity penalty 0.92, 12 of 13 tokens
}

// Two translations of so short a text do not differ significantly.
func ExampleCompare() {
	c, err := score.Compare(score.NewChrF().Metric(), first, second, references, 1000, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.1f and %.1f, significant: %v\n", c.A, c.B, c.P < 0.05)
	// Output: 60.6 and 65.1, significant: false
}
