// Package stream translates text line by line while it arrives.
//
// A [Filter] reads lines, cuts each into sentences, has batches of sentences
// translated, and writes one line for each line it read, in the same order
// and with the same white space. It replaces what a model cannot read, and counts
// what it replaced. It refuses no line but one that asks for a language that the
// model does not have.
//
//	f := stream.Filter{Translate: translate, Fits: model.Fits, Language: "en", Out: os.Stdout, Batch: 64}
//	err := f.Run(ctx, os.Stdin)
//	fmt.Fprintln(os.Stderr, f.Warning())
package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/text"
)

// Filter translates a stream of lines. A line's translation does not depend on
// the lines around it, nor on Batch.
type Filter struct {
	// Translate translates sentences, at most Batch of them.
	Translate func(sentences []string) ([]text.Traced, error)
	// Fits reports whether a sentence is short enough for the model.
	Fits func(sentence string) bool
	// Language is that of the lines: their sentences end by its rules.
	Language string
	// Code divides a line into the code that goes in front of each of its sentences,
	// and the rest. Nil: lines have no codes.
	Code func(line string) (code, rest string, err error)
	Out  io.Writer
	// Batch is the number of sentences translated together, at least 1.
	Batch int
	// Full waits for input until a batch is full. Without it, what has arrived
	// is translated at once.
	Full bool
	// Whole takes each line for one sentence.
	Whole bool
	// Prefixed takes what follows the last tab of a line for the beginning of its translation,
	// and is for [Filter.Rank] only.
	Prefixed bool

	// Seen is told each sentence that was written, without its code, and its line; nil is not told.
	Seen func(line int, sentence string, t text.Traced)
	// End is told the links between the words of each line and its translation when the line is
	// written, and returns what goes behind it; nil is not told. The line has to have links.
	End func(links []text.WordLink) string

	// Findings and Sentences count the text that Run has read and written.
	Findings
	Sentences int

	out       *bufio.Writer
	parts     []part                 // read and not written
	sentences []string               // of parts, not translated
	begins    []string               // by sentence: what its translation begins with, for Rank
	done      []text.Traced          // of parts, translated
	known     map[string]text.Traced // translations of recent sentences
	begun     bool                   // the line being written is not at its end
	line      alignment              // of the line being written
}

// Bounds of the memory of a filter.
const (
	MaxBatch = 1 << 10 // sentences
	maxParts = 1 << 10 // of the input, read and not written
	maxKnown = 1 << 12 // translations
)

// Findings counts what in the input could not be translated as it was.
type Findings struct {
	Lines   int `json:"lines"`
	Invalid int `json:"invalid_bytes"`      // not UTF-8; each run becomes U+FFFD
	Control int `json:"control_characters"` // become spaces
	Cuts    int `json:"cuts"`               // in sentences too long for the model
	First   int `json:"-"`                  // line of the first finding; 0 where there is none
}

// Warning describes the replacements and cuts. It is empty if there was none.
func (f Findings) Warning() string {
	var all []string
	say := func(what string, n int) {
		if n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", what, n))
		}
	}
	say("bytes that are not UTF-8, replaced by U+FFFD", f.Invalid)
	say("control characters, replaced by spaces", f.Control)
	say("cuts in sentences too long for the model", f.Cuts)
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("from line %d on: %s", f.First, strings.Join(all, "; "))
}

// add counts the findings of a part.
func (f *Findings) add(p Findings) {
	if p != (Findings{}) && f.First == 0 {
		f.First = f.Lines + 1
	}
	f.Invalid, f.Control, f.Cuts = f.Invalid+p.Invalid, f.Control+p.Control, f.Cuts+p.Cuts
}

// Run translates lines until the input or the context ends. When the context
// ends, the batch that is being translated is finished and written first.
func (f *Filter) Run(ctx context.Context, in io.Reader) error {
	f.out, f.known = bufio.NewWriter(f.Out), map[string]text.Traced{}
	parts, failed := f.read(ctx, in)
	for more := true; more || len(f.parts) > 0; {
		if more {
			more = f.gather(ctx, parts)
		}
		if ctx.Err() != nil {
			break
		}
		if err := errors.Join(f.advance(), f.write()); err != nil {
			return err
		}
	}
	if f.begun { // the interrupt came within a long line
		f.out.WriteByte('\n')
	}
	if err := errors.Join(f.out.Flush(), ctx.Err()); err != nil {
		return err
	}
	return *failed // parts is closed, so the reader has set it
}

