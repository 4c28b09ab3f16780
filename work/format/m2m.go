package format

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// M2M-100 and NLLB (modeling_m2m_100.py) are models of ours, but for their positions: all sines of
// Marian's timescales first, and the first token has the position behind padding's id. Their
// decoder begins with EOS and the token of the target's language, and their sources begin with
// that of their own (tokenization_m2m_100.py, tokenization_nllb.py). A model of this program
// translates between two languages, so an import names them.

const (
	hfM2M         = "m2m_100"
	hfSpecialFile = "special_tokens_map.json"
	fairseqOffset = 1 // by which NLLB's ids are above those of SentencePiece
)

// pair is the languages that an import names; "" where it does not.
type pair struct{ source, target string }

// importM2M reads a model of M2M-100 or NLLB for a pair of its languages.
func (c *hfConfig) importM2M(read ReadFile, p pair) (*model.Translator, error) {
	if c.Activation != "relu" || !c.tied() || c.EncoderFFN != c.DecoderFFN || c.EncoderHeads != c.DecoderHeads {
		return nil, fmt.Errorf("%s: activation_function %q, embeddings tied: %v, encoder_ffn_dim %d and decoder_ffn_dim %d, "+
			"encoder_attention_heads %d and decoder_attention_heads %d: this program has %s with relu, tied embeddings and equal numbers",
			hfConfigFile, c.Activation, c.tied(), c.EncoderFFN, c.DecoderFFN, c.EncoderHeads, c.DecoderHeads, hfM2M)
	}
	tok, err := c.fairseq(read, p)
	if err != nil {
		return nil, err
	}
	pad, eos, language := tok.Marks()
	if c.Pad != pad || c.EOS != eos || c.Start != eos {
		return nil, fmt.Errorf("%s: pad_token_id %d, eos_token_id %d and decoder_start_token_id %d, those of the tokenizer are %d, %d and %d",
			hfConfigFile, c.Pad, c.EOS, c.Start, pad, eos, eos)
	}
	shape := nmt.Config{
		Vocab: c.Vocab, Dim: c.Dim, FFN: c.EncoderFFN, Heads: c.EncoderHeads, Encoder: c.Encoder, Decoder: c.Decoder,
		Form: nmt.Form{
			Positions: nmt.Timescales, FirstPosition: int(pad) + 1, Unscaled: !c.Scaled,
			Marks: nmt.Marks{Pad: pad, BOS: language, EOS: eos}, Start: eos,
		},
	}
	if err := shape.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", hfConfigFile, err)
	}
	weights, file, err := readWeights(read)
	if err != nil {
		return nil, err
	}
	weights, err = oneEmbedding(weights, hfEmbedding, hfCopies)
	var params *tensor.Set
	if err == nil {
		// Some files have the constants of the architecture.
		spare := slices.Clone(hfCopies)
		for _, stack := range []string{"encoder", "decoder"} {
			name := "model." + stack + ".embed_positions.weights"
			spare = append(spare, name, "model."+stack+".embed_positions._float_tensor", "model."+stack+".version")
			if err == nil {
				err = sinusoidal(weights, name, shape)
			}
		}
		if err == nil {
			params, err = gather(shape, weights, hfParam, spare...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	source, target := tok.Languages()
	m := model.Model{Vocab: uint32(shape.Vocab), Shape: shape.Shape(), Form: shape.Form, Source: bare(source), Target: bare(target)}
	return model.NewTranslator(m, params, tok)
}

// tied reports whether config.json has one matrix for all embeddings.
func (c *hfConfig) tied() bool {
	return (c.Tied == nil || *c.Tied) && (c.ShareEmbedding == nil || *c.ShareEmbedding)
}

// sinusoidal compares a table of positions from 0 on, where the file has it, with the
// architecture's. The row of padding is zero there.
func sinusoidal(w *tensor.Set, name string, shape nmt.Config) error {
	x, ok := w.Get(name)
	if !ok {
		return nil
	}
	first := shape.FirstPosition
	if x.Type != kernel.F32 || len(x.Shape) != 2 || x.Shape[1] != shape.Dim || x.Shape[0] <= first || x.Shape[0] > 1<<16 {
		return fmt.Errorf("tensor %q of shape %v: want more than %d rows of %d numbers of F32", name, x.Shape, first, shape.Dim)
	}
	return sameTable(name, x.F[first*shape.Dim:], shape.PositionTable(x.Shape[0]-first), shape.Dim)
}

// fairseq makes the tokenizer for a pair of languages.
func (c *hfConfig) fairseq(read ReadFile, p pair) (*text.Fairseq, error) {
	var t struct {
		Class  string `json:"tokenizer_class"`
		Source string `json:"src_lang"`
		Target string `json:"tgt_lang"`
		Legacy bool   `json:"legacy_behaviour"`
	}
	if err := readJSON(read, hfTokenizerFile, &t); err != nil {
		return nil, err
	}
	class := strings.TrimSuffix(t.Class, "Fast")
	if t.Legacy || class != "" && class != "NllbTokenizer" && class != "M2M100Tokenizer" {
		return nil, fmt.Errorf("%s: tokenizer_class %q, legacy_behaviour %v: this program has NllbTokenizer and M2M100Tokenizer, "+
			"whose sources begin with their language", hfTokenizerFile, t.Class, t.Legacy)
	}
	spm, err := read(text.FairseqFile)
	if err != nil {
		return nil, err
	}
	pieces, err := text.ParseSentencePiece(spm)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text.FairseqFile, err)
	}
	names, err := c.names(read, pieces)
	if err != nil {
		return nil, err
	}
	var l text.Languages
	for _, side := range []struct {
		what, named, own string
		to               *string
	}{{"source (--src)", p.source, t.Source, &l.Source}, {"target (--tgt)", p.target, t.Target, &l.Target}} {
		code := side.named
		if code == "" {
			code = side.own
		}
		for _, piece := range []string{code, "__" + code + "__"} {
			if slices.Contains(names.languages, piece) {
				*side.to = piece
			}
		}
		if *side.to == "" {
			wrong := "a multilingual model"
			if code != "" {
				wrong = fmt.Sprintf("%.40q is no language of this model", code)
			}
			return nil, fmt.Errorf("%s: name the %s of the pair to import, one of %s",
				wrong, side.what, strings.ReplaceAll(strings.Join(names.languages, " "), "__", ""))
		}
	}
	return text.ParseFairseq(text.FairseqFiles{Pieces: spm, Vocab: vocabJSON(names.all), Languages: pretty(l)})
}

