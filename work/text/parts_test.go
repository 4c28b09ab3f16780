package text

import (
	"slices"
	"strings"
	"testing"
)

// TestSourceParts: there is a part for each token, and together they are the text.
func TestSourceParts(t *testing.T) {
	bpe, err := Train(slices.Values([]string{"where is the station", "wo ist der Bahnhof"}), 300)
	if err != nil {
		t.Fatal(err)
	}
	m := marian(t)
	for _, s := range []string{"", "Where is the station?", " two  words\t", "你好 – é!", ">>deu<< where is it"} {
		for name, tok := range map[string]interface {
			Source(string) []int32
			SourceParts(string) []string
		}{"BPE": bpe, "Marian": m} { // order-free: each by itself
			parts, want := tok.SourceParts(s), strings.Join(strings.Fields(s), " ")
			if name == "Marian" && strings.HasPrefix(s, ">>deu<<") {
				if want = "where is it"; parts[0] != "" {
					t.Errorf("%q: the part of the code is %q", s, parts[0])
				}
			}
			if got := strings.TrimSpace(strings.Join(parts, "")); got != want || len(parts) != len(tok.Source(s)) {
				t.Errorf("%s: %q has the parts %q of %d tokens", name, s, parts, len(tok.Source(s)))
			}
		}
	}
}
