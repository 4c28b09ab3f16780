package document

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// capitals translates into capitals, and leaves what it is told to leave.
func capitals(text string) (string, bool) { return strings.ToUpper(text), true }

// enemy translates into text that breaks a file that does not escape it.
func enemy(text string) (string, bool) {
	return text + ` <x y="z">&amp;'"]]>-->` + "\x00\xff</p>", true
}

func rebuild(t testing.TB, d *Document, target string, of func(string) (string, bool)) (string, []Doubt) {
	t.Helper()
	out, flags, err := d.Rebuild(Translations{Source: "en", Target: target, Of: of})
	if err != nil {
		t.Fatal(err)
	}
	return string(out), flags
}

func sameBytes(t testing.TB, d *Document, data []byte) {
	t.Helper()
	out, err := d.Check()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, data) {
		at := 0
		for at < len(out) && at < len(data) && out[at] == data[at] {
			at++
		}
		t.Fatalf("not identical from byte %d: %q, want %q", at, out[at:min(at+60, len(out))], data[at:min(at+60, len(data))])
	}
}

func TestHTML(t *testing.T) {
	for _, test := range []struct {
		name, in string
		texts    []string
		out      string // in capitals
	}{
		{"paragraph", "<p>\n  Hello\n  world.\n</p>\n", []string{"Hello world."}, "<p>\n  HELLO WORLD.\n</p>\n"},
		{"bold", "<p>Press <b>Save</b> now.", []string{"Press Save now.", "Press", "Save", "now."}, "<p>PRESS <b>SAVE</b> NOW."},
		{"wrapped", `<td><a href="x">Home page</a></td>`, []string{"Home page"}, `<td><a href="x">HOME PAGE</a></td>`},
		{"code", "<p>Call <code>free(&amp;x)</code> once.</p>", []string{"Call free(&x) once.", "Call", "once."}, "<p>CALL <code>free(&amp;x)</code> ONCE.</p>"},
		{"entities", "<p>Fish &amp; chips&nbsp;&lt;3 caf&eacute; &copyright</p>", []string{"Fish & chips\u00a0<3 café ©right"}, "<p>FISH &amp; CHIPS&nbsp;&lt;3 CAF&#201; &#169;RIGHT</p>"},
		{"attributes", `<p>See <img src=a.png alt="A 'big' dog" title=cat> there</p>`, []string{"See", "there", "A 'big' dog", "cat"}, `<p>SEE <img src=a.png alt="A 'BIG' DOG" title="CAT"> THERE</p>`},
		{"single quotes", `<input placeholder='Your name' value='x'><input type=Submit value='Go'>`, []string{"Your name", "Go"}, `<input placeholder='YOUR NAME' value='x'><input type=Submit value='GO'>`},
		{"attribute references", `<a title="a&copy=1 &copy; &amp;">x1</a>`, []string{"a&copy=1 © &", "x1"}, `<a title="A&amp;COPY=1 &#169; &amp;">X1</a>`},
		{"meta", `<meta name=description content="Good things"><meta property="og:title" content="Title"><meta name=viewport content="width=1">`, []string{"Good things", "Title"}, `<meta name=description content="GOOD THINGS"><meta property="og:title" content="TITLE"><meta name=viewport content="width=1">`},
		{"untouched", "<pre>a b</pre><script>var a = '<p>x</p>'</script><style>p{}</style><textarea>t</textarea><svg><text>s</text></svg><template><p>x</template><p translate=no>no<p>yes<div class='a notranslate'>no</div><div contenteditable>no</div>", []string{"yes"}, "<pre>a b</pre><script>var a = '<p>x</p>'</script><style>p{}</style><textarea>t</textarea><svg><text>s</text></svg><template><p>x</template><p translate=no>no<p>YES<div class='a notranslate'>no</div><div contenteditable>no</div>"},
		{"translate inside", `<div translate=no>no <p translate=yes>yes <b>sir</b></p> no</div> go`, []string{"yes sir", "yes", "sir", "go"}, `<div translate=no>no <p translate=yes>YES <b>SIR</b></p> no</div> GO`},
		{"break", "<p>one<br>two<br><br>three</p>", []string{"one", "two", "three"}, "<p>ONE<br>TWO<br><br>THREE</p>"},
		{"sentences", "<p>One <b>more.</b><br>Two<br>three.</p>", []string{"One more.", "One", "more.", "Two", "three."}, "<p>ONE <b>MORE.</b><br>TWO<br>THREE.</p>"},
		{"misnested", "<p>a <b>b <i>c</b> d</i> e", nil, "<p>A <b>B <i>C</b> D</i> E"},
		{"comment", "<!-- c --><p>a<!-- d > --><![if IE]>b</p><!--[if IE]><p>x</p><![endif]-->", nil, "<!-- c --><p>A<!-- d > --><![if IE]>B</p><!--[if IE]><p>x</p><![endif]-->"},
		{"php", "<p><?php if ($a->b > 1) echo 'x' ?>text</p>", []string{"text"}, "<p><?php if ($a->b > 1) echo 'x' ?>TEXT</p>"},
		{"noscript", "<noscript><p>Turn it on</p></noscript>", []string{"Turn it on"}, "<noscript><p>TURN IT ON</p></noscript>"},
		{"placeholder", "<p>Hello {{name}}, see https://example.org/a now</p>", nil, "<p>HELLO {{name}}, SEE https://example.org/a NOW</p>"},
		{"fragment", "just text", []string{"just text"}, "JUST TEXT"},
		{"unclosed code", "<p>a <code>b<p>c", nil, "<p>A <code>b<p>c"},
		{"options", "<select><option value=a>Red<option>Blue</select>", []string{"Red", "Blue"}, "<select><option value=a>RED<option>BLUE</select>"},
		{"anchor", `<h2><a name="top"></a>Top <!-- x --></h2>`, []string{"Top"}, `<h2><a name="top"></a>TOP <!-- x --></h2>`},
		{"ends in a tag", "<p>end <a href=", []string{"end"}, "<p>END <a href="},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := parseHTML([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, d, []byte(test.in))
			if test.texts != nil && !slices.Equal(slices.Sorted(slices.Values(d.Texts())), slices.Sorted(slices.Values(test.texts))) {
				t.Errorf("texts %q, want %q", d.Texts(), test.texts)
			}
			if out, flags := rebuild(t, d, "de", func(s string) (string, bool) {
				// What a good model does: it leaves codes alone.
				var b strings.Builder
				for _, p := range placeholders(s) {
					if p.Kind == Plain && s != "Call free(&x) once." {
						b.WriteString(strings.ToUpper(p.Text))
					} else {
						b.WriteString(strings.NewReplacer("Call", "CALL", "once", "ONCE").Replace(p.Text))
					}
				}
				return b.String(), true
			}); out != test.out {
				t.Errorf("out\n%s\nwant\n%s\nflags %v", out, test.out, flags)
			}
		})
	}
}

