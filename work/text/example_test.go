package text_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/text"
)

// A small vocabulary learnt from two lines: 259 ids for bytes and special tokens, and nine
// merges.
func ExampleTrain() {
	lines := []string{"the cat sat on the mat", "the hat of the cat"}
	tok, err := text.Train(slices.Values(lines), text.MinPieces+9)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := tok.Encode("the fat cat")
	names := tok.Names()
	for _, id := range ids {
		fmt.Printf("%d %s\n", id, names[id])
	}
	fmt.Println(tok.Decode(ids))
	// Output:
	// 262 Ġthe
	// 35 Ġ
	// 105 f
	// 259 at
	// 265 Ġcat
	// the fat cat
}

// White space and invisible characters in their normal form.
func ExampleNormalize() {
	fmt.Printf("%q\n", text.Normalize("  soft\u00adware\tfor\u00a0 all \n"))
	// Output: "software for all"
}

// A letter divided into sentences, and put together again from their translations (here, the
// sentences in capitals).
func ExampleSplit() {
	l := text.Split("en", "Dear Mr. Smith,\n\nThe room is ready. Please call at 5 p.m. or later!\n")
	var translations []string
	for i, s := range l.Sentences {
		fmt.Println(i, s)
		translations = append(translations, strings.ToUpper(s))
	}
	out, err := l.Join(translations)
	fmt.Printf("%q %v\n", out, err)
	// Output:
	// 0 Dear Mr. Smith,
	// 1 The room is ready.
	// 2 Please call at 5 p.m. or later!
	// "DEAR MR. SMITH,\n\nTHE ROOM IS READY. PLEASE CALL AT 5 P.M. OR LATER!\n" <nil>
}
