package format

import (
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/unit"
)

// spmOf is a SentencePiece model of the unigram kind: </s>, <unk> and single characters, with
// scores that fall.
func spmOf(n int, from rune) (out []byte) {
	for i := range n {
		piece, kind := string(from+rune(i)), byte(1)
		switch i {
		case 0:
			piece, kind = "</s>", 3
		case 1:
			piece, kind = "<unk>", 2
		case 2:
			piece = "\u2581"
		}
		p := append([]byte{10, byte(len(piece))}, piece...)
		p = binary.LittleEndian.AppendUint32(append(p, 21), math.Float32bits(-float32(i)))
		p = append(p, 24, kind)
		out = append(append(out, 10, byte(len(p))), p...)
	}
	return out
}

// TestFirefox imports models under the names of Firefox Translations: a recurrent decoder, codes of
// 8 bits, and one SentencePiece model or two.
func TestFirefox(t *testing.T) {
	opts := map[string]string{
		"type": "transformer", "dim-emb": "8", "dim-vocabs": "13 13", "transformer-dim-ffn": "12", "transformer-heads": "2",
		"enc-depth": "2", "dec-depth": "2", "tied-embeddings-all": "true", "transformer-ffn-activation": "relu",
		"transformer-preprocess": "", "transformer-postprocess": "dan", "transformer-decoder-autoreg": "rnn", "dec-cell": "ssru",
	}
	for what, c := range map[string]struct {
		change map[string]string
		vocabs map[string][]byte
	}{
		"one":  {nil, map[string][]byte{"vocab.enet.spm": spmOf(13, 'a')}},
		"two":  {map[string]string{"tied-embeddings-all": "false", "tied-embeddings": "true", "dim-vocabs": "11 14"}, map[string][]byte{"srcvocab.enzh.spm": spmOf(11, 'a'), "trgvocab.enzh.spm": spmOf(14, '中')}},
		"both": {nil, map[string][]byte{"vocab.enet.spm": spmOf(13, 'a'), "vocab.eten.spm": spmOf(13, 'a')}},
	} {
		m := marianReference{opts: maps.Clone(opts)}
		maps.Copy(m.opts, c.change)
		m.invent(rand.New(rand.NewPCG(7, 7)))
		files := maps.Clone(c.vocabs)
		files["model.en.intgemm.alphas.bin"], _ = m.bin(t, 0x4101)
		files["lex.50.50.en.s2t.bin"] = []byte{1}
		tr, err := Import("marian", dir("", files), slices.Collect(maps.Keys(files))...)
		if what == "both" {
			if err == nil || !strings.Contains(err.Error(), "decoder.yml") {
				t.Errorf("two files that may be the vocabulary: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := tr.Tokenizer.Source("df e"); !slices.Equal(got, []int32{2, 3, 5, 2, 4}) {
			t.Errorf("%s: the source has the tokens %v", what, got)
		}
		if got, want := tr.Tokenizer.Decode([]int32{2, 3, 4}), map[string]string{"one": "de", "two": "丰丱"}[what]; got != want {
			t.Errorf("%s: tokens 3 and 4 are %q, want %q", what, got, want)
		}
		if _, err := tr.Translate(tr.Model.NewEngine(device(t)), []string{"def", "g h"}, unit.Greedy); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := Export("marian", tr); err == nil || !strings.Contains(err.Error(), "SSRU") {
			t.Errorf("%s: an export: %v", what, err)
		}
	}
}