// m2mNames is a vocabulary: all its pieces by id, and those of languages among them.
type m2mNames struct{ all, languages []string }

// names is the model's vocabulary: the pieces of text, by the file of M2M-100 or by the rule of
// NLLB, behind them the languages and other marks, and names for rows that no piece has.
func (c *hfConfig) names(read ReadFile, pieces *text.SentencePiece) (m2mNames, error) {
	var n m2mNames
	if c.Vocab < 1 || c.Vocab > 1<<18 { // before memory is taken for it
		return n, fmt.Errorf("%s: vocab_size is %d, want 1 to %d", hfConfigFile, c.Vocab, 1<<18)
	}
	data, err := read(text.VocabFile)
	switch {
	case err == nil:
		if n.all, err = text.ParseVocab(data); err != nil {
			return n, err
		}
	case errors.Is(err, fs.ErrNotExist):
		if pieces.Pieces() < 4 || pieces.Piece(0) != text.MarianUnknown || pieces.Piece(1) != "<s>" || pieces.Piece(2) != text.MarianEOS {
			return n, fmt.Errorf("%s: its first pieces are not <unk>, <s> and </s>, as those of NLLB", text.FairseqFile)
		}
		n.all = []string{"<s>", text.MarianPad, text.MarianEOS, text.MarianUnknown}
		for id := 3; id < pieces.Pieces(); id++ {
			n.all = append(n.all, pieces.Piece(int32(id)))
		}
	default:
		return n, err
	}
	added, err := addedTokens(read, len(n.all))
	if err != nil {
		return n, err
	}
	if len(n.all)+len(added) > c.Vocab {
		return n, fmt.Errorf("%d pieces and %d languages do not fit the vocab_size %d of %s", len(n.all), len(added), c.Vocab, hfConfigFile)
	}
	for _, piece := range added {
		if piece != "" && !strings.HasPrefix(piece, "<") {
			n.languages = append(n.languages, piece)
		}
	}
	for n.all = append(n.all, added...); len(n.all) < c.Vocab; {
		n.all = append(n.all, "")
	}
	for id, piece := range n.all {
		if piece == "" {
			n.all[id] = noPiece(id)
		}
	}
	return n, nil
}

// noPiece is the name of a row that no piece has.
func noPiece(id int) string { return fmt.Sprintf("<no piece %d>", id) }

// addedTokens is the pieces of languages and other marks behind first pieces of text, by id; "" for
// an id without one. Newer files give their ids, older ones only their sequence.
func addedTokens(read ReadFile, first int) ([]string, error) {
	type token struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	}
	var words struct {
		Added map[string]token `json:"added_tokens_decoder"` // by id
		More  []any            `json:"additional_special_tokens"`
	}
	if err := readJSON(read, hfTokenizerFile, &words); err != nil {
		return nil, err
	}
	var all []token
	for id, t := range words.Added { // order-free: placed by id
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("%s: added_tokens_decoder has the id %.40q", hfTokenizerFile, id)
		}
		all = append(all, token{n, t.Content})
	}
	if len(all) == 0 {
		var fast struct {
			Added []token `json:"added_tokens"`
		}
		if err := readJSON(read, text.TokenizerFile, &fast); err != nil {
			return nil, err
		}
		all = fast.Added
	}
	if len(all) == 0 {
		var special struct {
			More []any `json:"additional_special_tokens"`
		}
		if err := readJSON(read, hfSpecialFile, &special); err != nil {
			return nil, err
		}
		if len(special.More) == 0 {
			special.More = words.More
		}
		for i, v := range special.More {
			if o, ok := v.(map[string]any); ok {
				v = o["content"]
			}
			s, _ := v.(string)
			all = append(all, token{first + i, s})
		}
	}
	var out []string
	for _, t := range all {
		at := t.ID - first
		if at < 0 {
			continue // a mark among the pieces of text
		}
		if at >= 1<<12 || t.Content == "" || at < len(out) && out[at] != "" {
			return nil, fmt.Errorf("the added token %.40q with id %d has no name, a high id, or that of another", t.Content, t.ID)
		}
		for len(out) <= at {
			out = append(out, "")
		}
		out[at] = t.Content
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no languages: %s and %s have no added_tokens_decoder or additional_special_tokens", hfTokenizerFile, hfSpecialFile)
	}
	return out, nil
}

// readJSON reads a file into v, which stays as it is where there is no such file.
func readJSON(read ReadFile, name string, v any) error {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return parseJSON(name, data, v)
}

// vocabJSON is a file of pieces and their ids.
func vocabJSON(names []string) []byte {
	b := []byte("{")
	for id, name := range names {
		if id > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n  "...)
		b = append(b, strings.TrimSpace(string(pretty(name)))...)
		b = strconv.AppendInt(append(b, ": "...), int64(id), 10)
	}
	return append(b, "\n}\n"...)
}
