package stream

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/text"
)

// Rendering is one of several translations of a line.
type Rendering struct {
	Text  string  `json:"text"`
	Score float32 `json:"score"` // higher is better
	Cut   bool    `json:"-"`     // its end may be missing: see [text.Traced]
}

// Ranker gives translations of each line instead of one.
type Ranker struct {
	// Rank gives the translations of sentences, at most Batch of them. Each has at least one,
	// the best first. beginnings is what each begins with; nil unless the filter is Prefixed.
	Rank func(sentences, beginnings []string) ([][]Rendering, error)
	// Print takes the translations of a line, the best first; lines count from 0.
	Print func(line int, all []Rendering) error
}

// Rank is [Filter.Run] with several translations of each line, for which it needs neither
// Translate nor Out. Translation k of a line with several sentences, or of one that had to be
// cut, has translation k of each of them, or the last where one has fewer; its score is
// the sum of theirs. Seen is told the best of each sentence, and End nothing. White space around a line is left out. A line longer than [corpus.MaxLine] is an error.
func (f *Filter) Rank(ctx context.Context, in io.Reader, r Ranker) error {
	parts, failed := f.read(ctx, in)
	var done [][]Rendering // of the first sentences of f.parts
	for more := true; more || len(f.parts) > 0; {
		if more {
			more = f.gather(ctx, parts)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n := min(len(f.sentences), f.Batch); n > 0 {
			var begins []string
			if f.Prefixed {
				begins, f.begins = f.begins[:n], f.begins[n:]
			}
			ranked, err := r.Rank(f.sentences[:n], begins)
			if err != nil {
				return err
			}
			done, f.sentences = append(done, ranked...), append(f.sentences[:0], f.sentences[n:]...)
		}
		for len(f.parts) > 0 && len(f.parts[0].Sentences) <= len(done) {
			p := f.parts[0]
			n := len(p.Sentences)
			if !p.ends {
				return fmt.Errorf("line %d has more than %d bytes: several translations are given of shorter lines only", f.Lines+1, corpus.MaxLine)
			}
			all, err := p.ranked(done[:n])
			if err != nil {
				return err
			}
			for i := range n {
				if f.Seen != nil {
					f.Seen(f.Lines+1, p.Source(i), text.Traced{Text: strings.Map(printable, done[i][0].Text), Cut: done[i][0].Cut})
				}
			}
			if err := r.Print(f.Lines, all); err != nil {
				return err
			}
			f.parts, done, f.Sentences = f.parts[1:], done[n:], f.Sentences+n
			f.Findings.add(p.found)
			f.Lines++
		}
	}
	return *failed // parts is closed, so the reader has set it
}

// divide divides a line at its last tab, which may be missing.
func divide(line string) (source, begin string) {
	if i := strings.LastIndexByte(line, '\t'); i >= 0 {
		return line[:i], strings.TrimRight(line[i+1:], "\r\n")
	}
	return line, ""
}

// plain replaces what no translation has: bytes that are not UTF-8, and control characters.
func plain(s string) string { return strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD")) }

// ranked joins the translations of the sentences of a line.
func (p part) ranked(sentences [][]Rendering) (all []Rendering, err error) {
	if len(sentences) == 0 { // there is nothing to translate: a beginning stands in the place of what is copied
		copied, err := p.Join(nil)
		if p.begin != "" {
			copied = plain(p.begin)
		}
		return []Rendering{{Text: strings.TrimSpace(strings.Map(shown, copied))}}, err
	}
	most := 1
	for _, s := range sentences {
		most = max(most, len(s))
	}
	for k := range most {
		var line Rendering
		texts := make([]string, len(sentences))
		for i, s := range sentences {
			one := s[min(k, len(s)-1)]
			texts[i], line.Score = strings.Map(printable, one.Text), line.Score+one.Score
		}
		if line.Text, err = p.Join(texts); err != nil {
			return nil, err
		}
		line.Text = strings.TrimSpace(strings.Map(shown, line.Text))
		all = append(all, line)
	}
	return all, nil
}
