package corpus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/work/corpus"
)

// A file of tab-separated pairs, with its direction in the name.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "corpus")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "The  train leaves at %d.\tDer Zug fährt um %d.\n", i, i)
	}
	lines.WriteString("Hello.\t\n") // a translation is missing
	path := filepath.Join(dir, "travel.en-de.tsv")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	c, report, err := corpus.Open(path, corpus.Selection{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Source, "to", c.Target)
	fmt.Println(report)
	fmt.Println(len(c.Valid), "pairs for validation")
	for pair, err := range c.Pairs() {
		fmt.Println(pair, err)
		break
	}
	// Output:
	// en to de
	// 39 pairs: 38 kept, 1 empty
	// 2 pairs for validation
	// {The train leaves at 0. Der Zug fährt um 0.} <nil>
}

// The only encoding of two pairs.
func ExampleMarshal() {
	data := corpus.Marshal([]corpus.Pair{{Source: "Yes.", Target: "Ja."}, {Source: "a\tb", Target: "c"}})
	fmt.Printf("%s", data)
	pairs, err := corpus.Unmarshal(data)
	fmt.Printf("%q %v\n", pairs, err)
	// Output:
	// Yes.	Ja.
	// a\tb	c
	// [{"Yes." "Ja."} {"a\tb" "c"}] <nil>
}

// Five pairs in batches of at most ten tokens in each language.
func ExampleBatches() {
	lengths := []corpus.Length{
		{Source: 3, Target: 4}, {Source: 5, Target: 5}, {Source: 2, Target: 2}, {Source: 6, Target: 4},
		{Source: 4, Target: 3},
	}
	for epoch := range 2 {
		fmt.Println(corpus.Batches(lengths, 10, 1, epoch))
	}
	// Output:
	// [[2 4] [3 0] [1]]
	// [[0 4] [3 2] [1]]
}

// The project's own corpus.
func ExamplePhrasebook() {
	c := corpus.Phrasebook()
	test := c.Tests[0].Pairs
	fmt.Println(len(c.Train), "pairs for training,", len(c.Valid), "for validation,", len(test), "for the test")
	fmt.Println(test[0])
	// Output:
	// 25654 pairs for training, 500 for validation, 500 for the test
	// {The sweater costs fifty-two euros. Der Pullover kostet zweiundfünfzig Euro.}
}
