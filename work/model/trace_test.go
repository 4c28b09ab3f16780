package model_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// mirror is an engine that writes the words of a source the other way round, and attends to the
// token that it copies.
type mirror struct {
	model.Engine
	tok *text.BPE
}

// words are the tokens of a source by words, the last first, and where each stands.
func (m mirror) words(source []int32) (tokens []int32, at []int) {
	var words [][]int
	for i, id := range source {
		if len(words) == 0 || strings.HasPrefix(m.tok.Names()[id], " ") || strings.HasPrefix(m.tok.Names()[id], "Ġ") {
			words = append(words, nil)
		}
		words[len(words)-1] = append(words[len(words)-1], i)
	}
	slices.Reverse(words)
	for _, w := range words {
		for _, i := range w {
			tokens, at = append(tokens, source[i]), append(at, i)
		}
	}
	return tokens, at
}

func (m mirror) Decode(_ *tensor.Set, sources [][]int32, _ unit.Decoding) (targets [][]int32, _ uint64, _ error) {
	for _, s := range sources {
		t, _ := m.words(s)
		targets = append(targets, t)
	}
	return targets, 0, nil
}

func (m mirror) Attention(_ *tensor.Set, b nmt.Batch) (rows [][][]float32, _ error) {
	for i, s := range b.Source {
		tokens, at := m.words(s)
		if !slices.Equal(tokens, b.Target[i]) {
			panic("an attention of another translation")
		}
		var pair [][]float32
		for _, j := range at {
			row := make([]float32, len(s)+1)
			row[len(s)], row[j] = 0.6, 0.4 // the end is nobody's choice
			pair = append(pair, row)
		}
		rows = append(rows, pair)
	}
	return rows, nil
}

func TestTrace(t *testing.T) {
	tr := small(t)
	e := mirror{tok: tr.Tokenizer.(*text.BPE)}
	for in, want := range map[string]string{
		"one two three":   "three two one/0-2 1-1 2-0",
		"one, (two)  é!":  "é! (two) one,/0-2 1-1 2-0",
		"  drei  ":        "drei/0-0",
		"eins 你好 zwei":    "zwei 你好 eins/0-3 1-1 2-2 3-0",
		"":                "/",
		"one\u00adtwo on": "on onetwo/0-1 1-0",
	} {
		got, err := tr.Trace(e, unit.NewText([]string{"one", in}, nil), unit.Greedy, true)
		if err != nil {
			t.Fatal(err)
		}
		if s := got[1].Text + "/" + text.Pharaoh(got[1].Links); s != want || got[1].Cut || len(got[0].Links) != 1 {
			t.Errorf("%q gives %q, want %q", in, s, want)
		}
	}
	got, err := tr.Trace(e, unit.NewText([]string{"one two"}, nil), unit.Greedy, false)
	if err != nil || got[0].Links != nil || got[0].Text != "two one" {
		t.Errorf("without links: %+v, %v", got, err)
	}
	if _, err := tr.Trace(struct{ model.Engine }{e}, unit.NewText([]string{"one"}, nil), unit.Greedy, true); err == nil || !strings.Contains(err.Error(), "no alignments") {
		t.Errorf("an engine without attention: %v", err)
	}
}

// TestTraceSame: tracing changes no translation, and the links have the same bits on every
// device. A model that has learnt nothing does not end its translations: those are cut.
func TestTraceSame(t *testing.T) {
	tr := small(t)
	in := unit.NewText([]string{"one two three", "", "zwei eins", "drei"}, nil)
	var first []text.Traced
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		e := tr.Model.NewEngine(dev)
		want, err := tr.TranslateText(e, in, unit.Greedy)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tr.Trace(e, in, unit.Greedy, true)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		for i, x := range got {
			ids, limit := tr.Tokenizer.Source(in.Segments[i]), 0
			if len(ids) > 0 {
				targets, _, err := e.Decode(tr.Prepared(), [][]int32{ids}, unit.Greedy)
				if err != nil {
					t.Fatal(err)
				}
				limit = len(targets[0])
			}
			cut := len(ids) > 0 && limit == nmt.TwicePlusTen(len(ids))
			if x.Text != want[i] || x.Cut != cut || !slices.Equal(x.Links, first[i].Links) {
				t.Errorf("%s: segment %d is %+v, want %q, cut %v, links %v", name, i, x, want[i], cut, first[i].Links)
			}
		}
	}
	if !slices.ContainsFunc(first, func(x text.Traced) bool { return x.Cut }) {
		t.Error("no translation was cut")
	}
}
