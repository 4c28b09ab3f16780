package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/text"
)

// echoes is a filter, and a ranker that writes each sentence with a number from 1, as often as
// the sentence has words. lines gets what is printed.
func echoes(batch int, lines *[]string) (*Filter, Ranker) {
	return &Filter{Batch: batch, Fits: fitsHundred}, Ranker{
		Rank: func(sentences, beginnings []string) ([][]Rendering, error) {
			if len(sentences) > batch {
				return nil, fmt.Errorf("%d sentences, at most %d are asked for", len(sentences), batch)
			}
			var all [][]Rendering
			for j, s := range sentences {
				var one []Rendering
				for i := range strings.Fields(s) {
					r := Rendering{Text: fmt.Sprint(s, i+1), Score: -float32(i + 1), Cut: i == 0 && s[0] == 'a'}
					if beginnings != nil {
						r.Text = beginnings[j] + "*" + r.Text
					}
					one = append(one, r)
				}
				all = append(all, one)
			}
			return all, nil
		},
		Print: func(line int, all []Rendering) error {
			for _, r := range all {
				*lines = append(*lines, fmt.Sprint(line, "|", r.Text, "|", r.Score))
			}
			return nil
		},
	}
}

// TestRank: each line has the translations of its sentences, joined by their places.
func TestRank(t *testing.T) {
	in := " a b\r\n\nOne. Two three\nx\x00y\xff\n" + strings.Repeat("z", 150)
	want := []string{
		"0|a b1|-1", "0|a b2|-2", "1||0",
		"2|One.1 Two three1|-2", "2|One.1 Two three2|-3",
		"3|x y\ufffd1|-1", "4|" + strings.Repeat("z", 75) + "1" + strings.Repeat("z", 75) + "1|-2",
	}
	for _, batch := range []int{1, 2, 64} {
		var lines, seen []string
		f, r := echoes(batch, &lines)
		f.Seen = func(line int, sentence string, t text.Traced) {
			seen = append(seen, fmt.Sprint(line, "|", sentence, "|", t.Text, "|", t.Cut))
		}
		if err := f.Rank(t.Context(), strings.NewReader(in), r); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("batch %d: %q, want %q", batch, lines, want)
		}
		if best := []string{
			"1|a b|a b1|true", "3|One.|One.1|false", "3|Two three|Two three1|false", "4|x\x00y\xff|x y\ufffd1|false",
		}; !slices.Equal(seen[:min(4, len(seen))], best) || len(seen) != 6 {
			t.Errorf("batch %d: %q was seen, want %q and two more", batch, seen, best)
		}
		if found := (Findings{Lines: 5, Invalid: 1, Control: 1, Cuts: 1, First: 4}); f.Findings != found || f.Sentences != 6 {
			t.Errorf("batch %d: %+v and %d sentences, want %+v", batch, f.Findings, f.Sentences, found)
		}
	}
}

// TestRankPrefixed: what follows the last tab of a line is the beginning of its translation.
func TestRankPrefixed(t *testing.T) {
	in := "a b\tDer Hund\r\nc\n\nd\te\tf\x00\n\tallein \n" + strings.Repeat("z", 150) + "\tx"
	want := []string{
		"0|Der Hund*a b1|-1", "0|Der Hund*a b2|-2", "1|*c1|-1", "2||0", "3|f *d e1|-1", "3|f *d e2|-2", "4|allein|0",
		"5|x*" + strings.Repeat("z", 75) + "1*" + strings.Repeat("z", 75) + "1|-2",
	}
	for _, batch := range []int{1, 3, 64} {
		var lines []string
		f, r := echoes(batch, &lines)
		f.Prefixed, f.Whole = true, true
		if err := f.Rank(t.Context(), strings.NewReader(in), r); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("batch %d: %q, want %q", batch, lines, want)
		}
		if f.Lines != 6 || f.Control != 1 || f.Cuts != 1 {
			t.Errorf("batch %d: %+v", batch, f.Findings)
		}
	}
}

// TestRankFails: what ends a ranking is said, and the lines before are printed.
func TestRankFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		in     string
		change func(*Filter, *Ranker)
		want   string
	}{
		"long line": {"one\n" + strings.Repeat("word ", corpus.MaxLine), func(*Filter, *Ranker) {}, "line 2 has more than"},
		"rank": {"one\ntwo\n", func(_ *Filter, r *Ranker) {
			rank := r.Rank
			r.Rank = func(s, begin []string) ([][]Rendering, error) {
				if s[0] == "two" {
					return nil, broken
				}
				return rank(s, begin)
			}
		}, "broken"},
		"print": {"one\ntwo\n", func(_ *Filter, r *Ranker) {
			print := r.Print
			r.Print = func(line int, all []Rendering) error {
				if line == 1 {
					return broken
				}
				return print(line, all)
			}
		}, "broken"},
		"code": {"one\ntwo\n", func(f *Filter, _ *Ranker) {
			f.Code = func(line string) (string, string, error) {
				if line == "two\n" {
					return "", "", broken
				}
				return "", line, nil
			}
		}, "line 2: broken"},
	} {
		var lines []string
		f, r := echoes(1, &lines)
		c.change(f, &r)
		if err := f.Rank(t.Context(), strings.NewReader(c.in), r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		if len(lines) != 1 || lines[0] != "0|one1|-1" {
			t.Errorf("%s: %q is printed", name, lines)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, r := echoes(1, new([]string))
	if err := f.Rank(ctx, strings.NewReader("one\n"), r); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
