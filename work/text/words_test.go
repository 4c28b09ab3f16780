package text

import (
	"regexp"
	"testing"
)

// TestClasses compares classOf with the ranges of Pattern, for which there is
// no engine here that knows all of it.
func TestClasses(t *testing.T) {
	isLetter, isSpace := regexp.MustCompile(`^[`+letters+`]$`), regexp.MustCompile(`^[`+spaces+`]$`)
	for r := rune(0); r <= 0x10FFFF; r++ {
		if r > 0x32000 && r%251 != 0 && r != 0x10FFFF || 0xD800 <= r && r < 0xE000 {
			continue
		}
		want := other
		switch s := string(r); {
		case isLetter.MatchString(s):
			want = letter
		case isSpace.MatchString(s):
			want = space
		case '0' <= r && r <= '9':
			want = digit
		}
		if got := classOf(r); got != want {
			t.Fatalf("%U is of class %d, want %d", r, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{" Don't stop", []string{" Don", "'t", " stop"}},
		{" It costs 125 euros.", []string{" It", " costs", " 1", "2", "5", " euros", "."}},
		{" a  b\t\tc ", []string{" a", " ", " b", "\t", "\t", "c", " "}},
		{" „Grüße!“ …", []string{" „", "Grüße", "!“", " …"}},
		{" 'quoted' x'", []string{" '", "quoted", "'", " x", "'"}},
		{"  ", []string{"  "}},
		{"\xff\xffa", []string{"\xff\xff", "a"}},
		{" 日本語。", []string{" 日本語", "。"}},
	} {
		var got []string
		for s := c.in; s != ""; {
			n := wordLen(s)
			got = append(got, s[:n])
			s = s[n:]
		}
		if len(got) != len(c.want) {
			t.Errorf("%q: words %q, want %q", c.in, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: words %q, want %q", c.in, got, c.want)
				break
			}
		}
	}
}
