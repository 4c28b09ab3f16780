package terms_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// glossary parses lines whose columns are separated by "=".
func glossary(t testing.TB, lines ...string) *terms.Glossary {
	t.Helper()
	g, err := terms.Parse([]byte(strings.ReplaceAll(strings.Join(lines, "\n"), "=", "\t")))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []string
		segment string
		want    []string
	}{
		"a word":                     {[]string{"invoice=Rechnung"}, "The invoice is due.", []string{"Rechnung"}},
		"no word":                    {[]string{"invoice=Rechnung"}, "The bill is due.", nil},
		"an empty segment":           {[]string{"invoice=Rechnung"}, "", nil},
		"lower case finds any":       {[]string{"invoice=Rechnung"}, "INVOICE. Invoice!", []string{"Rechnung"}},
		"a capital finds itself":     {[]string{"US=USA"}, "us US", []string{"USA"}},
		"a capital finds no other":   {[]string{"US=USA"}, "us and Us", nil},
		"as written before any":      {[]string{"us=uns", "US=USA"}, "US", []string{"USA"}},
		"any where not as written":   {[]string{"us=uns", "US=USA"}, "us", []string{"uns"}},
		"no part of a word":          {[]string{"art=Kunst"}, "party artist smart", nil},
		"no inflection":              {[]string{"invoice=Rechnung"}, "invoices", nil},
		"beside punctuation":         {[]string{"art=Kunst"}, "(art)-art's", []string{"Kunst"}},
		"digits are in words":        {[]string{"b=x", "12=y"}, "b2 123 b-12", []string{"x", "y"}},
		"the longest":                {[]string{"invoice=R", "invoice number=RN"}, "invoice number of the invoice", []string{"RN", "R"}},
		"the longest from the left":  {[]string{"a b=1", "b c d=2"}, "a b c d", []string{"1"}},
		"no overlap":                 {[]string{"a b=1", "b c=2"}, "a b c", []string{"1"}},
		"each target once":           {[]string{"bill=R", "invoice=R"}, "bill, invoice, bill", []string{"R"}},
		"by their places":            {[]string{"b=2", "a=1"}, "a b", []string{"1", "2"}},
		"white space":                {[]string{"new  house=H"}, "a new\u00a0 \thouse", []string{"H"}},
		"letters in parts":           {[]string{"caf\u00e9=C"}, "cafe\u0301", []string{"C"}},
		"no letter at an edge":       {[]string{"c++=C", ".net=N"}, "C++11 and asp.net", []string{"C", "N"}},
		"other capitals":             {[]string{"straße=S", "ёж=igel"}, "STRAßE Ёж", []string{"S", "igel"}},
		"Chinese inside":             {[]string{"电脑=computer"}, "我的电脑很好", []string{"computer"}},
		"Japanese inside":            {[]string{"ネコ=cat"}, "黒いネコです", []string{"cat"}},
		"Thai inside":                {[]string{"แมว=cat"}, "ผมมีแมวตัวหนึ่ง", []string{"cat"}},
		"Latin beside Chinese":       {[]string{"iPhone=iPhone"}, "我的iPhone很好", []string{"iPhone"}},
		"Korean puts spaces":         {[]string{"고양이=cat"}, "고양이를 고양이", []string{"cat"}},
		"Korean with its ending":     {[]string{"고양이=cat"}, "고양이를", nil},
		"a byte that is not UTF-8":   {[]string{"a=b"}, "\xff a", []string{"b"}},
		"a capital that is two long": {[]string{"i=x"}, "İ", []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := glossary(t, c.lines...).Of(c.segment); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	g, err := terms.Parse([]byte("\uFEFF# names\r\n\r\n  invoice \t Rechnung  \r\nnew   house\tNeubau\n \t \ninvoice\tRechnung\nlast\tletzte"))
	if err != nil {
		t.Fatal(err)
	}
	want := []unit.Term{{Source: "invoice", Target: "Rechnung"}, {Source: "new house", Target: "Neubau"}, {Source: "last", Target: "letzte"}}
	if got := g.Lines(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	var many strings.Builder
	for i := range terms.MaxLines + 1 {
		fmt.Fprintf(&many, "%d\tx\n", i)
	}
	for want, data := range map[string]string{
		`line 1 of the glossary: "one" has 0 tabs`:                  "one",
		`line 2 of the glossary: "a\tb\tc" has 2 tabs`:              "x\ty\na\tb\tc",
		`line 3 of the glossary: "" stands for "b": a term`:         "# x\n\n\tb",
		`"a" stands for "": a term is missing`:                      "a\t \u200b",
		`line 2 of the glossary: "a" is "c" here and "b" in line 1`: "a\tb\na\tc",
		`has 257 bytes, at most 256`:                                "a\t" + strings.Repeat("x", 257),
		`is not UTF-8: save`:                                        "a\t\xff",
		`line 50001 of the glossary: more than 50000 terms`:         many.String(),
		`the glossary has 4194305 bytes, at most 4194304 are read`:  strings.Repeat("\n", terms.MaxSize+1),
	} {
		if _, err := terms.Parse([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestNew(t *testing.T) {
	for want, lines := range map[string][]unit.Term{
		`term 1: "a" is there twice`: {{Source: "a", Target: "b"}, {Source: "a", Target: "b"}},
		`is not normalised`:          {{Source: "a ", Target: "b"}},
		`term 0: "" stands for "b"`:  {{Target: "b"}},
	} {
		if _, err := terms.New(lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestAll: the lines that are used find the same in the same segments.
func TestAll(t *testing.T) {
	g := glossary(t, "z=unused", "a b=1", "b=2", "b c=3", "C=4")
	segments := []string{"a b c", "", "b, C", "x"}
	targets, used := g.All(segments)
	if want := [][]string{{"1"}, nil, {"2", "4"}, nil}; !reflect.DeepEqual(targets, want) {
		t.Errorf("targets %q, want %q", targets, want)
	}
	if want := []unit.Term{{Source: "a b", Target: "1"}, {Source: "b", Target: "2"}, {Source: "C", Target: "4"}}; !reflect.DeepEqual(used, want) {
		t.Errorf("used %+v, want %+v", used, want)
	}
	again, err := terms.New(used)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := again.All(segments); !reflect.DeepEqual(got, targets) {
		t.Errorf("the used lines find %q, all lines %q", got, targets)
	}
}

// FuzzGlossary: any glossary is refused, or finds in any segment only terms that stand there,
// and its used lines find the same.
func FuzzGlossary(f *testing.F) {
	f.Add("invoice\tRechnung\nUS\tUSA", "The invoice of the US.")
	f.Add("\uFEFF# x\r\n电脑\tcomputer\r\nbad", "我的电脑")
	f.Add("i\tx\nİ\ty", "İi")
	f.Add("a b\t1\nb c\t2\nb\t3", "a b c")
	f.Fuzz(func(t *testing.T, data, segment string) {
		g, err := terms.Parse([]byte(data))
		if err != nil {
			return
		}
		again, err := terms.New(g.Lines())
		if err != nil {
			t.Fatalf("the lines of a glossary are refused: %v", err)
		}
		targets, used := again.All([]string{segment})
		if !slices.Equal(targets[0], g.Of(segment)) {
			t.Fatalf("%q, and again %q", g.Of(segment), targets[0])
		}
		small, err := terms.New(used)
		if err != nil {
			t.Fatal(err)
		}
		if got := small.Of(segment); !slices.Equal(got, targets[0]) {
			t.Fatalf("used lines %+v find %q in %q, all lines %q", used, got, segment, targets[0])
		}
		folded := strings.ToLower(text.Normalize(segment))
		for _, l := range used {
			if utf8.RuneCountInString(folded) == utf8.RuneCountInString(segment) && !strings.Contains(folded, strings.ToLower(l.Source)) {
				t.Fatalf("%q is found in %q", l.Source, segment)
			}
		}
	})
}

func Example() {
	g, err := terms.Parse([]byte("# our words\ninvoice\tRechnung\ninvoice number\tRechnungsnummer\nACME\tACME\n"))
	if err != nil {
		panic(err)
	}
	fmt.Println(g.Of("Invoice number 17 of ACME"))
	// Output: [Rechnungsnummer ACME]
}

// TestSlow holds the search to a slow obvious version: at each place outside of words, every
// line is looked at, the longest first and of two as long the one with a capital.
func TestSlow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		var s []rune
		for range 1 + random.IntN(most) {
			s = append(s, []rune("aAb 中É")[random.IntN(6)])
		}
		return strings.Join(strings.Fields(string(s)), " ")
	}
	for range 300 {
		var lines []unit.Term
		seen := map[string]bool{"": true}
		for range random.IntN(12) {
			if w := word(5); !seen[w] {
				seen[w] = true
				lines = append(lines, unit.Term{Source: w, Target: fmt.Sprint(len(lines))})
			}
		}
		g, err := terms.New(lines)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			segment := word(12)
			if got, want := g.Of(segment), slowly(lines, segment); !slices.Equal(got, want) {
				t.Fatalf("%q in %q: %q, want %q", lines, segment, got, want)
			}
		}
	}
	// A glossary of terms that begin alike, and a text in which every word begins as they do.
	var lines []unit.Term
	for i := range terms.MaxLines {
		lines = append(lines, unit.Term{Source: fmt.Sprintf("a b%d", i), Target: "x"})
	}
	g, err := terms.New(lines)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Of(strings.Repeat("a ", 1<<17) + "a b7"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("got %q", got)
	}
}

func slowly(lines []unit.Term, segment string) (targets []string) {
	lower := func(s string) string { return strings.Map(unicode.ToLower, s) }
	_, s := text.Code(text.Normalize(segment))
	runes := []rune(s)
	edge := func(at int) bool {
		return at == 0 || at == len(runes) || !text.InWord(runes[at-1]) || !text.InWord(runes[at])
	}
	for at := 0; at < len(runes); {
		best, n, exact := "", 0, false
		for _, l := range lines {
			k, capital := utf8.RuneCountInString(l.Source), lower(l.Source) != l.Source
			if at+k > len(runes) || !edge(at) || !edge(at+k) || k < n || k == n && exact {
				continue
			}
			if there := string(runes[at : at+k]); there == l.Source || !capital && lower(there) == l.Source {
				best, n, exact = l.Target, k, capital
			}
		}
		if n > 0 && !slices.Contains(targets, best) {
			targets = append(targets, best)
		}
		at += max(n, 1)
	}
	return targets
}
