package score

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// vector is a figure that sacreBLEU computed.
type vector struct {
	Kind string
	Opts struct {
		Tokenize       string
		Lowercase      bool
		SmoothMethod   string  `json:"smooth_method"`
		SmoothValue    float64 `json:"smooth_value"`
		EffectiveOrder bool    `json:"effective_order"`
		CharOrder      *int    `json:"char_order"`
		WordOrder      int     `json:"word_order"`
		Beta           *int
		Whitespace     bool
		EpsSmoothing   bool `json:"eps_smoothing"`
		Normalized     int
		NoPunct        int `json:"no_punct"`
		AsianSupport   int `json:"asian_support"`
		CaseSensitive  int `json:"case_sensitive"`
	}
	Lang      string
	Refs      int
	Sentence  int // from 1; 0 is the whole text
	Score     float64
	Signature string
}

// metric is the metric of a vector.
func (v vector) metric(t *testing.T) Metric {
	t.Helper()
	o := v.Opts
	switch v.Kind {
	case "bleu":
		tok, err := TokenizerOf(o.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		return BLEU{tok, o.Lowercase, Smoothing(o.SmoothMethod), o.SmoothValue, o.EffectiveOrder}.Metric()
	case "ter":
		return TER{o.Normalized != 0, o.NoPunct != 0, o.AsianSupport != 0, o.CaseSensitive != 0}.Metric()
	}
	c := NewChrF()
	c.Words, c.Lowercase, c.Whitespace, c.Epsilon = o.WordOrder, o.Lowercase, o.Whitespace, o.EpsSmoothing
	if o.CharOrder != nil {
		c.Characters = *o.CharOrder
	}
	if o.Beta != nil {
		c.Beta = *o.Beta
	}
	return c.Metric()
}

// TestSacreBLEU: the figures and signatures of sacreBLEU 2.6.0 for texts in eleven languages, with
// all tokenizers and options, and with one, several, and different numbers of references. Our own
// texts, with a translation and two lists of references each; the second list has gaps.
func TestSacreBLEU(t *testing.T) {
	data, err := os.ReadFile("testdata/sacrebleu.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Texts   map[string][3][]string
		Vectors []vector
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 500 {
		t.Fatalf("%d vectors", len(file.Vectors))
	}
	worst := 0.0
	for _, v := range file.Vectors {
		text := file.Texts[v.Lang]
		hyp, refs := text[0], References(text[1:1+v.Refs]...)
		if v.Sentence > 0 {
			hyp, refs = hyp[v.Sentence-1:v.Sentence], refs[v.Sentence-1:v.Sentence]
		}
		m := v.metric(t)
		got, err := m.Score(hyp, refs)
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, math.Abs(got-v.Score))
		if math.Abs(got-v.Score) > 1e-6 {
			t.Errorf("%s %+v of %s, sentence %d, %d references: %.9f, want %.9f", v.Kind, v.Opts, v.Lang, v.Sentence, v.Refs, got, v.Score)
		}
		if s := m.Signature(refs); v.Signature != "" && s != v.Signature+"|version:"+version {
			t.Errorf("%s %+v: signature %s, want %s", v.Kind, v.Opts, s, v.Signature)
		}
	}
	t.Logf("%d figures, the farthest is %.1e away", len(file.Vectors), worst)
}

// TestPublished: figures that stand in sacreBLEU's own tests.
func TestPublished(t *testing.T) {
	hyps := []string{"The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."}
	refs := References(
		[]string{"The dog bit the man.", "It was not unexpected.", "The man bit him first."},
		[]string{"The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."})
	for tok, want := range map[string]float64{"13a": 48.530827, "none": 49.1919566, "intl": 43.91623493} {
		tokenizer, err := TokenizerOf(tok)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (BLEU{WordSplitter: tokenizer}).Metric().Score(hyps, refs); err != nil || math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %.6f, %v; want %.6f", tok, got, err, want)
		}
	}
	got, err := (BLEU{WordSplitter: TokenizerFor("en")}).Metric().Score([]string{"", "", ""}, refs)
	if err != nil || got != 0 {
		t.Errorf("empty lines: %v, %v", got, err)
	}
	// The case of its issue 98, sentence by sentence.
	one, ref := []string{"Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;"}, References([]string{"producţia de zahăr brut se exprimă în zahăr alb;"})
	for _, c := range []struct {
		o    BLEU
		tok  string
		want float64
	}{
		{BLEU{}, "13a", 8.493}, {BLEU{Smoothing: NoSmoothing}, "13a", 0}, {BLEU{Smoothing: Floor}, "13a", 4.51688},
		{BLEU{Smoothing: Floor, Value: 0.5}, "13a", 10.10}, {BLEU{Smoothing: AddK}, "13a", 14.882}, {BLEU{Smoothing: AddK, Value: 2}, "13a", 21.389},
		{BLEU{}, "none", 7.347}, {BLEU{}, "intl", 8.493}, {BLEU{}, "char", 40.8759}, {BLEU{Lowercase: true}, "char", 42.0267},
	} {
		c.o.EffectiveOrder = true
		if c.o.WordSplitter, err = TokenizerOf(c.tok); err != nil {
			t.Fatal(err)
		}
		if got, err := c.o.Metric().Score(one, ref); err != nil || math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%s %s: %.4f, %v; want %.4f", c.o.Metric().settings, c.tok, got, err, c.want)
		}
	}
	// chrF3 and its options.
	for _, c := range []struct {
		o        ChrF
		hyp, ref string
		want     float64
	}{
		{ChrF{Characters: 6, Beta: 3, Epsilon: true}, "abcdefg", "hijklmnop", 0},
		{ChrF{Characters: 6, Beta: 3, Epsilon: true}, "aa", "ab", 8.3333},
		{ChrF{Characters: 6, Beta: 3, Epsilon: true}, "a b c", "abc", 50},
		{ChrF{Characters: 6, Beta: 3}, "a b c", "abc", 100},
		{ChrF{Characters: 6, Beta: 3}, "aa", "ab", 25},
		{ChrF{Characters: 6, Beta: 3, Whitespace: true}, "Die Beziehung zwischen Obama und Netanjahu ist nicht gerade freundlich.", "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.", 67.3481606},
		{ChrF{Characters: 6, Beta: 2, Epsilon: true}, "Nebo prostě nemají vybavení, které by jim pomohlo, uvedli lékaři.", "A někdy nemáme ani potřebný materiál, abychom jim pomohli, popsali lékaři.", 31.22557079},
	} {
		if got, err := c.o.Metric().Score([]string{c.hyp}, References([]string{c.ref})); err != nil || math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%+v %q: %.5f, %v; want %.5f", c.o, c.hyp, got, err, c.want)
		}
	}
	for _, c := range []struct {
		o        TER
		in, want string
	}{
		{TER{}, "A B C D.", "a b c d."}, {TER{NoPunctuation: true}, "A ; B ) C : D.", "a b c d"},
		{TER{Normalized: true}, "Jim's car. a b (c) 4.2", "jim 's car . a b ( c ) 4.2"},
		{TER{Normalized: true, Asian: true}, "美众院公布对特", "美 众 院 公 布 对 特"},
		{TER{Normalized: true, Asian: true}, "りの拳銃を持", "りの 拳 銃 を 持"},
	} {
		if got := strings.Join(c.o.words(c.in), " "); got != c.want {
			t.Errorf("%+v %q: %q, want %q", c.o, c.in, got, c.want)
		}
	}
}

