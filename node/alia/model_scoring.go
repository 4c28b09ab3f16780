package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/text"
)

// scoring is the flags that say how a translation is scored. Their names are sacreBLEU's.
type scoring struct {
	tgt           string
	tokenize, spm string
	spaces        bool
	lowercase     bool
	smoothing     string
	smoothValue   float64
	effective     bool
	chrF          score.ChrF
	ter           score.TER
}

// The tokenizers of SentencePiece models. The official ones have names of their own.
const ownModel = "spm"

var officialModels = []string{"flores101", "flores200", "spBLEU-1K"}

// tokenizerNames are the values of --tokenize.
func tokenizerNames() []string {
	var names []string
	for _, t := range score.Tokenizers() {
		names = append(names, t.Name)
	}
	return append(append(names, ownModel), officialModels...)
}

// smoothings are the values of --smooth-method.
func smoothings() []string {
	var names []string
	for _, s := range score.Smoothings() {
		names = append(names, string(s))
	}
	return names
}

func (s *scoring) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.tgt, "tgt", "", "`LANGUAGE` of the translation (default: the model's)")
	f.StringVar(&s.tokenize, "tokenize", "", "`NAME` of BLEU's tokenizer: "+strings.Join(tokenizerNames(), ", ")+" (default: by the language)")
	f.StringVar(&s.spm, "tokenizer-model", "", "SentencePiece model `FILE` for --tokenize "+ownModel+", "+strings.Join(officialModels, " and ")+" (default: none)")
	f.BoolVar(&s.spaces, "tokenized", false, "the files are tokenized already: the same as --tokenize none")
	f.BoolVar(&s.lowercase, "lowercase", false, "compute BLEU in small letters")
	f.StringVar(&s.smoothing, "smooth-method", string(score.Exponential), "smoothing of BLEU, a `NAME`: "+strings.Join(smoothings(), ", "))
	f.Float64Var(&s.smoothValue, "smooth-value", 0, "`NUMBER` that --smooth-method floor (default 0.1) or add-k (default 1) uses")
	f.BoolVar(&s.effective, "effective-order", false, "leave out n-grams longer than every line, for BLEU of single sentences")
	usual := score.NewChrF()
	f.IntVar(&s.chrF.Characters, "chrf-char-order", usual.Characters, "longest character n-grams of chrF, a `NUMBER`")
	f.IntVar(&s.chrF.Words, "chrf-word-order", usual.Words, "longest word n-grams of chrF, a `NUMBER`; chrF has 0 and chrF++ 2")
	f.IntVar(&s.chrF.Beta, "chrf-beta", usual.Beta, "weight of recall in chrF, a `NUMBER`")
	f.BoolVar(&s.chrF.Lowercase, "chrf-lowercase", false, "compute chrF in small letters")
	f.BoolVar(&s.chrF.Whitespace, "chrf-whitespace", false, "count white space as characters of chrF")
	f.BoolVar(&s.chrF.Epsilon, "chrf-eps-smoothing", false, "smooth chrF as chrF++.py does")
	f.BoolVar(&s.ter.Normalized, "ter-normalized", false, "separate punctuation for TER")
	f.BoolVar(&s.ter.NoPunctuation, "ter-no-punct", false, "leave punctuation out for TER")
	f.BoolVar(&s.ter.Asian, "ter-asian-support", false, "divide Chinese and Japanese characters with --ter-normalized, and leave out their punctuation with --ter-no-punct")
	f.BoolVar(&s.ter.CaseSensitive, "ter-case-sensitive", false, "distinguish capital letters in TER")
	complete(cmd, "tokenize", tokenizerNames())
	complete(cmd, "smooth-method", smoothings())
}

// mostModel bounds the bytes read of a SentencePiece model. Its reader refuses files far shorter.
const mostModel = 128 << 20

// mostOrder bounds the n-grams that a user may ask for.
const mostOrder = 20

