package text

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{" \t\r\n ", ""},
		{"  Guten\t Tag \n", "Guten Tag"},
		{"Mu\u0308nchen", "München"},
		{"Kaffee\u00a0und\u2003Kuchen", "Kaffee und Kuchen"},
		{"\ufeffStra\u00adße\u200b", "Straße"},
		{"a\x00b", "a b"},
		{"a\xffb", "a\ufffdb"},
	} {
		if got := Normalize(c.in); got != c.want {
			t.Errorf("Normalize(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" \n\n", nil},
		{"One line", []string{"One line"}},
		{"Hello. How are you?  Fine!\nThanks.", []string{"Hello.", "How are you?", "Fine!", "Thanks."}},
		{"Dr. Weber wohnt in der Goethestr. Nr. 5 in St. Gallen. Er ist Arzt.",
			[]string{"Dr. Weber wohnt in der Goethestr. Nr. 5 in St. Gallen.", "Er ist Arzt."}},
		{"Wir kommen am 3. Mai an. Am 10. Oktober reisen wir ab.",
			[]string{"Wir kommen am 3. Mai an.", "Am 10. Oktober reisen wir ab."}},
		{"It costs 12.50 euros. We met J. Smith, e.g. in Room No. 7.",
			[]string{"It costs 12.50 euros.", "We met J. Smith, e.g. in Room No. 7."}},
		{"I said no. Then he left.", []string{"I said no.", "Then he left."}},
		{"„Kommen Sie?“ „Ja.“ Sie lachte.", []string{"„Kommen Sie?“", "„Ja.“", "Sie lachte."}},
		{"Wait... what? (Really.) Yes.", []string{"Wait... what?", "(Really.)", "Yes."}},
		{"z. B. Obst", []string{"z. B. Obst"}},
		{
			strings.Repeat("word ", 300),
			[]string{strings.TrimSpace(strings.Repeat("word ", 205)), strings.TrimSpace(strings.Repeat("word ", 95))},
		},
		{strings.Repeat("ü", 600), []string{strings.Repeat("ü", 512), strings.Repeat("ü", 88)}},
	} {
		l := Split("", c.in)
		if !slices.Equal(l.Sentences, c.want) {
			t.Errorf("Split(%q) = %q, want %q", c.in, l.Sentences, c.want)
		}
		if got, err := l.Join(l.Sentences); err != nil || got != c.in {
			t.Errorf("Join(Split(%q)) = %q, %v", c.in, got, err)
		}
	}
}

func TestJoin(t *testing.T) {
	l := Split("", "  First. Second.\n\nThird.\n")
	got, err := l.Join([]string{"Erstens.", "Zwei\ntens.", "Drittens."})
	if want := "  Erstens. Zwei tens.\n\nDrittens.\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := l.Join([]string{"Erstens."}); err == nil ||
		err.Error() != "join text: 1 translations for 3 sentences" {
		t.Errorf("got error %v", err)
	}
	if got, err := (Layout{}).Join(nil); err != nil || got != "" {
		t.Errorf("the zero Layout joins to %q, %v", got, err)
	}
}

// TestFitLeavesOut: what has no letters is no sentence of a model.
func TestFitLeavesOut(t *testing.T) {
	digits := strings.Repeat("12345 67890 ", 300)
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"12.5 %", nil},
		{"  -- 7 --\n\n* * *\n", nil},
		{digits, nil},
		{"One.\n12\n34. 56!\nTwo.", []string{"One.", "Two."}},
		{"Call us. 030 / 12 34. 56!\n7", []string{"Call us."}},
		{"We left. 12:30! 13:00! Lunch. 14:00!", []string{"We left.", "12:30! 13:00! Lunch."}},
		{"1️⃣ 👍\n5 km", []string{"5 km"}},
		{"我们走。12。３４。回来。！\n２０２４年\n２０２４", []string{"我们走。", "12。３４。回来。！", "２０２４年"}},
	} {
		for _, code := range []string{"", ">>fra<<"} {
			l := Split("en", c.in).Coded(code).Fit(func(s string) bool { return len(s) <= 200 })
			var got []string
			for _, s := range l.Sentences {
				got = append(got, strings.TrimPrefix(s, code+" "))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%.40q has the sentences %q, want %q", c.in, got, c.want)
			}
			back, err := l.Join(got)
			if err != nil || back != c.in {
				t.Errorf("%.40q with its own sentences is %.80q, %v", c.in, back, err)
			}
		}
	}
	// A sentence with letters in the end, too long for all digits in front of it.
	l := Split("en", digits+"km. 5").Fit(func(s string) bool { return len(s) <= 200 })
	if n := len(l.Sentences); n < 10 || !strings.HasSuffix(l.Sentences[n-1], "0 km.") || len(l.Sentences[n-1]) > 200 {
		t.Errorf("sentences %q", l.Sentences)
	}
}

