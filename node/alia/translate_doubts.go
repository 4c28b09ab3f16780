package main

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/work/document"
)

// doubts are the sentences of a stream of lines that need a person. The segment of each is its
// line, from 0.
type doubts struct {
	Flagged int              `json:"flagged"` // sentences
	Flags   []document.Doubt `json:"flags"`
}

// noDoubts are those of a stream that has not begun: JSON has a list of none.
func noDoubts() doubts { return doubts{Flags: []document.Doubt{}} }

// add adds the reasons to doubt the translation of a sentence, and tells the first ones at once:
// a stream may have no end.
func (d *doubts) add(a *app, line int, sentence string, reasons []document.Reason) {
	if len(reasons) == 0 {
		return
	}
	where, words := fmt.Sprintf("line %d", line), make([]string, len(reasons))
	for i, r := range reasons {
		if words[i] = flagWords[r]; words[i] == "" {
			words[i] = string(r)
		}
		if a.json || a.events {
			d.Flags = append(d.Flags, document.Doubt{Segment: line - 1, Where: where, Text: sentence, Reason: r})
		}
	}
	if d.Flagged++; d.Flagged <= mostFlags {
		a.note("%s: %s: %.60q", where, strings.Join(words, "; "), sentence)
	}
}

// end tells how many were not told.
func (d *doubts) end(a *app) {
	if n := d.Flagged - mostFlags; n > 0 {
		a.note("and %s more for a person to look at: --json lists all", english.Plural(n, "sentence", ""))
	}
}

// addLines adds the doubts of a translation with as many lines as its source.
func (d *doubts) addLines(a *app, source, translation, from, to string) {
	lines := strings.Split(translation, "\n")
	for i, s := range strings.Split(source, "\n") {
		if i < len(lines) {
			d.add(a, i+1, s, document.Doubts(s, lines[i], from, to))
		}
	}
}
