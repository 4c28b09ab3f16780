// Package text is normalisation, sentence splitting and subword tokens.
//
// A [BPE] is a byte-level byte-pair encoding (Sennrich et al., 2016;
// Radford et al., 2019): every byte has a piece of its own, so there is no
// unknown token and every text round-trips exactly. [Train] learns one from
// lines, [Parse] and [BPE.JSON] read and write it in the layout of
// Hugging Face's tokenizer.json. [Split] takes a plain text apart into
// sentences and puts their translations back between the same white space.
//
//	tok, err := text.Train(slices.Values(lines), 6000)
//	ids := tok.Encode("Where is the station?")
//	tok.Decode(ids) // "Where is the station?"
//
// White space. A text is encoded as if one space stood before it, and that
// space is taken away again by Decode; so a word has the same piece at the
// start of a sentence and inside it, and the text's own spaces, leading,
// trailing or doubled, all survive. Merges never cross a word's border; words
// are what the regular expression in [Pattern] finds.
//
// Everything here is integer arithmetic and fixed tables: a tokenizer's bytes
// and the tokens of a text are the same on every machine.
package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Normalize returns s in Unicode's NFC form on one line: each run of white
// space and control characters becomes one space, none at either end; soft
// hyphens, zero-width spaces and byte-order marks are dropped. Bytes that are
// not UTF-8 become U+FFFD. It is idempotent.
func Normalize(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range s {
		switch {
		case r == 0xAD || r == 0x200B || r == 0xFEFF:
		case unicode.IsSpace(r) || unicode.IsControl(r):
			gap = true
		default:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}
