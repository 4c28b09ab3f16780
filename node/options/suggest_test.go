package options

import "testing"

func TestDidYouMean(t *testing.T) {
	known := []string{"dropout", "decay", "delta_bits", "seed"}
	for word, want := range map[string]string{
		"dropuot": ", did you mean dropout?", "DROPOUT": ", did you mean dropout?", "delta-bits": ", did you mean delta_bits?",
		"sed": ", did you mean seed?", "colour": "", "": "", "x": "",
	} {
		if got := DidYouMean(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"über", "uber", 1}, {"abc", "", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
