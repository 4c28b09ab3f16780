package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// marianFiles is a tokenizer of two SentencePiece models and all their pieces.
func marianFiles(t testing.TB) MarianFiles {
	t.Helper()
	source, sourceFile := sentencePiece(t, "plain")
	target, targetFile := sentencePiece(t, "bytes")
	ids := map[string]int32{MarianEOS: 0, MarianUnknown: 1, ">>deu<<": 2}
	for _, m := range []*SentencePiece{source, target} {
		for id := range m.Pieces() {
			if piece := m.Piece(int32(id)); !slices.Contains([]string{MarianEOS, MarianUnknown, "<s>"}, piece) {
				if _, ok := ids[piece]; !ok {
					ids[piece] = int32(len(ids))
				}
			}
		}
	}
	ids[MarianPad] = int32(len(ids))
	vocab, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	return MarianFiles{Source: sourceFile, Target: targetFile, Vocab: vocab}
}

func marian(t testing.TB) *Marian {
	t.Helper()
	m, err := ParseMarian(marianFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMarian: package work/format has the answers of the SentencePiece library
// for whole texts; here are the marks and the edges.
func TestMarian(t *testing.T) {
	m := marian(t)
	plain := m.Source("Where is the station?")
	if got := m.Source(">>deu<<Where is the station?"); !slices.Equal(got, append([]int32{2}, plain...)) {
		t.Errorf("with a language: %v, without: %v", got, plain)
	}
	if got := m.Source(">>xyz<<Where is the station?"); !slices.Equal(got, append([]int32{1}, plain...)) {
		t.Errorf("with an unknown language: %v", got)
	}
	// A code is text anywhere but at the very beginning, and ends with the first "<<".
	for _, text := range []string{"Where is >>deu<<the station?", " >>deu<< the station", "a >> b << c", ">>deu"} {
		if got := m.Source(text); slices.Contains(got, 2) {
			t.Errorf("%q: the ids %v have a code", text, got)
		}
	}
	if got, inner := m.Source(">>deu<<>>deu<< a << b"), m.Source(" >>deu<< a << b"); !slices.Equal(got, append([]int32{2}, inner...)) {
		t.Errorf("with two languages: %v, want the code 2 and %v", got, inner)
	}
	if got := m.Targets(); !slices.Equal(got, []string{"deu"}) {
		t.Errorf("the languages are %q", got)
	}
	if got, err := VocabTargets(marianFiles(t).Vocab); err != nil || !slices.Equal(got, []string{"deu"}) {
		t.Errorf("the languages of the vocabulary are %q, %v", got, err)
	}
	for _, text := range []string{"</s>", "<pad>", "<unk>", "\u2603\u2603", ""} {
		for _, id := range append(m.Source(text), m.Target(text)...) {
			if eos, _ := m.ID(MarianEOS); id == eos || int(id) == m.Pieces()-1 {
				t.Errorf("%q has token %d, a mark", text, id)
			}
		}
	}
	const line = "Wo ist der Bahnhof? \u2603"
	if got := m.Decode(m.Target(line)); got != line {
		t.Errorf("decoded to %q", got)
	}
	if got := m.Decode([]int32{-1, 0, 1, int32(m.Pieces()) - 1, int32(m.Pieces())}); got != "" {
		t.Errorf("special pieces and no pieces say %q", got)
	}
}

func TestMarianDamaged(t *testing.T) {
	good := marianFiles(t)
	vocab := func(s string) func(*MarianFiles) { return func(f *MarianFiles) { f.Vocab = []byte(s) } }
	for what, change := range map[string]func(*MarianFiles){
		"source cut":    func(f *MarianFiles) { f.Source = f.Source[:len(f.Source)/2] },
		"target cut":    func(f *MarianFiles) { f.Target = f.Target[:100] },
		"vocab cut":     func(f *MarianFiles) { f.Vocab = f.Vocab[:len(f.Vocab)-1] },
		"more after it": func(f *MarianFiles) { f.Vocab = append(slices.Clone(f.Vocab), '1') },
		"twice":         vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"a":3,"a":3}`),
		"gap":           vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"a":4}`),
		"one id twice":  vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"a":2}`),
		"negative":      vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"a":-1}`),
		"huge":          vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"a":4000000000}`),
		"empty piece":   vocab(`{"</s>":0,"<unk>":1,"<pad>":2,"":3}`),
		"no pad":        vocab(`{"</s>":0,"<unk>":1}`),
		"array":         vocab(`["</s>"]`),
	} {
		f := good
		if change(&f); f.Vocab == nil {
			t.Fatal(what)
		}
		if _, err := ParseMarian(f); err == nil || !strings.Contains(fmt.Sprint(err), ": ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzMarianVocab: what is no vocabulary is refused or gives tokens below its
// size for any text, and text for any tokens.
func FuzzMarianVocab(f *testing.F) {
	good := marianFiles(f)
	f.Add(good.Vocab, "Where is the station?")
	f.Add([]byte(`{"</s>":0,"<unk>":1,"<pad>":2}`), ">>a<< \xff")
	f.Add([]byte(`{"</s>":0,"<unk>":1,"<pad>":2,"<0x41>":3}`), "A")
	f.Fuzz(func(t *testing.T, vocab []byte, s string) {
		m, err := ParseMarian(MarianFiles{Source: good.Source, Target: good.Target, Vocab: vocab})
		if err != nil || len(s) > 200 {
			return
		}
		for _, id := range append(m.Source(s), m.Target(s)...) {
			if id < 0 || int(id) >= m.Pieces() {
				t.Fatalf("token %d of %d", id, m.Pieces())
			}
		}
		if !utf8.ValidString(m.Decode(m.Target(s))) {
			t.Error("decoded to what is not UTF-8")
		}
	})
}
