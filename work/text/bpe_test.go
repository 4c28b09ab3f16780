package text

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// sample is a small text with many repetitions.
var sample = []string{
	"Where is the station?", "Where is the next station?", "The station is over there.",
	"Wo ist der Bahnhof?", "Wo ist der nächste Bahnhof?", "Der Bahnhof ist dort drüben.",
	"The museum opens at 10.", "Das Museum öffnet um 10 Uhr.", "It's 25 euros; that's a lot!",
	"low low low low low lower lower newest newest newest newest newest newest widest widest widest",
}

func train(t testing.TB, lines []string, pieces int) *BPE {
	t.Helper()
	tok, err := Train(slices.Values(lines), pieces)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestRoundTrip(t *testing.T) {
	tok := train(t, sample, 320)
	for _, s := range append(slices.Clone(sample),
		"", " ", "  ", " lead", "trail ", "two  spaces", "\ttab", "don't 'quote' 's", "<pad> <s></s>",
		"日本語のテキスト", "Ünïcödé ßÄÖÜ — “quotes” …", "👩‍👩‍👧 €5", "12:30, 3.14", strings.Repeat("x", 1000), strings.Repeat(" ", 70)+"x",
	) {
		if got := tok.Decode(tok.Encode(s)); got != s {
			t.Errorf("Decode(Encode(%q)) = %q", s, got)
		}
	}
	if got := tok.Decode([]int32{BOS, FirstByte + 'h', -1, 1 << 30, FirstByte + 0xFF, Pad, EOS}); got != "h\uFFFD" {
		t.Errorf("Decode of odd ids = %q", got)
	}
}

// TestGolden pins the tokenizer of a small text: its file and one encoding.
// Both are consensus.
func TestGolden(t *testing.T) {
	tok := train(t, sample, 300)
	sum := sha256.Sum256(tok.JSON())
	if got, want := hex.EncodeToString(sum[:]), "457aef8bfe029a80345d7cef54e17b282de88c746bb24ba537b23d8f1a05ed4a"; got != want {
		t.Errorf("tokenizer.json has digest %s, want %s", got, want)
	}
	want := []string{" W", "h", "ere", " is", " th", "e", " station", "?"}
	var got []string
	for _, id := range tok.Encode("Where is the station?") {
		got = append(got, tok.pieces[id])
	}
	if !slices.Equal(got, want) {
		t.Errorf("pieces %q, want %q", got, want)
	}
}

// slowTrain is Train by definition: count everything again for each merge.
func slowTrain(lines []string, pieces int) *BPE {
	var words [][]int32
	for _, s := range lines {
		for s = " " + s; s != ""; {
			n := wordLen(s)
			words = append(words, byteIDs(s[:n]))
			s = s[n:]
		}
	}
	t := newBPE()
	for t.Pieces() < pieces {
		counts := make(map[pair]int)
		for _, w := range words {
			for i := range len(w) - 1 {
				counts[pair{w[i], w[i+1]}]++
			}
		}
		var best pair
		n := 1
		for p, c := range counts {
			l, r := t.pieces[p.left], t.pieces[p.right]
			bl, br := t.pieces[best.left], t.pieces[best.right]
			if c > n || c == n && n > 1 && (l < bl || l == bl && r < br) {
				best, n = p, c
			}
		}
		if n < 2 {
			break
		}
		if err := t.add(best); err != nil {
			panic(err)
		}
		for k, w := range words {
			var out []int32
			for i := 0; i < len(w); i++ {
				if i+1 < len(w) && (pair{w[i], w[i+1]}) == best {
					out = append(out, int32(t.Pieces()-1))
					i++
				} else {
					out = append(out, w[i])
				}
			}
			words[k] = out
		}
	}
	return t
}

func TestTrainEqualsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 40 {
		lines := slices.Clone(sample)
		for range 20 {
			b := make([]byte, r.IntN(40))
			for i := range b {
				b[i] = "aaabbc d"[r.IntN(8)]
			}
			lines = append(lines, string(b))
		}
		pieces := MinPieces + r.IntN(150)
		want := slowTrain(lines, pieces)
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if got := train(t, lines, pieces); !slices.Equal(got.merges, want.merges) {
			t.Fatalf("trial %d: merges differ", trial)
		}
	}
}

