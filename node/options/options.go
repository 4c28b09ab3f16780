// Package options reads and writes the options of a training run: their table,
// their flags, and the TOML file of a run.
//
// [Sections] is the table: each [Option] has a key, and a [Field] that writes into a
// train.Config. [Parse] reads a file and [Given] reads flags; both return a list of
// [Setting]. [Configure] applies the list to a preset and names the setting that
// makes the configuration wrong. [Print] writes the configuration as a file that
// Parse reads. All errors are mistakes of the user's, in words for the user.
//
//	preset, file, err := options.Parse("run.toml", text)
//	flags, err := options.Given(given)
//	cfg, undecided, err := options.Configure(preset, append(file, flags...))
//	text := options.Print(cfg, preset, undecided)
package options

import (
	"strings"

	"github.com/alia-network/alia/work/train"
)

// Option is a number or a word of a run's configuration in the form that
// people give it: in a file under its key, on the command line as a flag of
// that name with hyphens.
type Option struct {
	Key   string // as in a file, such as batch_tokens
	About string
	Field Field
	// Flagged says that the option has a flag. The numbers of a model's shape
	// have none: they stand in a file.
	Flagged bool
	// Auto says that the word auto may stand for the number: the program decides.
	Auto bool
	// Old are former keys. They still work, and a line says that they are old.
	Old []string
}

// FlagName is the name of an option's flag: batch-tokens for the key batch_tokens.
func FlagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// Field reads and writes one field of a configuration. Its Type is the word for
// the value in --help. Field has the methods of a command-line flag's value.
type Field interface {
	String() string
	Set(text string) error
	Type() string
}

// Auto is the word that stands for a number that the program is to decide.
const Auto = "auto"

// Section is the options under one heading of a file.
type Section struct {
	Heading string
	Options []Option
}