// read gives the parts of the input while they arrive. When parts is closed, failed is the
// error that ended the input.
func (f *Filter) read(ctx context.Context, in io.Reader) (parts chan part, failed *error) {
	parts, failed = make(chan part, f.Batch), new(error)
	go func() { // a reader that blocks for ever ends with the process
		defer close(parts)
		*failed = f.split(in, func(p part) bool {
			select {
			case parts <- p:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	return parts, failed
}

// part is a line of the input, or a piece of a long line, cut into sentences.
type part struct {
	text.Layout
	begin string // what its translation begins with
	ends  bool   // the line ends with this part
	found Findings
}

// split reads lines, cuts them into sentences, and hands them to emit, which
// reports whether to continue. A line longer than [corpus.MaxLine] comes in
// several parts, so that no line takes more memory than that.
func (f *Filter) split(r io.Reader, emit func(part) bool) error {
	in := bufio.NewReaderSize(r, corpus.MaxLine)
	kept := "" // the end of the last part, which belongs to the next one
	code, lines := "", 0
	for begun := false; ; {
		read, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		s := kept + string(read)
		if err == io.EOF && s == "" && !begun {
			return nil
		}
		if !begun && f.Code != nil {
			lines++
			var failed error
			if code, s, failed = f.Code(s); failed != nil {
				return fmt.Errorf("line %d: %w", lines, failed)
			}
		}
		p := part{ends: true}
		if f.Prefixed && err != bufio.ErrBufferFull {
			s, p.begin = divide(s)
		}
		n := len(s)
		switch line := strings.TrimSuffix(s, "\n"); {
		case err == bufio.ErrBufferFull: // the line goes on
			p.Layout, n = text.SplitPart(f.Language, s)
			p.ends = false
		case f.Whole && !begun:
			p.Layout = text.Whole(line)
		default:
			p.Layout = text.Split(f.Language, line)
		}
		p.Layout = p.Coded(code).Fit(f.Fits)
		p.found = inspect(s[:n] + p.begin)
		p.found.Cuts = p.Cuts
		if !emit(p) || err == io.EOF {
			return nil
		}
		kept, begun = s[n:], !p.ends
	}
}

// inspect counts what in s a model does not read as it is.
func inspect(s string) (f Findings) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			f.Invalid++
		case unicode.IsControl(r) && !unicode.IsSpace(r):
			f.Control++
		}
		i += n
	}
	return f
}

// gather takes parts of the input until there is a batch of sentences: all
// that have arrived, and at least one. It reports whether more may come.
func (f *Filter) gather(ctx context.Context, input <-chan part) bool {
	for len(f.sentences) < f.Batch && len(f.parts) < maxParts {
		var p part
		var ok bool
		if len(f.parts) > 0 && !f.Full {
			select {
			case p, ok = <-input:
			default: // nothing has arrived: translate what there is
				return true
			}
		} else {
			select {
			case p, ok = <-input:
			case <-ctx.Done():
			}
		}
		if !ok {
			return false
		}
		f.parts, f.sentences = append(f.parts, p), append(f.sentences, p.Sentences...)
		if n := len(p.Sentences); f.Prefixed && n > 0 { // the other sentences of a line begin as they like
			f.begins = append(append(f.begins, plain(p.begin)), make([]string, n-1)...)
		}
	}
	return true
}

// advance translates a batch of the sentences. A sentence that was translated
// lately is looked up: its translation depends on nothing but itself.
func (f *Filter) advance() error {
	n := min(len(f.sentences), f.Batch)
	var fresh []string
	for _, s := range f.sentences[:n] {
		if _, ok := f.known[s]; !ok {
			f.known[s], fresh = text.Traced{}, append(fresh, s)
		}
	}
	if len(fresh) > 0 {
		translated, err := f.Translate(fresh)
		if err != nil {
			return err
		}
		for i, s := range fresh {
			translated[i].Text = strings.Map(printable, translated[i].Text)
			f.known[s] = translated[i]
		}
	}
	for _, s := range f.sentences[:n] {
		f.done = append(f.done, f.known[s])
	}
	f.sentences = append(f.sentences[:0], f.sentences[n:]...)
	if len(f.known) > maxKnown {
		clear(f.known)
	}
	return nil
}

// printable replaces control characters, by which a model could reconfigure a
// terminal.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// shown is printable for a line with its white space: what is copied of a line may have
// control characters too.
func shown(r rune) rune {
	if unicode.IsSpace(r) {
		return r
	}
	return printable(r)
}

// write writes the parts whose sentences are all translated.
func (f *Filter) write() error {
	for len(f.parts) > 0 && len(f.parts[0].Sentences) <= len(f.done) {
		p := f.parts[0]
		n := len(p.Sentences)
		s, err := f.join(p, f.done[:n])
		if err != nil {
			return err
		}
		f.parts, f.done, f.Sentences = f.parts[1:], f.done[n:], f.Sentences+n
		f.Findings.add(p.found)
		f.out.WriteString(s) // Flush returns the error
		if f.begun = !p.ends; p.ends {
			f.Lines++
			f.out.WriteByte('\n')
		}
	}
	return f.out.Flush()
}

// alignment is the links of a line, and the words that its parts have so far.
type alignment struct {
	links          []text.WordLink
	source, target int
}

// join is what is written for a part. It tells Seen and End.
func (f *Filter) join(p part, translations []text.Traced) (string, error) {
	n := len(translations)
	sources, targets, links := make([]string, n), make([]string, n), make([][]text.WordLink, n)
	for i, t := range translations {
		sources[i], targets[i], links[i] = p.Source(i), t.Text, t.Links
		if f.Seen != nil {
			f.Seen(f.Lines+1, sources[i], t)
		}
	}
	s, err := p.Join(targets)
	if err != nil {
		return "", err
	}
	s = strings.Map(shown, s)
	if f.End == nil {
		return s, nil
	}
	for _, l := range p.Links(targets, links) {
		f.line.links = append(f.line.links, text.WordLink{Source: l.Source + f.line.source, Target: l.Target + f.line.target})
	}
	if !p.ends {
		source, err := p.Join(sources)
		if err != nil {
			return "", err
		}
		f.line.source, f.line.target = f.line.source+len(text.Words(source)), f.line.target+len(text.Words(s))
		return s, nil
	}
	s, feed := strings.CutSuffix(s, "\r")
	s += f.End(f.line.links)
	if f.line = (alignment{}); feed {
		s += "\r"
	}
	return s, nil
}
