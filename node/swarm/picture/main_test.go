package main

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// TestDraw: a screen becomes well-formed XML whose characters are the screen's,
// each run at its column and in its colour.
func TestDraw(t *testing.T) {
	screen, err := os.ReadFile("../testdata/colour.golden")
	if err != nil {
		t.Fatal(err)
	}
	svg := draw(string(screen), "alia swarm <once>", 100)
	var got strings.Builder
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if token == nil {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			got.Write(text)
		}
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	want := squeeze("$ alia swarm <once>" + escape.ReplaceAllString(string(screen), ""))
	if squeeze(got.String()) != want {
		t.Errorf("the picture shows\n%s\nthe screen has\n%s", squeeze(got.String()), want)
	}
}

func TestStyle(t *testing.T) {
	svg := draw("ab\x1b[1;32mcd\x1b[0m e\x1b[2mf", "x", 10)
	for _, want := range []string{
		`x="16.0" y="48" textLength="16.8" lengthAdjust="spacingAndGlyphs" fill="#e6edf3">ab<`,
		`x="32.8" y="48" textLength="16.8" lengthAdjust="spacingAndGlyphs" fill="#7ee787" font-weight="bold">cd<`,
		`fill="#e6edf3"> e<`,
		`opacity="0.65">f<`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}
