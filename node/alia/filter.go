package main

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

// part is a line of the input, or a piece of a long one, taken apart.
type part struct {
	text.Layout
	ends  bool // the line, with it
	found findings
}

// findings counts what in the input could not be translated as it was.
type findings struct {
	Lines   int `json:"lines"`
	Invalid int `json:"invalid_bytes"`      // not UTF-8; each run becomes U+FFFD
	Control int `json:"control_characters"` // become spaces
	Cuts    int `json:"cuts"`               // in sentences too long for the model
	first   int // line of the first finding; 0 where there is none
}

// takeApart reads lines, takes them apart, and hands them to emit, which says
// whether to go on. A line longer than [corpus.MaxLine] comes in parts, so
// that no line takes more memory.
func takeApart(r io.Reader, whole bool, fits func(string) bool, emit func(part) bool) error {
	in := bufio.NewReaderSize(r, corpus.MaxLine)
	kept := "" // of the line, not taken apart yet
	for begun := false; ; {
		read, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		s := kept + string(read)
		if err == io.EOF && s == "" && !begun {
			return nil
		}
		p, n := part{ends: true}, len(s)
		switch line := strings.TrimSuffix(s, "\n"); {
		case err == bufio.ErrBufferFull:
			p.Layout, n = text.SplitPart(s)
			p.ends = false
		case whole && !begun:
			p.Layout = text.Whole(line)
		default:
			p.Layout = text.Split(line)
		}
		p.Layout = p.Fit(fits)
		p.found = inspect(s[:n])
		p.found.Cuts = p.Cuts
		if !emit(p) || err == io.EOF {
			return nil
		}
		kept, begun = s[n:], !p.ends
	}
}

// inspect counts what of s a model does not read as it is.
func inspect(s string) (f findings) {
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

// filter translates a stream of lines, each line for itself, and keeps the
// white space of each. One line of the output stands for each of the input.
type filter struct {
	translate func(sentences []string) ([]string, error)
	out       *bufio.Writer
	batch     int  // sentences translated together
	patient   bool // the input never waits for the output
	whole     bool // lines are sentences
	findings

	parts     []part   // not written yet
	sentences []string // of parts, not translated yet
	done      []string // of parts, translated
	known     map[string]string
	sum       int // sentences written
	open      bool
}

// limits of what a filter holds
const (
	maxBatch = 1 << 10 // sentences
	maxParts = 1 << 10 // of the input, before some are written
	maxKnown = 1 << 12 // translations
)

// run translates lines until in or the context ends. The batch that is being
// translated then is finished and written.
func (f *filter) run(ctx context.Context, in io.Reader, fits func(sentence string) bool) error {
	f.known = map[string]string{}
	parts, failed := make(chan part, f.batch), error(nil)
	go func() { // where nothing comes and nobody closes, it ends with the process
		defer close(parts)
		failed = takeApart(in, f.whole, fits, func(p part) bool {
			select {
			case parts <- p:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
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
	if f.open { // a long line that was interrupted
		f.out.WriteByte('\n')
	}
	if err := errors.Join(f.out.Flush(), ctx.Err()); err != nil {
		return err
	}
	return failed // parts is closed
}

// gather takes parts of the input until there is a batch of sentences: all
// that are there, and at least one. It reports whether there may be more.
func (f *filter) gather(ctx context.Context, input <-chan part) bool {
	for len(f.sentences) < f.batch && len(f.parts) < maxParts {
		var p part
		var ok bool
		if len(f.parts) > 0 && !f.patient {
			select {
			case p, ok = <-input:
			default:
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
	}
	return true
}

// advance translates a batch of the sentences. One that was translated lately
// is not translated again: its translation is its own.
func (f *filter) advance() error {
	n := min(len(f.sentences), f.batch)
	var fresh []string
	for _, s := range f.sentences[:n] {
		if _, ok := f.known[s]; !ok {
			f.known[s], fresh = "", append(fresh, s)
		}
	}
	if len(fresh) > 0 {
		translated, err := f.translate(fresh)
		if err != nil {
			return err
		}
		for i, s := range fresh {
			f.known[s] = strings.Map(visible, translated[i])
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

// visible replaces what a model must not do to a terminal.
func visible(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// write writes the parts whose sentences are all translated.
func (f *filter) write() error {
	for len(f.parts) > 0 && len(f.parts[0].Sentences) <= len(f.done) {
		p := f.parts[0]
		n := len(p.Sentences)
		s, err := p.Join(f.done[:n])
		if err != nil {
			return err
		}
		f.parts, f.done, f.sum = f.parts[1:], f.done[n:], f.sum+n
		f.count(p.found)
		f.out.WriteString(s) // Flush tells the error
		if f.open = !p.ends; p.ends {
			f.Lines++
			f.out.WriteByte('\n')
		}
	}
	return f.out.Flush()
}

func (f *filter) count(p findings) {
	if p != (findings{}) && f.first == 0 {
		f.first = f.Lines + 1
	}
	f.Invalid, f.Control, f.Cuts = f.Invalid+p.Invalid, f.Control+p.Control, f.Cuts+p.Cuts
}

// warning says what was found, nothing where nothing was.
func (f findings) warning() string {
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
	return fmt.Sprintf("from line %d on: %s", f.first, strings.Join(all, "; "))
}