// TestSkipCopied: from the lengths of the sentences alone one finds where they begin, in any
// language.
func TestSkipCopied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"One", " ", ". ", "12", "! ", "\n", "。", "34", "3. Mai", "€", "二", "\r\n", "\u2028", " 5 km", "Nr. "})).Draw(t, "parts")
		s, language := strings.Join(parts, ""), rapid.SampledFrom([]string{"en", "de", "zh", "th"}).Draw(t, "language")
		most := rapid.IntRange(16, 40).Draw(t, "most")
		l := Split(language, s).Fit(func(s string) bool { return len(s) <= most })
		at := 0
		for i, sentence := range l.Sentences {
			n := SkipCopied(s[at:])
			if l.gaps[i] != s[at:at+n] || !strings.HasPrefix(s[at+n:], sentence) {
				t.Fatalf("%q: sentence %d, %q, does not begin at byte %d", s, i, sentence, at+n)
			}
			at += n + len(sentence)
		}
		if n := SkipCopied(s[at:]); at+n != len(s) || HasLetters(l.gaps[len(l.gaps)-1]) {
			t.Fatalf("%q: behind the last sentence is %q", s, s[at:])
		}
	})
}

func TestFit(t *testing.T) {
	words := strings.Repeat("word ", 300)
	in := " Hello there, all of you. " + words + "\n" + strings.Repeat("ü", 40) + " x"
	l := Split("", in)
	if l.Cuts != 1 {
		t.Errorf("%d cuts, want 1", l.Cuts)
	}
	for _, most := range []int{1000, 300, 40, 9, 1} {
		f := l.Fit(func(s string) bool { return len(s) <= most })
		for _, s := range f.Sentences {
			if len(s) > max(most, 7) || s == "" {
				t.Errorf("at most %d: sentence %q", most, s)
			}
		}
		if got := len(f.Sentences) - len(l.Sentences) + l.Cuts; f.Cuts != got {
			t.Errorf("at most %d: %d cuts, but %d pieces more", most, f.Cuts, got)
		}
		if got, err := f.Join(f.Sentences); err != nil || got != in {
			t.Errorf("at most %d: joins to %q, %v", most, got, err)
		}
	}
	digits := strings.Repeat("1", 3000)
	if f := Split("", digits).Fit(func(s string) bool { return len(s) <= 40 }); f.Cuts != 0 || len(f.Sentences) != 0 {
		t.Errorf("%d cuts in a line that is copied", f.Cuts)
	}
	if got, err := (Layout{}).Fit(nil).Join(nil); err != nil || got != "" {
		t.Errorf("the zero Layout fits as %q, %v", got, err)
	}
}

func TestWhole(t *testing.T) {
	for in, want := range map[string][]string{
		"": nil, " \t": nil, "One. Two.": {"One. Two."}, " One. Two.\r": {"One. Two."},
	} {
		l := Whole(in)
		if got, err := l.Join(l.Sentences); err != nil || got != in || !slices.Equal(l.Sentences, want) {
			t.Errorf("Whole(%q) = %q, joins to %q, %v", in, l.Sentences, got, err)
		}
	}
}

