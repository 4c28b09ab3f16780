package text

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSpans(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " \n ": "", "one": "one", " Hello,  (old) world! ": "Hello,|(old)|world!",
		"你好，Ada!": "你|好，|Ada!", "「他 说」。3个": "「他|说」。|3|个", "12:30 – 5 km": "12:30|–|5|km",
		"が\u3099か": "が\u3099|か", "สวัสดี": "ส|วั|ส|ดี", "한국어 단어": "한국어|단어", "iPhone手机": "iPhone|手|机", "e\u0301a": "e\u0301a",
	} {
		var got []string
		for _, w := range Words(in) {
			got = append(got, in[w.From:w.To])
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q has the words %q, want %q", in, s, want)
		}
	}
}

func TestPharaoh(t *testing.T) {
	if got := Pharaoh([]WordLink{{10, 1}, {2, 3}, {2, 1}, {2, 3}}); got != "2-1 2-3 10-1" {
		t.Errorf("got %q", got)
	}
	if got := Pharaoh(nil); got != "" {
		t.Errorf("of no links: %q", got)
	}
}

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		in, code string
		out      []string
		links    [][]WordLink
		want     string
	}{
		{"one two. Three", "", []string{"eins zwei.", "Drei"}, [][]WordLink{{{0, 0}, {1, 1}}, {{0, 0}}}, "0-0 1-1 2-2"},
		{"one two. Three", ">>deu<<", []string{"zwei, eins,\nja.", "Drei"}, [][]WordLink{{{0, 1}, {1, 0}, {1, 2}}, {{0, 0}}}, "0-1 1-0 1-2 2-3"},
		{"Ring us. 12 34!", "", []string{"Ruft uns an."}, [][]WordLink{{{0, 0}, {0, 2}, {1, 1}}}, "0-0 0-2 1-1 2-3 3-4"},
		{"12 %", "", nil, nil, "0-0 1-1"},
		{"我来。「他走。」", "", []string{"I come.", "“He goes.”"}, [][]WordLink{{{0, 0}, {1, 1}}, {{0, 0}, {1, 1}}}, "0-0 1-1 2-1 3-2"},
		{"a", "", []string{""}, [][]WordLink{{{0, 0}, {7, 7}}}, ""},
	} {
		l := Split("", c.in).Coded(c.code).Fit(func(string) bool { return true })
		if got := Pharaoh(l.Links(c.out, c.links)); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := (Layout{}).Links(nil, nil); got != nil {
		t.Errorf("no text has the links %v", got)
	}
}

// TestLinksOfItself: a text that is its own translation, word for word, is linked word for word,
// however it was divided.
func TestLinksOfItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"One", " ", ". ", "12", "! ", "\n", "。", "我", "「", "」", "é", "ส"})).Draw(t, "parts"), "")
		l := Split("en", s).Fit(func(s string) bool { return len(s) <= 20 })
		links := make([][]WordLink, len(l.Sentences))
		for i, sentence := range l.Sentences {
			for w := range Words(sentence) {
				links[i] = append(links[i], WordLink{w, w})
			}
		}
		var want []WordLink
		for w := range Words(s) {
			want = append(want, WordLink{w, w})
		}
		if got := l.Links(l.Sentences, links); !slices.Equal(got, want) {
			t.Fatalf("%q has %v", s, got)
		}
	})
}