// TestLower: Python's str.lower of Unicode's special cases.
func TestLower(t *testing.T) {
	for in, want := range map[string]string{
		"ΟΔΟΣ": "οδος", "ΟΔΟΣ ΣΑΣ, ΣΑΣ'Σ": "οδος σας, σασ'ς", "Σ": "σ", "ΑΣ.": "ας.", "ΑΣ.Α": "ασ.α", "ΣΑ": "σα",
		"İSTANBUL": "i\u0307stanbul", "IĞDIR": "iğdir", "ẞ": "ß", "K": "k", "ǅ": "ǆ", "ABC": "abc", "": "",
		"ΑΣ\u0301": "ας\u0301", "\U00010400": "\U00010428",
	} {
		if got := lower(in); got != want {
			t.Errorf("lower(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestTokenizerFor: the choice by language, and the warnings.
func TestTokenizerFor(t *testing.T) {
	for language, want := range map[string]string{
		"de": "13a", "zh": "zh", "zh-TW": "zh", "zho_Hans": "zh", "yue": "zh", "zh-Latn": "13a", "ja": "char", "jpn_Jpan": "char", "ko": "char",
		"th": "13a", "": "13a", "my": "13a",
	} {
		if got := TokenizerFor(language).Name; got != want {
			t.Errorf("%q: %s, want %s", language, got, want)
		}
	}
	for _, c := range []struct {
		tok, language string
		warned, fits  bool
	}{
		{"13a", "de", false, true}, {"13a", "zh", true, false}, {"zh", "zh", false, false}, {"13a", "th", true, false},
		{"char", "th", false, false}, {"intl", "km-KH", true, false}, {"none", "mya_Mymr", true, false}, {"13a", "ko", false, false},
		{"13a", "ja-Latn", false, true}, {"13a", "dz", true, false}, {"13a", "bo", true, false}, {"13a", "lo", true, false},
	} {
		tok, err := TokenizerOf(c.tok)
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Warning(c.language) != ""; got != c.warned {
			t.Errorf("%s for %s: warned %v", c.tok, c.language, got)
		}
		if got := Fits(c.language); got != c.fits {
			t.Errorf("%s fits: %v", c.language, got)
		}
	}
	if TokenizerFor("ja").Comparable("ja") == "" || TokenizerFor("ko").Comparable("ko") == "" || TokenizerFor("zh").Comparable("zh") != "" {
		t.Error("the substitutes for MeCab are not said, or others are")
	}
	if _, err := TokenizerOf("moses"); err == nil || !strings.Contains(err.Error(), "13a, zh, intl, char, none") {
		t.Errorf("unknown tokenizer: %v", err)
	}
}

// FuzzTokenizers: no text makes a tokenizer fail, no token is empty or has white space, and a
// translation that is its own reference has no edits and the best scores.
func FuzzTokenizers(f *testing.F) {
	for _, s := range []string{"", "a.b, 3.5-4 &amp;lt;", "他说：“25.50元”…", "İΣ\xff\u2028.", "1.\x1c2", "ｶﾞ😀𠀀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 300 {
			t.Skip()
		}
		refs := References([]string{s})
		for _, tok := range Tokenizers() {
			words := tok.words(s)
			for _, w := range words {
				if w == "" || strings.IndexFunc(w, white) >= 0 {
					t.Errorf("%s: %q has the token %q", tok.Name, s, w)
				}
			}
			x, err := (BLEU{WordSplitter: tok, EffectiveOrder: true, Lowercase: true}).Metric().Score([]string{s}, refs)
			if err != nil || len(words) > 0 && math.Abs(x-100) > 1e-6 {
				t.Errorf("%s: %q scores %v, %v", tok.Name, s, x, err)
			}
		}
		for _, m := range []Metric{NewChrFPlus().Metric(), TER{Normalized: true, NoPunctuation: true, Asian: true}.Metric()} {
			if x, err := m.Score([]string{s}, refs); err != nil || m.Lower && x != 0 || !m.Lower && len(fields(s)) > 0 && math.Abs(x-100) > 1e-6 {
				t.Errorf("%s: %q scores %v, %v", m.Name, s, x, err)
			}
		}
	})
}
