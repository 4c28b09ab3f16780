package text

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// lengther is a tokenizer whose Lengths is under test.
type lengther interface {
	Decode(ids []int32) string
	Lengths(s string, limit int) (least, most int, ok bool)
	Longest() int
	Pieces() int
}

// TestLengths: whatever tokens are decoded, their number is within the lengths of
// the text they make.
func TestLengths(t *testing.T) {
	bpe, err := Train(slices.Values([]string{"the cat sat on the mat", "das ist die Ähre", "  two  spaces"}), 300)
	if err != nil {
		t.Fatal(err)
	}
	for name, tok := range map[string]lengther{"bpe": bpe, "marian": marian(t)} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				ids := rapid.SliceOfN(rapid.Int32Range(FirstByte, int32(tok.Pieces())-1), 0, 30).Draw(t, "ids")
				s := tok.Decode(ids)
				least, most, ok := tok.Lengths(s, 30)
				if !ok || least > len(ids) || most < len(ids) {
					t.Fatalf("%q of %d tokens: lengths %d to %d, %v", s, len(ids), least, most, ok)
				}
				if len(s) > len(ids)*tok.Longest() {
					t.Fatalf("%q of %d tokens: %d bytes, the longest token gives %d", s, len(ids), len(s),
						tok.Longest())
				}
				if ok && least > 0 {
					if _, _, ok := tok.Lengths(s, least-1); ok {
						t.Fatalf("%q fits into %d tokens and into fewer", s, least)
					}
				}
			})
		})
	}
}

// TestLengthsAreTight: the fewest tokens of a short text are found by trying all.
func TestLengthsAreTight(t *testing.T) {
	bpe, err := Train(slices.Values([]string{"abab abab ab", "aba bab", "aab aab"}), 266)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32 // of the pieces of spaces and letters
	for id, p := range bpe.pieces {
		if p != "" && strings.Trim(p, " ab") == "" {
			ids = append(ids, int32(id))
		}
	}
	fewest := map[string]int{"": 0}
	texts := [][]int32{nil}
	for n := 1; n <= 4; n++ {
		var longer [][]int32
		for _, before := range texts {
			for _, id := range ids {
				tokens := append(slices.Clone(before), id)
				longer = append(longer, tokens)
				if s := bpe.Decode(tokens); fewest[s] == 0 && s != "" {
					fewest[s] = n
				}
			}
		}
		texts = longer
	}
	if len(fewest) < 100 {
		t.Fatalf("%d texts of %d pieces", len(fewest), len(ids))
	}
	for s, n := range fewest {
		if least, most, ok := bpe.Lengths(s, 100); !ok || least != n || most != len(s)+1 {
			t.Errorf("%q: lengths %d to %d, %v, want %d to %d", s, least, most, ok, n, len(s)+1)
		}
	}
}

// TestLengthsOfJunk: a text that needs more tokens than the limit is refused,
// however long, and what no piece writes is too.
func TestLengthsOfJunk(t *testing.T) {
	bpe, err := Train(slices.Values([]string{"the cat sat on the mat"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	for _, junk := range []string{strings.Repeat("x", 2<<20), strings.Repeat("\uFFFD a", 1<<18), "xyzzy"} {
		if least, most, ok := bpe.Lengths(junk, 3); ok {
			t.Errorf("%.20q: lengths %d to %d", junk, least, most)
		}
	}
	m := marian(t)
	if _, _, ok := m.Lengths("\u0001", 10); ok != (m.spelling.pieces["\u0001"] != 0) {
		t.Error("what no piece writes is spelt")
	}
}

func BenchmarkLengths(b *testing.B) {
	bpe, err := Train(slices.Values([]string{"the cat sat on the mat and the dog slept under the table"}), 300)
	if err != nil {
		b.Fatal(err)
	}
	s := strings.Repeat("the cat sat under the table ", 4)
	bpe.Lengths(s, 200)
	for b.Loop() {
		bpe.Lengths(s, 200)
	}
}