// Sections is the options of c, in the sequence of a configuration file.
func Sections(c *train.Config) []Section {
	return []Section{
		{"The model. Source, target and output share one embedding matrix (tied embeddings).", []Option{
			{Key: "pieces", About: "size of the tokenizer's vocabulary", Field: (*count)(&c.Pieces), Flagged: true},
			{Key: "dim", About: "width of the model; even, and a multiple of heads", Field: (*count)(&c.Dim)},
			{Key: "ffn", About: "inner width of its feed-forward layers", Field: (*count)(&c.FFN)},
			{Key: "heads", About: "heads of each attention", Field: (*count)(&c.Heads)},
			{Key: "encoder_layers", About: "layers of the encoder", Field: (*count)(&c.Encoder)},
			{Key: "decoder_layers", About: "layers of the decoder", Field: (*count)(&c.Decoder)},
			{Key: "lora", About: "rank of low-rank adapters (LoRA), trained in the place of the parameters of the model that --from names; 0 trains all parameters", Field: (*count)(&c.LoRA), Flagged: true},
		}},
		{"Regularisation.", []Option{
			{Key: "dropout", About: "share of the activations dropped", Field: (*Fraction)(&c.DropoutPPM), Flagged: true},
			{Key: "label_smoothing", About: "share of the probability of each target token that is spread over the whole vocabulary", Field: (*Fraction)(&c.SmoothingPPM), Flagged: true},
			{Key: "weight_decay", About: "weight decay of AdamW: a step reduces each weight by this share times the learning rate", Field: (*Fraction)(&c.WeightDecayPPM), Flagged: true},
		}},
		{"A step: the gradient of some batches, then Adam.", []Option{
			{Key: "batch_tokens", About: "most source tokens, and most target tokens, of a batch; auto fits the batch to the free memory", Field: (*count)(&c.BatchTokens), Auto: true, Flagged: true},
			{Key: "arithmetic", About: "what the matrix products multiply, 32-bit numbers or 8-bit codes: " + strings.Join(train.Arithmetics(), ", "), Field: (*word)(&c.Arithmetic), Flagged: true},
			{Key: "accumulate", About: "batches whose gradients make one optimiser step", Field: (*count)(&c.Accumulate), Flagged: true},
			{Key: "clip", About: "largest norm of a gradient; a larger gradient is scaled down to it; 0 for no limit", Field: (*Fraction)(&c.ClipPPM), Flagged: true},
			{Key: "learning_rate", About: "largest learning rate, reached at the end of the warm-up", Field: (*Fraction)(&c.RatePPM), Flagged: true},
			{Key: "warm_up", About: "optimiser steps of the warm-up, in which the learning rate rises from 0", Field: (*count)(&c.WarmUp), Flagged: true},
			{Key: "decay", About: "how the learning rate falls after the warm-up: " + strings.Join(train.Decays(), ", "), Field: (*word)(&c.Decay), Flagged: true},
			{Key: "beta1", About: "Adam's decay of the first moment", Field: (*Fraction)(&c.Beta1PPM)},
			{Key: "beta2", About: "Adam's decay of the second moment", Field: (*Fraction)(&c.Beta2PPM)},
		}},
		{"A round: miners compute its units, then the coordinator combines the results.", []Option{
			{Key: "units", About: "units of a round; it changes the model, and does not depend on the number of machines", Field: (*count)(&c.Units), Flagged: true},
			{Key: "local_steps", About: "optimiser steps inside one unit (DiLoCo); auto takes more where the network is slow", Field: (*count)(&c.LocalSteps), Auto: true, Flagged: true, Old: []string{"steps", "sync"}},
			{Key: "delta_bits", About: "bits of each number in a unit's result: 8, 4 or 2", Field: (*count)(&c.DeltaBits), Flagged: true},
			{Key: "update_bits", About: "bits of each number in the update of the parameters after a round: 8, 4 or 2", Field: (*count)(&c.UpdateBits), Flagged: true},
			{Key: "lead", About: "number of first rounds whose units have one local step", Field: (*count)(&c.Lead), Flagged: true},
			{Key: "outer_rate", About: "learning rate of the outer optimiser, with several local steps", Field: (*Fraction)(&c.OuterRatePPM)},
			{Key: "outer_momentum", About: "momentum of the outer optimiser, with several local steps", Field: (*Fraction)(&c.OuterMomentumPPM)},
		}},
		{"The run.", []Option{
			{Key: "epochs", About: "passes over the corpus", Field: (*count)(&c.Epochs), Flagged: true},
			{Key: "rounds", About: "most rounds; the run ends earlier when its epochs are done; 0 for no limit", Field: (*count)(&c.Rounds), Flagged: true},
			{Key: "seed", About: "decides the first parameters, the order of the corpus and dropout", Field: (*seed)(&c.Seed), Flagged: true},
			{Key: "validate_every", About: "rounds between validations; 0 validates at the end of each epoch", Field: (*count)(&c.Validation), Flagged: true},
			{Key: "patience", About: "end after this many validations in a row without a better one, and keep the best model; 0 for never", Field: (*count)(&c.Patience), Flagged: true},
			{Key: "patience_on", About: "what decides which validation is better: " + strings.Join(train.Measures(), ", ") + "; auto is bleu, or chrf where the target language has no spaces between words", Field: (*measure)(&c.Measure), Flagged: true},
			{Key: "average", About: "last validations whose parameters are averaged into the model; with patience, those up to the best", Field: (*count)(&c.Average), Flagged: true},
			{Key: "checkpoint", About: "every Nth round's state may be kept, so that later rounds can be recomputed from it", Field: (*count)(&c.Checkpoint)},
		}},
	}
}

// FormerKeys maps the former keys of options to those of today.
func FormerKeys() map[string]string {
	m := map[string]string{}
	for key, o := range ByKey(new(train.Config)) {
		for _, old := range o.Old {
			m[old] = key
		}
	}
	return m
}

// ByKey is the options of c by key.
func ByKey(c *train.Config) map[string]Option {
	m := map[string]Option{}
	for _, s := range Sections(c) {
		for _, o := range s.Options {
			m[o.Key] = o
		}
	}
	return m
}
