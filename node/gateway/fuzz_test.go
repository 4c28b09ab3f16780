package gateway

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFields: whatever a client sends is fields or a failure of the client's, and what was
// read is text.
func FuzzFields(f *testing.F) {
	for _, s := range [][3]string{
		{"application/json", "", `{"q":["a","b"],"source":"en","target":"de","alternatives":2}`},
		{"application/json; charset=utf-8", "", `{"q":null,"x":{"a":[1,true]},"show":false}`},
		{"application/x-www-form-urlencoded", "api_key=1", "q=a&q=b&source=en&alternatives=3"},
		{"multipart/form-data; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\none\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a\"\r\n\r\nb\r\n--x--\r\n"},
		{"", "", ""}, {"text/plain", "q=%", "q"}, {"application/json", "", strings.Repeat(`[`, 50)},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		r := httptest.NewRequest("POST", "/translate", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		got, err := readFields(r)
		if _, ok := err.(*failure); err != nil && !ok {
			t.Fatalf("%q is the gateway's own error: %v", body, err)
		}
		if err != nil {
			return
		}
		a, err := readLibre(got)
		if _, ok := err.(*failure); err != nil && !ok {
			t.Fatalf("%q is the gateway's own error: %v", body, err)
		}
		if err != nil {
			return
		}
		for _, s := range append(a.texts, a.from, a.to) {
			if !utf8.ValidString(s) {
				t.Fatalf("%q is read, and is not UTF-8", s)
			}
		}
		if len(a.texts) == 0 || a.alternatives < 0 {
			t.Fatalf("%q: %+v", body, a)
		}
	})
}

// FuzzTerms: entries that are read are written and read again as they are.
func FuzzTerms(f *testing.F) {
	for _, s := range [][2]string{{"tsv", "house\tHaus\nstreet\tStraße\r\n\n"}, {"csv", "a,b\n\"c, d\",\"e \"\"f\"\"\",en,de\n"}, {"tsv", "a"}, {"", "a\tb\na\tc"}, {"xml", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, format, text string) {
		terms, err := parseTerms(format, text)
		if err != nil {
			return
		}
		again, err := parseTerms("tsv", tsv(terms))
		if err != nil || len(again) != len(terms) {
			t.Fatalf("%q: %v, then %v, %v", text, terms, again, err)
		}
		for i := range terms {
			if again[i] != terms[i] {
				t.Fatalf("%q: %v, then %v", text, terms, again)
			}
		}
	})
}

// FuzzName: the name of a file leads nowhere else, and stays what it is.
func FuzzName(f *testing.F) {
	for _, s := range []string{"letter.txt", "../../etc/passwd", `C:\x\y.docx`, "a\r\nb.html", "<b>.md", strings.Repeat("ü", 300) + ".txt", ".", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := cleanName(name)
		if strings.ContainsAny(got, "/\\\r\n\"<>") || got == "." || got == ".." || !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxName {
			t.Fatalf("%q is %q", name, got)
		}
		if again := cleanName(got); again != got {
			t.Fatalf("%q is %q, and then %q", name, got, again)
		}
	})
}