// TestEncodeFollowsTraining: encoding a training word applies the merges as
// training did, so every word ends in the same pieces.
func TestEncodeFollowsTraining(t *testing.T) {
	tok := newBPE()
	words := countWords(slices.Values(sample))
	tr := newTrainer(tok, words)
	for range 60 {
		p, ok := tr.best()
		if !ok {
			break
		}
		if err := tok.add(p); err != nil {
			t.Fatal(err)
		}
		tr.apply(p, int32(tok.Pieces()-1))
	}
	for _, w := range words {
		var b strings.Builder
		for _, id := range w.ids {
			b.WriteString(tok.pieces[id])
		}
		if got := tok.word(b.String()); !slices.Equal(got, w.ids) {
			t.Errorf("%q: encoded %v, trained %v", b.String(), got, w.ids)
		}
	}
}

func TestTrainErrors(t *testing.T) {
	for _, c := range []struct {
		lines  []string
		pieces int
		want   string
	}{
		{sample, 258, "train tokenizer: 258 pieces are asked for, want 259 to 65536"},
		{sample, 65537, "train tokenizer: 65537 pieces are asked for, want 259 to 65536"},
		{nil, 300, "train tokenizer: there is no text"},
		{[]string{"", ""}, 300, "train tokenizer: there is no text"},
	} {
		if _, err := Train(slices.Values(c.lines), c.pieces); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	if n := train(t, []string{"ab"}, 1000).Pieces(); n != MinPieces {
		t.Errorf("%d pieces from a text without repetition, want %d", n, MinPieces)
	}
}

func TestParse(t *testing.T) {
	tok := train(t, sample, 320)
	data := tok.JSON()
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.JSON(), data) || !slices.Equal(again.Encode(sample[0]), tok.Encode(sample[0])) {
		t.Error("the parsed tokenizer differs")
	}
	edit := func(old, new string) []byte { return bytes.Replace(data, []byte(old), []byte(new), 1) }
	first := tok.pieces[tok.merges[0].left] + " " + tok.pieces[tok.merges[0].right]
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "it is damaged"},
		{append(slices.Clone(data), ' '), "not those that this program writes"},
		{edit("NFC", "NFD"), "not those that this program writes"},
		{edit(`"merges": [`, `"merges": ["qq x",`), "does not name two earlier pieces"},
		{edit(`"merges": [`, `"merges": ["`+first+`",`), "makes a piece that exists already"},
		{edit(`"merges": [`, `"merges": ["< s","<s >",`), "the name of a special piece"},
		{edit(`"merges": [`, `"merges": ["x x","xx xx","xxxx xxxx","xxxxxxxx xxxxxxxx","xxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxx",`+
			`"`+strings.Repeat("x", 32)+" "+strings.Repeat("x", 32)+`","`+strings.Repeat("x", 64)+" "+
			strings.Repeat("x", 64)+`","`+
			strings.Repeat("x", 128)+" "+strings.Repeat("x", 128)+`",`), "the limit is 132"},
		{make([]byte, maxJSON+1), "the limit is"},
	} {
		if _, err := Parse(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want %q in it", err, c.want)
		}
	}
}

// TestCacheIsBounded: more distinct words than the cache holds.
func TestCacheIsBounded(t *testing.T) {
	tok := train(t, sample, 320)
	word := []byte("aaaa")
	for range maxCache + 1000 {
		for i := range word {
			if word[i]++; word[i] <= 'z' {
				break
			}
			word[i] = 'a'
		}
		if got := tok.Decode(tok.Encode(string(word))); got != string(word) {
			t.Fatalf("got %q, want %q", got, word)
		}
		if len(tok.cache) > maxCache {
			t.Fatalf("%d words in the cache", len(tok.cache))
		}
	}
}

func FuzzEncode(f *testing.F) {
	tok := train(f, sample, 320)
	f.Add("Where is the station?")
	f.Add("  \t\r\n x'y \u00a0\U0001F600 'll 99")
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ToValidUTF8(s, "\uFFFD")
		if got := tok.Decode(tok.Encode(s)); got != want {
			t.Fatalf("Decode(Encode(%q)) = %q", s, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(train(f, sample, 280).JSON())
	f.Add(newBPE().JSON())
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := Parse(data); err == nil && !bytes.Equal(tok.JSON(), data) {
			t.Fatal("Parse took bytes that JSON does not write")
		}
	})
}