func TestXHTML(t *testing.T) {
	in := `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
<head><title/><script>//<![CDATA[
 if (a < b && c > d) {}
//]]></script></head>
<body><p>One<a id="p2"/> two&nbsp;&#160;<i/>three</p><div/>after <br/></body></html>`
	d := &Document{}
	p, err := htmlPart(d, "OEBPS/one.xhtml", []byte(in), true)
	if err != nil {
		t.Fatal(err)
	}
	d.parts = []part{p}
	sameBytes(t, d, []byte(in))
	out, _ := rebuild(t, d, "he", capitals)
	want := strings.NewReplacer(`xmlns=`, `dir="rtl" xmlns=`, `xml:lang="en" lang="en"`, `xml:lang="he" lang="he"`, "One<", "ONE<", " two&nbsp;&#160;<", " TWO&#160;&#160;<", "three", "THREE", "after", "AFTER").Replace(in)
	if out != want {
		t.Errorf("out\n%s\nwant\n%s", out, want)
	}
	if d.Segments[0].Where != "OEBPS/one.xhtml, line 7" {
		t.Errorf("where %q", d.Segments[0].Where)
	}
}

func TestHTMLLanguage(t *testing.T) {
	for _, test := range []struct{ in, target, out string }{
		{`<html><p>`, "de", `<html lang="de"><p>`},
		{`<HTML lang=en dir="ltr">`, "ar", `<HTML lang="ar" dir="rtl">`},
		{`<html lang="ar" dir='rtl'>`, "fr", `<html lang="fr" dir='ltr'>`},
		{`<html lang>`, "pa-Arab", `<html dir="rtl" lang="pa-Arab">`},
		{`<html lang=>`, "uz-Latn", `<html lang="uz-Latn">`},
		{`<html LANG = 'en' >`, `x'"<`, `<html LANG = 'x&#39;&quot;&lt;' >`},
		{`<html lang="de">`, "de", `<html lang="de">`},
		{`<html lang="en"><meta property=og:locale content=en_US><meta http-equiv="Content-Language" content="en">`, "pt-BR", `<html lang="pt-BR"><meta property=og:locale content="pt_BR"><meta http-equiv="Content-Language" content="pt-BR">`},
		{`<p>no page`, "ar", `<p>no page`},
	} {
		d, err := parseHTML([]byte(test.in))
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := rebuild(t, d, test.target, func(s string) (string, bool) { return s, true }); out != test.out {
			t.Errorf("%s into %s: %s, want %s", test.in, test.target, out, test.out)
		}
	}
}