// TestSplitPart: a long line taken apart in windows has the sentences it has
// in one piece, wherever the windows end.
func TestSplitPart(t *testing.T) {
	line := "Grüße! " + strings.Repeat("„Kommen Sie?“ Dr. Weber ging am 3. Mai. ",
		90) + strings.Repeat("wörter ", 400) + "Ende. 👩‍👩‍👧 (So.)   "
	want := Split("", line)
	for _, window := range []int{1500, 1501, 2000, 2003, 4099} {
		var got, joined []string
		cuts := 0
		for rest := line; rest != ""; {
			var l Layout
			n := len(rest)
			if n > window {
				l, n = SplitPart("", rest[:window])
			} else {
				l = Split("", rest)
			}
			s, err := l.Join(l.Sentences)
			if err != nil || s != rest[:n] {
				t.Fatalf("window %d: part %q joins to %q, %v", window, rest[:n], s, err)
			}
			got, joined, cuts, rest = append(got, l.Sentences...), append(joined, s), cuts+l.Cuts, rest[n:]
		}
		if !slices.Equal(got, want.Sentences) || cuts != want.Cuts || strings.Join(joined, "") != line {
			t.Errorf("window %d: %d sentences and %d cuts, want %d and %d", window, len(got), cuts,
				len(want.Sentences), want.Cuts)
		}
	}
	for _, s := range []string{"", " ", "one", strings.Repeat("x", 1024), "\xff\xff\xff", "a\xe2\x80"} {
		if l, n := SplitPart("", s); n == 0 && s != "" || n > len(s) {
			t.Errorf("SplitPart(%q) takes %d bytes, %q", s, n, l.Sentences)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("en", "Hello. How are you?\n Fine! ")
	f.Add("", "a.\xff B\r\nc\u2028d. "+strings.Repeat("x", 2000))
	f.Add("zh", "我在（家。）「好。」と。“好”。３．１４"+strings.Repeat("好，", 400))
	f.Add("th", "วันนี้ฝนตกหนักมาก พรุ่งนี้อากาศคงจะดี ྀ། །")
	f.Add("de", "1) z. B. am 3. Mai. . . . [...] « Ja. » 2) Nein: 👩‍👩‍👧 \U0001F1E9\U0001F1EA")
	f.Fuzz(func(t *testing.T, language, s string) {
		l := Split(language, s)
		if got, err := l.Join(l.Sentences); err != nil || got != s {
			t.Fatalf("Join(Split(%q)) = %q, %v", s, got, err)
		}
		for _, x := range l.Sentences {
			if x == "" || len(x) > MaxSentence || strings.TrimSpace(x) != x || strings.ContainsAny(x, "\n\r") {
				t.Fatalf("bad sentence %q", x)
			}
			if utf8.ValidString(s) && !utf8.ValidString(x) {
				t.Fatalf("a character is cut: %q", x)
			}
		}
		fitted := l.Fit(func(x string) bool { return len(x) < 20 })
		if got, err := fitted.Join(fitted.Sentences); err != nil || got != s {
			t.Fatalf("Join(Split(%q).Fit()) = %q, %v", s, got, err)
		}
		part, n := SplitPart(language, s)
		if got, err := part.Join(part.Sentences); err != nil || got != s[:n] || n == 0 && s != "" {
			t.Fatalf("Join(SplitPart(%q)) = %q, %v", s, got, err)
		}
		// A part has the sentences of the whole, whatever follows.
		if n < len(s) && utf8.ValidString(s) && !slices.Equal(part.Sentences, l.Sentences[:len(part.Sentences)]) {
			t.Fatalf("%q has the sentences %q, and its part %q", s, l.Sentences, part.Sentences)
		}
		half, m := SplitPart(language, s[:len(s)/2])
		if m < len(s)/2-3 && !slices.Equal(half.Sentences, l.Sentences[:min(len(half.Sentences), len(l.Sentences))]) {
			t.Fatalf("%q has the sentences %q, and its first half %q", s, l.Sentences, half.Sentences)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add(" a\u0308 \xff\u00ad\u200b")
	f.Fuzz(func(t *testing.T, s string) {
		n := Normalize(s)
		if m := Normalize(n); m != n {
			t.Fatalf("Normalize(%q) = %q, then %q", s, n, m)
		}
	})
}
