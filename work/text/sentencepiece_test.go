package text

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

func sentencePiece(t testing.TB, name string) (*SentencePiece, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sentencepiece", name+".model"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseSentencePiece(data)
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// TestSentencePiecePublished: models and answers of the library itself (0.1.97),
// trained on the phrasebook: with user-defined pieces and rules of
// normalisation, with bytes for unknown characters, and with spaces behind words.
func TestSentencePiecePublished(t *testing.T) {
	models := map[string]*SentencePiece{}
	for _, name := range []string{"plain", "bytes", "suffix"} {
		models[name], _ = sentencePiece(t, name)
	}
	f, err := os.Open(filepath.Join("testdata", "sentencepiece", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var c struct {
			Model, Text, Decoded string
			IDs                  []int32
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		m := models[c.Model]
		if got := m.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%s: %q: %v, want %v", c.Model, c.Text, got, c.IDs)
		}
		if got := m.Decode(c.IDs); got != c.Decoded {
			t.Errorf("%s: %v: %q, want %q", c.Model, c.IDs, got, c.Decoded)
		}
	}
	if n < 150 {
		t.Errorf("only %d cases", n)
	}
}

func TestSentencePieceDamaged(t *testing.T) {
	_, data := sentencePiece(t, "plain")
	for _, cut := range []int{0, 1, 100, len(data) / 2, len(data) - 1} {
		if _, err := ParseSentencePiece(data[:cut]); err == nil && cut < len(data)/2 {
			t.Errorf("a model cut to %d bytes was read", cut)
		}
	}
	if _, err := ParseSentencePiece([]byte("not a model at all")); err == nil ||
		!strings.Contains(err.Error(), "sentencepiece model: ") {
		t.Errorf("got %v", err)
	}
}

// FuzzSentencePiece: what is not a model is refused or is one that encodes any
// text into its own ids and decodes any of them into UTF-8.
func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"plain", "bytes", "suffix"} {
		_, data := sentencePiece(f, name)
		f.Add(data, "Where is the station?")
		f.Add(data[:len(data)/2], "\xff\u2581 <x>")
	}
	for _, kind := range []string{"unigram", "bpe", "word", "char"} {
		data, err := os.ReadFile("testdata/types/" + kind + ".model")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "The old <mask> ABC")
	}
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		m, err := ParseSentencePiece(data)
		if err != nil || len(s) > 200 {
			return
		}
		ids := m.Encode(s)
		for _, id := range ids {
			if id < 0 || int(id) >= m.Pieces() {
				t.Fatalf("id %d of %d", id, m.Pieces())
			}
		}
		if !utf8.ValidString(m.Decode(ids)) {
			t.Error("decoded to what is not UTF-8")
		}
	})
}

// TestSentencePieceBounds: neither a piece nor a text makes the work grow faster
// than the text.
func TestSentencePieceBounds(t *testing.T) {
	m, data := sentencePiece(t, "plain")
	for size, fits := range map[int]bool{spMaxPiece: true, spMaxPiece + 1: false} {
		piece := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), strings.Repeat("q", size))
		model := protowire.AppendBytes(protowire.AppendTag(slices.Clone(data), 1, protowire.BytesType), piece)
		if _, err := ParseSentencePiece(model); (err == nil) != fits {
			t.Errorf("a piece of %d bytes: %v", size, err)
		}
	}
	long := strings.Repeat("Where is the station? ", 1<<12) // more than spMaxText
	all, part := m.Split(long), m.Split(long[:spMaxText/2])
	if n := len(strings.Join(all, "")); n < spMaxText-len(spSpace) || n > spMaxText+spMaxTarget {
		t.Errorf("of %d bytes %d are read", len(long), n)
	}
	if n := len(part) - 9; !slices.Equal(all[:n], part[:n]) {
		t.Error("the beginning of a long text is cut otherwise than by itself")
	}
}

// TestSentencePieceTypes compares models of each type, with user-defined pieces and an unk_surface
// of their own, with the SentencePiece library (0.1.97).
func TestSentencePieceTypes(t *testing.T) {
	data, err := os.ReadFile("testdata/types/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var types map[string][]struct {
		Text, Decoded string
		IDs           []int32
		Pieces        []string
	}
	if err := json.Unmarshal(data, &types); err != nil {
		t.Fatal(err)
	}
	if len(types) != 4 {
		t.Fatalf("%d types", len(types))
	}
	for kind, lines := range types { // order-free: independent cases
		data, err := os.ReadFile("testdata/types/" + kind + ".model")
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseSentencePiece(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if ids := m.Encode(l.Text); !slices.Equal(ids, l.IDs) {
				t.Errorf("%s: %q has ids %v, want %v", kind, l.Text, ids, l.IDs)
			}
			if pieces := m.Split(l.Text); !slices.Equal(pieces, l.Pieces) {
				t.Errorf("%s: %q is split as %q, want %q", kind, l.Text, pieces, l.Pieces)
			}
			if s := m.Decode(l.IDs); s != l.Decoded {
				t.Errorf("%s: %v decodes to %q, want %q", kind, l.IDs, s, l.Decoded)
			}
		}
	}
}

// TestSentencePieceUnused: two pieces that become an unused one are divided again, as they were.
func TestSentencePieceUnused(t *testing.T) {
	m := &SentencePiece{ids: map[string]int32{}, unknown: -1, kind: spBPE, defined: map[string]bool{}}
	m.pieces = []spPiece{
		{"<unk>", 0, spUnknown}, {"ab", -1, spNormal}, {"cd", -2, spNormal}, {"abcd", -3, spUnused},
		{"a", -4, spNormal}, {"b", -5, spNormal}, {"c", -6, spNormal}, {"d", -7, spNormal}, {"abcde", -3.5, spNormal}, {"e", -8, spNormal},
	}
	if err := m.finish(); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string][]string{"abcd": {"ab", "cd"}, "abcde": {"abcde"}, "xab": {"x", "ab"}} { // order-free: independent cases
		if got := m.Split(s); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