func TestHTMLCharsets(t *testing.T) {
	encode := func(e encoding.Encoding, s string) string {
		b, err := e.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	utf16 := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	for _, test := range []struct {
		name, in, text, to, out string
	}{
		{"Latin-1", "<meta charset=iso-8859-1><p>caf\xe9", "café", "Größe 日本", "<meta charset=iso-8859-1><p>Gr\xf6\xdfe &#26085;&#26412;"},
		{"Shift_JIS", encode(japanese.ShiftJIS, "<meta charset=shift_jis><p>表示能力"), "表示能力", "ソ é", encode(japanese.ShiftJIS, "<meta charset=shift_jis><p>ソ &#233;")},
		{"UTF-16", encode(utf16, "<p>Grüße 😀"), "Grüße 😀", "日本", encode(utf16, "<p>日本")},
		{"UTF-8 with a mark", "\ufeffHello", "Hello", "日本", "\ufeff日本"},
		{"UTF-8 that says Latin-1", "<meta charset=iso-8859-1><p>café", "café", "日本", "<meta charset=iso-8859-1><p>日本"},
		{"ASCII that says UTF-8", "<meta charset=utf-8><p>cafe", "cafe", "日本", "<meta charset=utf-8><p>日本"},
		{"ASCII that says nothing", "<p>cafe", "cafe", "日本", "<p>&#26085;&#26412;"},
		{"windows-1252 that says nothing", "<p>caf\xe9", "café", "naïve", "<p>na\xefve"},
		{"broken UTF-8", "<meta charset=utf-8><p>ca\xfffe", "ca", "da", "<meta charset=utf-8><p>da\xffda"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := parseHTML([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, d, []byte(test.in))
			if texts := d.Texts(); len(texts) == 0 || texts[0] != test.text {
				t.Errorf("texts %q, want %q", texts, test.text)
			}
			if out, _ := rebuild(t, d, "", func(string) (string, bool) { return test.to, true }); out != test.out {
				t.Errorf("out %q, want %q", out, test.out)
			}
		})
	}
	for in, want := range map[string]string{
		"<meta charset=shift_jis><p>\x81":      "byte 27 is broken",
		"\xff\xfe<\x00\x00\xd8":                "convert it to UTF-8",
		"\xff\xfe\x00\x00<\x00\x00\x00":        "UTF-32",
		"<?xml version='1.0' encoding='ebc'?>": `"ebc"`,
	} {
		if _, err := parseHTML([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
}

// TestMarkupLinear reads files that are made to be slow to read. A reader that needs the
// square of their length does not end in the time of a test.
func TestMarkupLinear(t *testing.T) {
	for _, s := range []string{
		"<b>", "<div>", "<p>a<b>", "</b>", "<i></b>", "<b></i>a", "<?", "<?>", "<?a>b?>", "<!--", "<![CDATA[", "<a b=", "<code>a<p>", "<a title='b'>c</a>",
		"&", "&amp", "a&#1;", "<br>", "<svg>", "<li>a", "<td><b>a", "<x>a</y>", "<p translate=no>a<div translate=yes>b", "a\xfc", "<html lang>", "<p a a a a ",
	} {
		for _, xhtml := range []bool{false, true} {
			data := []byte(strings.Repeat(s, 200_000/len(s)))
			d := &Document{}
			p, err := htmlPart(d, "", data, xhtml)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			d.parts = []part{p}
			sameBytes(t, d, data)
		}
	}
	for _, s := range []string{"<x>", "<source/>", "<trans-unit><source>", "<trans-unit><source>a<g/>", "&amp;", "<!-- -->", "<trans-unit><source>a</source></trans-unit>", "<trans-unit><source>a<bpt id='1'/>"} {
		for _, end := range []string{"", "</source></trans-unit>"} {
			data := []byte("<xliff version='1.2'>" + strings.Repeat(s, 200_000/len(s)) + end + "</xliff>")
			if d, err := parseXLIFF(data); err == nil {
				sameBytes(t, d, data)
			}
		}
	}
	data := []byte("<xliff version='1.2'><trans-unit><source>" + strings.Repeat("a<bpt id='1'/>b<ept id='1'/>", 10_000) + "</source></trans-unit></xliff>")
	d, err := parseXLIFF(data)
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, d, data)
}

// tags returns the names of the tags of a page.
func tags(data []byte) (all []string) {
	z := html.NewTokenizer(bytes.NewReader(data))
	for {
		switch k := z.Next(); k {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				panic(z.Err())
			}
			return all
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
			name, _ := z.TagName()
			all = append(all, k.String()+" "+string(name))
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{"<html><p>a<br/>b &#160; <i>c</i></p><![CDATA[<]]><p title='&quot;'/><?x y?></html>", "<p>a <b>b</b> &amp; <code>c</code><br>d", "<html lang=en><title>t</title><img alt=x>", "<svg/><math>a</math>", "<p a='b' title=\"c\"", "\xff<p>\x00&#0;&#x80;&notit;", "<?php ?><!-- --><![CDATA[a]]>", "<a translate=no>x<p>y</a>z<li>u<li>v"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, xhtml := range []bool{false, true} {
			d := &Document{}
			p, err := htmlPart(d, "x", data, xhtml)
			if err != nil {
				continue
			}
			d.parts = []part{p}
			sameBytes(t, d, data)
			for _, of := range []func(string) (string, bool){capitals, enemy} {
				out, _ := rebuild(t, d, "", of)
				if p.recode == nil && !xhtml && !slices.Equal(tags([]byte(out)), tags(data)) {
					t.Fatalf("tags changed: %q to %q", data, out)
				}
				if before, ok := elements(data); p.recode == nil && xhtml && ok {
					if after, ok := elements([]byte(out)); !ok || !slices.Equal(before, after) {
						t.Fatalf("elements changed: %q to %q", data, out)
					}
				}
			}
			rebuild(t, d, "ar", enemy)
		}
	})
}
