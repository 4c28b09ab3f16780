package score

import (
	"strings"
	"testing"
)

// TestCompare: a translation is not better than itself, and clearly better
// than one with every third word gone.
func TestCompare(t *testing.T) {
	var refs, worse, mixed []string
	for i := range 200 {
		var words []string
		for j := range 12 {
			words = append(words, string(rune('a'+(i*7+j*j)%26))+string(rune('a'+(i+j)%26)))
		}
		refs = append(refs, strings.Join(words, " "))
		worse = append(worse, strings.Join(append(words[:4:4], words[8:]...), " "))
		if i%2 == 0 {
			mixed = append(mixed, refs[i])
		} else {
			mixed = append(mixed, worse[i])
		}
	}
	for _, m := range []Metric{(BLEU{WordSplitter: TokenizerFor("en")}).Metric(), (BLEU{WordSplitter: WordSplitter{"none", fields}, Lowercase: true}).Metric(), NewChrF().Metric(), TER{}.Metric()} {
		same, err := Compare(m, worse, worse, References(refs), 200, 1)
		if err != nil {
			t.Fatal(err)
		}
		if same.A != same.B || same.P != 1 || same.Low != 0 || same.High != 0 {
			t.Errorf("%s: with itself %+v", m.Name, same)
		}
		c, err := Compare(m, worse, refs, References(refs), 200, 1)
		if err != nil {
			t.Fatal(err)
		}
		if better := c.B > c.A != m.Lower; !better || c.P > 0.05 || c.Low > c.High || (c.Low > 0) == m.Lower {
			t.Errorf("%s: with the reference itself %+v", m.Name, c)
		}
		half, err := Compare(m, mixed, worse, References(refs), 200, 1)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Compare(m, mixed, worse, References(refs), 200, 1); again != half {
			t.Errorf("%s: %+v and %+v of one seed", m.Name, half, again)
		}
	}
	if _, err := Compare(TER{}.Metric(), refs, refs[1:], References(refs), 10, 1); err == nil {
		t.Error("lists of different lengths were compared")
	}
}
