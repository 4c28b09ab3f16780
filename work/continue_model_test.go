package work_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/text"
)

// imported stores a model with the codes deu and fra, and a vocabulary that is smaller than
// any that this program makes.
func imported(t *testing.T, store block.Keeper, change func(*nmt.Config, []float32)) (*model.Translator, block.Link) {
	t.Helper()
	tok, err := model.ParseMarian(func(name string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join("format/testdata/marian", name))
		if err != nil || name != text.VocabFile {
			return data, err
		}
		var all map[string]int
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, err
		}
		few := map[string]int{text.MarianEOS: 0, ">>deu<<": 1, ">>fra<<": 2, "<unk>": 3}
		names := make([]string, len(all))
		for piece, id := range all {
			names[id] = piece
		}
		for _, piece := range names {
			if _, there := few[piece]; !there && piece != text.MarianPad && len(few) < 100 {
				few[piece] = len(few)
			}
		}
		few[text.MarianPad] = len(few)
		return json.Marshal(few)
	})
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{Source: "en", Target: "mul", Shape: nmt.Shape{Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1}, Vocab: uint32(tok.Pieces())}
	pad := int32(tok.Pieces() - 1)
	m.Form = nmt.Form{PostNorm: true, Activation: nmt.Swish, OutputBias: true, Positions: nmt.Halves, Marks: nmt.Marks{Pad: pad, BOS: pad}}
	params := nmt.Init(m.Config(), 1)
	if change != nil {
		c := m.Config()
		change(&c, params.At(0).F)
	}
	base, err := model.NewTranslator(m, params, tok)
	if err != nil {
		t.Fatal(err)
	}
	link, err := base.Put(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return base, link
}

// TestContinueCodes: the sources of a run that continues a model with codes have the code of
// the run's target language, in training, validation and tests. A language that the model
// has no code for is refused before anything is computed.
func TestContinueCodes(t *testing.T) {
	store := &block.MemoryStore{}
	base, link := imported(t, store, nil)
	if n := base.Model.Vocab; n >= text.MinPieces {
		t.Fatalf("a vocabulary of %d is not small", n)
	}
	c := numbers()
	c.Train[0].Source = ">>fra<< " + c.Train[0].Source
	made, err := run.Continue(t.Context(), store, c, config(), link)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.Open(t.Context(), store, made.Link)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[uint32]int{}
	batches, err := plan.Batches(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(slices.Concat(batches...), plan.ValidBatches()...) {
		for _, s := range b.Source {
			codes[s[0]]++
		}
	}
	if codes[1] == 0 || codes[2] > 1 || len(codes) > 2 {
		t.Errorf("the sources begin with the tokens %v, want 1, and at most once 2", codes)
	}
	for _, x := range slices.Concat(plan.ValidTexts(), plan.TestTexts()) {
		for _, s := range x.Segments {
			if !strings.HasPrefix(s, ">>deu<< ") {
				t.Errorf("a source to translate is %q", s)
			}
		}
	}
	trained(t, store, "portable", plan)

	c = numbers()
	c.Target = "it"
	if _, err := run.Continue(t.Context(), store, c, config(), link); err == nil || !strings.Contains(err.Error(), "it has deu, fra") {
		t.Errorf("a language without a code: %v", err)
	}
}

// TestContinueNonFinite: a run does not begin with parameters that are no numbers.
func TestContinueNonFinite(t *testing.T) {
	store := &block.MemoryStore{}
	_, link := imported(t, store, func(_ *nmt.Config, first []float32) { first[3] = float32(math.Inf(1)) })
	plan, err := run.Continue(t.Context(), store, numbers(), config(), link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Begin(t.Context(), store); !errors.Is(err, nmt.ErrNonFinite) || !strings.Contains(err.Error(), link.String()) {
		t.Errorf("Begin: %v", err)
	}
}

// TestTooLongPairs: pairs with more tokens than a model takes are left out, whatever the size
// of the batches. A script that the tokenizer was not made for has several tokens a character.
func TestTooLongPairs(t *testing.T) {
	if corpus.MaxTokens != nmt.MaxLength {
		t.Errorf("pairs have at most %d tokens, models take %d", corpus.MaxTokens, nmt.MaxLength)
	}
	store := &block.MemoryStore{}
	c, cfg := numbers(), config()
	long := corpus.Pair{Source: strings.Repeat("မြန်မာ", 60), Target: "x"}
	c.Train, c.Valid = append(c.Train[:20:20], long), append(c.Valid, long)
	cfg.Epochs, cfg.BatchTokens = 1, 4096
	first, last, _ := runLocal(t, store, "", block.Link{}, -1) // its tokenizer knows no Burmese
	link, err := block.PutNode(t.Context(), store, first.Run.Result(last.Result))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.Continue(t.Context(), store, c, cfg, link)
	if err != nil {
		t.Fatal(err)
	}
	if n := plan.TooLong(); n != 1 {
		t.Errorf("%d pairs are too long", n)
	}
	trained(t, store, "portable", plan)

	c.Train = []corpus.Pair{long}
	if _, err := run.Continue(t.Context(), store, c, cfg, link); err == nil || !strings.Contains(err.Error(), "each of the 1 training pairs is too long") {
		t.Errorf("a corpus of long pairs alone: %v", err)
	}
}

// TestContinueRepeats: of texts that are the same to the model's tokenizer, the first is
// trained on. A plan that does a pair twice would not be paid.
func TestContinueRepeats(t *testing.T) {
	store := &block.MemoryStore{}
	_, link := imported(t, store, nil)
	c := numbers()
	c.Target = "deu"
	for _, foreign := range []string{"\u0915", "\u0916"} { // both are the unknown piece
		c.Train = append(c.Train, corpus.Pair{Source: foreign, Target: "eins"})
	}
	plan, err := run.Continue(t.Context(), store, c, config(), link)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Repeats(); got < 1 {
		t.Errorf("%d pairs repeat others", got)
	}
	if first, second, found, err := plan.Repeated(); found || err != nil {
		t.Errorf("pairs %d and %d are the same, %v", first, second, err)
	}
}
