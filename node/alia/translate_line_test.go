package main

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/work/document"
)

// TestTranslatingLine: the progress of a file, on a terminal and in plain lines. What the
// memory had does not make the rest look near.
func TestTranslatingLine(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := began.Add(30 * time.Second)
	for _, c := range []struct {
		p     translate.FileProgress
		width int
		want  string
	}{
		{translate.FileProgress{File: "a.docx", Total: 1, Began: began}, 0, "a.docx: 0 of 1 segment"},
		{translate.FileProgress{File: "a.docx", Total: 1200, Done: 600, Reused: 590, Began: began}, 0, "a.docx: 600 of 1,200 segments, 30:00 left"},
		{translate.FileProgress{File: "a.docx", Total: 40, Done: 10, Cost: 123_000_000, Began: began}, 0, "a.docx: 10 of 40 segments, 1.23 ALIA at most, 1:30 left"},
		{translate.FileProgress{File: "a.docx", Total: 40, Done: 40, Reused: 20, Began: began}, 80, "a.docx: 40 of 40 segments " + strings.Repeat("█", 40)},
		{translate.FileProgress{File: "a.docx", Total: 40, Done: 10, Cost: 123_000_000, Began: began}, 75, "a.docx: 10 of 40 segments ████░░░░░░░░░░░░░░░ 1.23 ALIA at most, 1:30 left"},
		{translate.FileProgress{File: "a.docx", Total: 40, Done: 10, Began: began}, 20, "a.docx: 10 of 40 se"},
	} {
		if got := translatingLine(c.p, now, c.width); got != c.want || c.width > 0 && utf8.RuneCountInString(got) >= c.width {
			t.Errorf("%+v in %d columns: %q, want %q", c.p, c.width, got, c.want)
		}
	}
}

// TestFlagWords: each reason for which a segment needs a person has words, and the page for
// people explains them.
func TestFlagWords(t *testing.T) {
	page, err := os.ReadFile("../DOCUMENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range document.Reasons() {
		words, _, _ := strings.Cut(flagWords[r], ", around")
		words, _, _ = strings.Cut(words, ": it is as long")
		if words == "" || !strings.Contains(string(page), "| "+words+" |") {
			t.Errorf("%s: the page does not explain %q", r, flagWords[r])
		}
	}
}

// TestPrintFlags: a flag with a detail says it.
func TestPrintFlags(t *testing.T) {
	var b strings.Builder
	printFlags(&b, []document.Doubt{
		{Where: "line 1", Text: "one", Reason: document.Charset, Detail: "windows-1252 has no 'с'"}, {Where: "line 2", Text: "two", Reason: document.Numbers},
	}, 2)
	want := "  line 1: " + flagWords[document.Charset] + " (windows-1252 has no 'с'): \"one\"\n  line 2: its numbers differ: \"two\"\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// TestCheckText: a stream may hold what it likes, but no other kind of file.
func TestCheckText(t *testing.T) {
	for head, ok := range map[string]bool{
		"one two": true, "one\n\x00\x01\xff": true, "": true, "Ä": true, "日本": true, "%d percent": true,
		"PK\x03\x04\x14\x00": false, "%PDF-1.7\n%\xe2\xe3": false, "\x89PNG\r\n\x1a\n": false, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": false, "\x7fELF\x02": false,
	} {
		if err := checkText([]byte(head)); (err == nil) != ok {
			t.Errorf("%q: %v", head, err)
		}
	}
}
