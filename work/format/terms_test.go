package format

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// TestMarianTerms: a model of MarianMT writes terms, in binary32 and in int8, and refuses a term with
// a character that its vocabulary lacks.
func TestMarianTerms(t *testing.T) {
	tr, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	segments := []string{"Where is the station?", "It is a quarter to seven."}
	want := [][]string{{"Bahnhof", "Gleis 9"}, {"Sieben"}}
	for _, int8 := range []bool{false, true} {
		if err := tr.Prepare(device(t), int8); err != nil {
			t.Fatal(err)
		}
		for _, beam := range []uint16{1, 4} {
			d := unit.Decoding{Beam: beam, LengthPPM: 1_000_000}
			out, err := tr.TranslateText(tr.Model.NewEngine(device(t)), unit.NewText(segments, want), d)
			if err != nil {
				t.Fatal(err)
			}
			for i, list := range want {
				for _, term := range list {
					if !strings.Contains(out[i], term) {
						t.Errorf("int8 %v, beam %d: %q is not in %q", int8, beam, term, out[i])
					}
				}
			}
		}
	}
	// Without the piece of its first byte, a character is not in the vocabulary.
	vocab, err := dir(marianDir, nil)("vocab.json")
	if err != nil {
		t.Fatal(err)
	}
	poor, err := Import("huggingface", dir(marianDir, map[string][]byte{"vocab.json": bytes.Replace(vocab, []byte("<0xE7>"), []byte("<gone>"), 1)}))
	if err != nil {
		t.Fatal(err)
	}
	for tok, refused := range map[model.Tokenizer]bool{tr.Tokenizer: false, poor.Tokenizer: true} { // order-free: independent cases
		_, err := model.Spell(tok, []string{"Bahnhof", "Bahn猫"})
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), `the term "Bahn猫": its vocabulary lacks`) {
			t.Errorf("%v, want an error: %v", err, refused)
		}
	}
}