func (s *scoring) check(a *app) error {
	if s.spaces {
		if s.tokenize != "" && s.tokenize != "none" {
			return usagef("--tokenized is --tokenize none, and --tokenize says %s: give one of them", s.tokenize)
		}
		s.tokenize = "none"
	}
	switch withModel := s.tokenize == ownModel || slices.Contains(officialModels, s.tokenize); {
	case s.tokenize == "ja-mecab" || s.tokenize == "ko-mecab":
		return usagef("--tokenize %s needs the program MeCab and its dictionary, which are not part of this program: use char, or spm with --tokenizer-model", s.tokenize)
	case s.tokenize != "" && !slices.Contains(tokenizerNames(), s.tokenize):
		return usagef("--tokenize %s: want one of %s", s.tokenize, strings.Join(tokenizerNames(), ", "))
	case withModel && s.spm == "":
		return usagef("--tokenize %s needs its SentencePiece model: give the file with --tokenizer-model", s.tokenize)
	case !withModel && s.spm != "":
		return usagef("--tokenizer-model goes only with --tokenize %s, %s", ownModel, strings.Join(officialModels, ", "))
	case !slices.Contains(smoothings(), s.smoothing):
		return usagef("--smooth-method %s: want one of %s", s.smoothing, strings.Join(smoothings(), ", "))
	case !(0 <= s.smoothValue && s.smoothValue <= 1000):
		return usagef("--smooth-value %v: give a number from 0 to 1000", s.smoothValue)
	case s.smoothValue != 0 && s.smoothing != string(score.Floor) && s.smoothing != string(score.AddK):
		return usagef("--smooth-value goes only with --smooth-method %s or %s", score.Floor, score.AddK)
	case min(s.chrF.Characters, s.chrF.Words) < 0 || s.chrF.Characters+s.chrF.Words < 1 || max(s.chrF.Characters, s.chrF.Words) > mostOrder:
		return usagef("--chrf-char-order %d and --chrf-word-order %d: give numbers from 0 to %d, one of them above 0", s.chrF.Characters, s.chrF.Words, mostOrder)
	case s.chrF.Beta < 0 || s.chrF.Beta > 1000:
		return usagef("--chrf-beta %d: give a number from 0 to 1000", s.chrF.Beta)
	case s.ter.Asian && !s.ter.Normalized && !s.ter.NoPunctuation:
		return usagef("--ter-asian-support changes nothing alone: add --ter-normalized or --ter-no-punct")
	}
	return nil
}

// metrics are those of an evaluation of texts in a language: BLEU, BLEU in small letters, chrF,
// chrF++, TER. The warnings say which of them mean little.
func (s *scoring) metrics(language string) (all []score.Metric, warnings []string, err error) {
	tok, err := s.tokenizer(language)
	if err != nil {
		return nil, nil, err
	}
	for _, text := range []string{tok.Warning(language), tok.Comparable(language), s.ter.Warning(language)} {
		if text != "" {
			warnings = append(warnings, text)
		}
	}
	bleu := score.BLEU{WordSplitter: tok, Lowercase: s.lowercase, Smoothing: score.Smoothing(s.smoothing), Value: s.smoothValue, EffectiveOrder: s.effective}
	small, plus := bleu, s.chrF
	small.Lowercase, plus.Words = true, score.NewChrFPlus().Words
	return []score.Metric{bleu.Metric(), small.Metric(), s.chrF.Metric(), plus.Metric(), s.ter.Metric()}, warnings, nil
}

// tokenizer is BLEU's.
func (s *scoring) tokenizer(language string) (score.WordSplitter, error) {
	switch {
	case s.tokenize == "":
		return score.TokenizerFor(language), nil
	case s.spm == "":
		return score.TokenizerOf(s.tokenize)
	}
	f, err := os.Open(s.spm)
	if err != nil {
		return score.WordSplitter{}, fmt.Errorf("--tokenizer-model: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostModel))
	if err != nil {
		return score.WordSplitter{}, fmt.Errorf("--tokenizer-model %s: %w", s.spm, err)
	}
	m, err := text.ParseSentencePiece(data)
	if err != nil {
		return score.WordSplitter{}, fmt.Errorf("--tokenizer-model %s: %w", s.spm, err)
	}
	name := s.tokenize
	if name == ownModel { // no name says which model, so its bytes do
		name = fmt.Sprintf("%s-%x", ownModel, sha256.Sum256(data))[:len(ownModel)+9]
	}
	return score.WordSplitter{Name: name, Cut: m.Split}, nil
}
