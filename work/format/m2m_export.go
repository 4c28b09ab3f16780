package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
)

// bare is a language as people name it: "__de__" is "de" to M2M-100.
func bare(piece string) string {
	return strings.TrimSuffix(strings.TrimPrefix(piece, "__"), "__")
}

// exportM2M writes a model of M2M-100 or NLLB for transformers. All its languages are there, but
// generation is set to its pair.
func exportM2M(t *model.Translator) (map[string][]byte, error) {
	tok, ok := t.Tokenizer.(*text.Fairseq)
	shape := t.Model.Config()
	want := nmt.Form{
		Positions: nmt.Timescales, FirstPosition: int(shape.Marks.Pad) + 1, Unscaled: shape.Unscaled, Marks: shape.Marks, Start: shape.Marks.EOS,
	}
	if !ok || shape.Form != want {
		return nil, fmt.Errorf("export to huggingface: transformers has no architecture with this multilingual model's norms, output and positions")
	}
	files := tok.Files()
	pieces, err := text.ParseSentencePiece(files[text.FairseqFile])
	if err != nil {
		return nil, fmt.Errorf("export to huggingface: %s: %w", text.FairseqFile, err)
	}
	names := tok.Names()
	source, target := tok.Languages()
	first := slices.IndexFunc(names, tok.Special(4))
	if first < 0 {
		return nil, fmt.Errorf("export to huggingface: no piece of a language")
	}
	// NLLB's ids follow from those of SentencePiece; those of M2M-100 are in a file.
	nllb := first == pieces.Pieces()+fairseqOffset
	for id := 3; nllb && id < pieces.Pieces(); id++ {
		nllb = names[id+fairseqOffset] == pieces.Piece(int32(id))
	}
	words := struct {
		hfTokenizer
		Source string   `json:"src_lang"`
		Target string   `json:"tgt_lang"`
		More   []string `json:"additional_special_tokens"`
	}{
		hfTokenizer: hfTokenizer{
			Class: "NllbTokenizer", Pad: text.MarianPad, BOS: "<s>", EOS: text.MarianEOS, Unknown: text.MarianUnknown,
			Most: nmt.MaxLength, SplitSpecial: true,
		},
		Source: source, Target: target,
	}
	delete(files, text.LanguagesFile)
	delete(files, text.VocabFile)
	if !nllb {
		words.Class, words.Source, words.Target = "M2M100Tokenizer", bare(source), bare(target)
		files[text.VocabFile] = vocabJSON(names[:first])
	}
	for id, name := range names[first:] {
		if name != noPiece(first+id) {
			words.More = append(words.More, name)
		} else if slices.ContainsFunc(names[first+id:], func(s string) bool { return !strings.HasPrefix(s, "<no piece ") }) {
			return nil, fmt.Errorf("export to huggingface: token %d between the languages has no piece", first+id)
		}
	}
	marks := shape.Marks
	begin := slices.Index(names, "<s>")
	c := hfConfig{
		Architectures: []string{"M2M100ForConditionalGeneration"}, ModelType: hfM2M,
		Vocab: shape.Vocab, Dim: shape.Dim, Encoder: shape.Encoder, Decoder: shape.Decoder,
		EncoderFFN: shape.FFN, DecoderFFN: shape.FFN, EncoderHeads: shape.Heads, DecoderHeads: shape.Heads,
		Activation: "relu", Scaled: !shape.Unscaled, Positions: nmt.MaxLength, EncoderDecoder: true, Type: "float32",
		Pad: marks.Pad, BOS: ref(int32(begin)), EOS: marks.EOS, Start: shape.Start, Tied: ref(true),
	}
	weights, err := scatter(shape, t.Params, hfParam)
	if err != nil {
		return nil, err
	}
	files[hfWeightsFile] = state.EncodeSafetensors(weights)
	files[hfConfigFile], files[hfTokenizerFile] = pretty(c), pretty(words)
	files[hfSpecialFile] = pretty(map[string]any{
		"additional_special_tokens": words.More, "pad_token": words.Pad, "bos_token": words.BOS, "eos_token": words.EOS, "unk_token": words.Unknown,
	})
	files[hfGenerationFile] = pretty(map[string]any{
		"pad_token_id": marks.Pad, "eos_token_id": marks.EOS, "decoder_start_token_id": shape.Start,
		"forced_bos_token_id": marks.BOS, "max_length": nmt.MaxLength, "num_beams": 1,
	})
	return files, nil
}
