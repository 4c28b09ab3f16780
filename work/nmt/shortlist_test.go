package nmt

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// some is a shortlist that leaves out most of the toy's tokens: always the
// fourth, and of each token itself and the one 2 above.
func some(vocab int) *Shortlist {
	s := &Shortlist{always: []int32{4}, starts: []int32{0}}
	for id := range int32(vocab) {
		s.each = append(s.each, id)
		if int(id)+2 < vocab {
			s.each = append(s.each, id+2)
		}
		s.starts = append(s.starts, int32(len(s.each)))
	}
	return s
}

func TestCandidates(t *testing.T) {
	got := some(11).Candidates([]int32{5, 9, 5}, toy.Tokens())
	if want := []int32{EOS, 4, 5, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := some(11).Candidates([]int32{5}, Marks{Pad: 5, BOS: 7, EOS: 0}); !slices.Equal(got, []int32{0, 4}) {
		t.Errorf("with other marks: %v", got)
	}
}

// TestShortlistWhole: a shortlist of everything changes nothing.
func TestShortlistWhole(t *testing.T) {
	whole := &Shortlist{starts: make([]int32, toy.Vocab+1)}
	for id := range int32(toy.Vocab) {
		whole.always = append(whole.always, id)
	}
	src := sentences(4, toy.Vocab, 40, 12)
	for _, p := range layouts(t, toy, sharp()) {
		e := NewEngine(open(t, ""), toy)
		want, _, err := e.Greedy(p, src, TwicePlusTen)
		if err != nil {
			t.Fatal(err)
		}
		e.Shortlist = whole
		got, _, err := e.Greedy(p, src, TwicePlusTen)
		if err != nil || !slices.EqualFunc(got, want, equal) {
			t.Errorf("layout %d: %v, %v; without %v", e.layout, got, err, want)
		}
	}
}

// TestShortlistBatch translates with a shortlist in batches of 1, 7 and all: a
// sentence's tokens are the same, on every device, and its own candidates.
func TestShortlistBatch(t *testing.T) {
	list := some(toy.Vocab)
	src := sentences(4, toy.Vocab, 64, 12)
	type settings struct {
		coded bool
		width int
	}
	first := map[settings][][]int32{}
	for _, dev := range devices(t) {
		for _, p := range layouts(t, toy, sharp()) {
			e := NewEngine(dev, toy)
			e.Shortlist = list
			for _, width := range []int{1, 3} {
				translate := func(src [][]int32) [][]int32 {
					out, _, err := e.Greedy(p, src, TwicePlusTen)
					if width > 1 {
						out, _, err = e.Beam(p, src, TwicePlusTen, width, 0.75)
					}
					if err != nil {
						t.Fatal(err)
					}
					return out
				}
				key := settings{layoutOf(p) == coded, width}
				if first[key] == nil {
					first[key] = translate(src)
				}
				want := first[key]
				if !slices.EqualFunc(translate(src), want, equal) {
					t.Errorf("%s, layout %d, beam %d: other tokens than the first device's", dev.Name(), e.layout,
						width)
				}
				for _, size := range []int{1, 7} {
					var got [][]int32
					for part := range slices.Chunk(src, size) {
						got = append(got, translate(part)...)
					}
					if !slices.EqualFunc(got, want, equal) {
						t.Errorf("%s, layout %d, beam %d: batches of %d give other tokens than all", dev.Name(),
							e.layout, width, size)
					}
				}
				for i, out := range want {
					ids := list.Candidates(src[i], toy.Tokens())
					if slices.ContainsFunc(out, func(id int32) bool { return !slices.Contains(ids, id) }) {
						t.Errorf("sentence %d is %v, its candidates %v", i, out, ids)
					}
				}
			}
		}
	}
}

func TestShortlistOfAnother(t *testing.T) {
	e := NewEngine(open(t, ""), toy)
	e.Shortlist = some(toy.Vocab + 1)
	if _, _, err := e.Greedy(sharp(), [][]int32{{5}}, TwicePlusTen); err == nil {
		t.Error("a shortlist of another vocabulary was used")
	}
}

// TestLearnShortlist aligns a language in which every word has one
// translation, 20 above it, and a particle, 10, that follows one in two.
func TestLearnShortlist(t *testing.T) {
	c := Config{Vocab: 40}
	source := sentences(8, 20, 200, 6)
	var target [][]int32
	for i, s := range source {
		var out []int32
		for _, id := range slices.Backward(s) {
			if out = append(out, id+20); (int(id)+i)%2 == 0 {
				out = append(out, 10)
			}
		}
		target = append(target, out)
	}
	list := LearnShortlist(c, source, target, 1, 1)
	if !slices.Equal(list.always, []int32{10}) {
		t.Errorf("always %v, want the particle", list.always)
	}
	for id := int32(EOS + 1); id < 20; id++ {
		if got := list.of(id); !slices.Equal(got, []int32{id, id + 20}) {
			t.Errorf("token %d has %v", id, got)
		}
	}
	if got := list.of(30); !slices.Equal(got, []int32{30}) {
		t.Errorf("a token never seen has %v", got)
	}
}

func TestParseShortlistRejects(t *testing.T) {
	good := some(11).Encode()
	for what, data := range map[string][]byte{ // order-free: independent cases
		"nothing":              nil,
		"another file":         []byte("{}"),
		"a cut file":           good[:len(good)-1],
		"a byte too many":      append(slices.Clone(good), 0),
		"a token out of range": append(slices.Clone(good[:8]), 11, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"a long number":        append(slices.Clone(good[:8]), 11, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"a huge count":         append(slices.Clone(good[:8]), 11, 0xff, 0xff, 0xff, 0xff, 0x7f),
	} {
		if _, err := ParseShortlist(data, 11); !errors.Is(err, errShortlist) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	if _, err := ParseShortlist(good, 12); err == nil {
		t.Error("a shortlist of another vocabulary was read")
	}
}

// FuzzParseShortlist: what is read is written as it was, and names no token
// beyond the vocabulary.
func FuzzParseShortlist(f *testing.F) {
	f.Add(some(11).Encode())
	f.Add(append([]byte(shortlistMagic), 11, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseShortlist(data, 11)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), data) {
			t.Errorf("%x is written as %x", data, s.Encode())
		}
		for id := range int32(11) {
			for _, c := range s.Candidates([]int32{id}, toy.Tokens()) {
				if c < 0 || c >= 11 {
					t.Errorf("token %d has candidate %d", id, c)
				}
			}
		}
	})
}
