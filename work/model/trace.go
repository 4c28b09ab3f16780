package model

import (
	"errors"
	"strings"

	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// attender is an engine that shows what a model attends to.
type attender interface {
	Attention(params *tensor.Set, b nmt.Batch) ([][][]float32, error)
}

// Trace is [Translator.TranslateText] with what the model knows of the translations: whether they
// were cut and, with align, the words of the segment that their words stand for.
//
// A token of the translation stands for the source token that it attends to most, by
// [nmt.Engine.Attention]; of two with the same weight, for the first. No token stands for the EOS
// of the source or for the code of a language. A word of the source and one of the translation are linked if a token of
// the translated word stands for a token of the source word (Zenkel et al., "Adding interpretable attention to
// neural translation models improves word alignment", 2019). So each word of a translation has
// a link, if the source has words, and a word of the source may have none. The words are those of [text.Words], without
// the code of a language in front of the segment.
func (t *Translator) Trace(e Engine, in unit.Text, d unit.Decoding, align bool) ([]text.Traced, error) {
	a, ok := e.(attender)
	if align && !ok {
		return nil, errors.New("the engine of this model shows no attention, so it gives no alignments")
	}
	all, shown := make([]text.Traced, len(in.Segments)), make([]decoded, len(in.Segments))
	out, _, _, err := translateSegments(e, t.Tokenizer, t.Prepared(), in, d, func(i int, x decoded) {
		shown[i], all[i].Cut = x, len(x.target) >= x.limit
	})
	if err != nil {
		return nil, err
	}
	var b nmt.Batch
	var at []int // by pair of b: its segment
	for i, x := range shown {
		if all[i].Text = out[i]; align && len(x.target) > 0 {
			b.Source, b.Target, at = append(b.Source, x.source), append(b.Target, x.target), append(at, i)
		}
	}
	for from := 0; from < len(at); from += together {
		to := min(from+together, len(at))
		rows, err := a.Attention(t.Prepared(), nmt.Batch{Source: b.Source[from:to], Target: b.Target[from:to]})
		if err != nil {
			return nil, err
		}
		for j, i := range at[from:to] {
			all[i].Links = t.links(in.Segments[i], out[i], b.Target[from+j], rows[j])
		}
	}
	return all, nil
}

// links links the words of a segment and of its translation, whose tokens have rows of weights.
func (t *Translator) links(segment, translation string, target []int32, rows [][]float32) (links []text.WordLink) {
	parts := t.Tokenizer.SourceParts(segment)
	if len(t.Targets()) > 0 {
		_, segment = text.Code(segment)
	}
	from := places(text.Words(segment), strings.Join(parts, ""), spansOf(parts))
	to := places(text.Words(translation), translation, t.writtenSpans(target, translation))
	for i, row := range rows {
		best := -1
		for j, w := range row[:min(len(row), len(from))] {
			if len(from[j]) > 0 && (best < 0 || w > row[best]) {
				best = j
			}
		}
		if best < 0 {
			continue
		}
		for _, x := range from[best] {
			for _, y := range to[i] {
				links = append(links, text.WordLink{Source: x, Target: y})
			}
		}
	}
	return text.SortLinks(links)
}

// spansOf returns where parts lie in the text that they are together.
func spansOf(parts []string) (spans []text.Span) {
	at := 0
	for _, p := range parts {
		spans = append(spans, text.Span{From: at, To: at + len(p)})
		at += len(p)
	}
	return spans
}

// writtenSpans returns where the tokens of a translation lie in it. It decodes ever longer
// prefixes of the tokens. A token has the bytes by which its prefix agrees with the translation
// further than the prefix before.
func (t *Translator) writtenSpans(tokens []int32, translation string) (spans []text.Span) {
	at := 0
	for i := range tokens {
		prefix, n := t.Tokenizer.Decode(tokens[:i+1]), at
		for n < len(prefix) && n < len(translation) && prefix[n] == translation[n] {
			n++
		}
		spans = append(spans, text.Span{From: at, To: n})
		at = n
	}
	return spans
}

// places returns, for each token, the words in which it lies, by the tokens' spans in the written
// (normalised) text. Where that text has another number of words than the original, the indexes
// of words are scaled in proportion.
func places(words []text.Span, written string, spans []text.Span) [][]int {
	in := text.Words(written)
	all := make([][]int, len(spans))
	w := 0
	for i, s := range spans {
		for w < len(in) && in[w].To <= s.From {
			w++
		}
		for k := w; k < len(in) && in[k].From < s.To; k++ {
			all[i] = append(all[i], k*len(words)/len(in))
		}
	}
	return all
}
