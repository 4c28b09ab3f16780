package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/work/train"
)

// option is a number or a word of a run's configuration in the form that
// people give it: in a file under its key, on the command line as a flag of
// that name with hyphens.
type option struct {
	key   string
	about string
	field field
	// flagged says that the option has a flag. The numbers of a model's shape
	// have none: they stand in a file.
	flagged bool
	// auto says that the word auto may stand for the number: the program decides.
	auto bool
	// old are former keys. They still work, and a line says that they are old.
	old []string
}

func hyphens(key string) string { return strings.ReplaceAll(key, "_", "-") }

// field reads and writes one field of a configuration. Its Type is the word for
// the value in --help.
type field = pflag.Value

// auto is the word that stands for a number that the program is to decide.
const auto = "auto"

// section is the options under one heading of a file.
type section struct {
	heading string
	options []option
}

// sections is the options of c, in the sequence of a configuration file.
func sections(c *train.Config) []section {
	return []section{
		{"The model. Source, target and output share one embedding matrix (tied embeddings).", []option{
			{key: "pieces", about: "size of the tokenizer's vocabulary", field: (*count)(&c.Pieces), flagged: true},
			{key: "dim", about: "width of the model; even, and a multiple of heads", field: (*count)(&c.Dim)},
			{key: "ffn", about: "inner width of its feed-forward layers", field: (*count)(&c.FFN)},
			{key: "heads", about: "heads of each attention", field: (*count)(&c.Heads)},
			{key: "encoder_layers", about: "layers of the encoder", field: (*count)(&c.Encoder)},
			{key: "decoder_layers", about: "layers of the decoder", field: (*count)(&c.Decoder)},
		}},
		{"Regularisation.", []option{
			{key: "dropout", about: "share of the activations dropped", field: (*fraction)(&c.DropoutPPM), flagged: true},
			{key: "label_smoothing", about: "share of each target spread over all pieces", field: (*fraction)(&c.SmoothingPPM), flagged: true},
			{key: "weight_decay", about: "weight decay of AdamW: a step reduces each weight by this share times the learning rate", field: (*fraction)(&c.WeightDecayPPM), flagged: true},
		}},
		{"A step: the gradient of some batches, then Adam.", []option{
			{key: "batch_tokens", about: "most tokens of a batch, source or target; auto fits the batch to the free memory", field: (*count)(&c.BatchTokens), auto: true, flagged: true},
			{key: "accumulate", about: "batches whose gradients make one step", field: (*count)(&c.Accumulate), flagged: true},
			{key: "clip", about: "largest norm of a gradient, larger ones are scaled down; 0 for no limit", field: (*fraction)(&c.ClipPPM), flagged: true},
			{key: "learning_rate", about: "largest learning rate, reached at the end of the warm-up", field: (*fraction)(&c.RatePPM), flagged: true},
			{key: "warm_up", about: "steps of the warm-up", field: (*count)(&c.WarmUp), flagged: true},
			{key: "decay", about: "how the learning rate falls after the warm-up: " + strings.Join(train.Decays(), ", "), field: (*word)(&c.Decay), flagged: true},
			{key: "beta1", about: "Adam's decay of the first moment", field: (*fraction)(&c.Beta1PPM)},
			{key: "beta2", about: "Adam's decay of the second moment", field: (*fraction)(&c.Beta2PPM)},
		}},
		{"A round: miners compute its units, then the coordinator combines the results.", []option{
			{key: "units", about: "units of a round; part of the run, whatever the number of machines", field: (*count)(&c.Units), flagged: true},
			{key: "local_steps", about: "optimiser steps inside one unit (DiLoCo); auto takes more where the network is slow", field: (*count)(&c.LocalSteps), auto: true, flagged: true, old: []string{"steps", "sync"}},
			{key: "delta_bits", about: "bits of each number in a unit's result: 8, 4 or 2", field: (*count)(&c.DeltaBits), flagged: true},
			{key: "update_bits", about: "bits of each number in the update of a round: 8, 4 or 2", field: (*count)(&c.UpdateBits), flagged: true},
			{key: "lead", about: "number of first rounds whose units have one local step", field: (*count)(&c.Lead), flagged: true},
			{key: "outer_rate", about: "learning rate of the outer optimiser, with several local steps", field: (*fraction)(&c.OuterRatePPM)},
			{key: "outer_momentum", about: "momentum of the outer optimiser, with several local steps", field: (*fraction)(&c.OuterMomentumPPM)},
		}},
		{"The run.", []option{
			{key: "epochs", about: "passes over the corpus", field: (*count)(&c.Epochs), flagged: true},
			{key: "rounds", about: "most rounds; the run ends earlier when its epochs are done; 0 for no limit", field: (*count)(&c.Rounds), flagged: true},
			{key: "seed", about: "decides the first parameters, the order of the corpus and dropout", field: (*seed)(&c.Seed), flagged: true},
			{key: "validate_every", about: "rounds between validations; 0 validates at the end of each epoch", field: (*count)(&c.Validation), flagged: true},
			{key: "patience", about: "end after this many validations without a better BLEU, and keep the best model; 0 for never", field: (*count)(&c.Patience), flagged: true},
			{key: "average", about: "validations whose parameters are averaged into the model", field: (*count)(&c.Average), flagged: true},
			{key: "checkpoint", about: "every Nth round's state is kept, so that later rounds can be recomputed from it", field: (*count)(&c.Checkpoint)},
		}},
	}
}

// formerKeys maps the former keys of options to those of today.
func formerKeys() map[string]string {
	m := map[string]string{}
	for key, o := range options(new(train.Config)) {
		for _, old := range o.old {
			m[old] = key
		}
	}
	return m
}

// options is the options of c by key.
func options(c *train.Config) map[string]option {
	m := map[string]option{}
	for _, s := range sections(c) {
		for _, o := range s.options {
			m[o.key] = o
		}
	}
	return m
}

// count is a whole number.
type count uint32

func (n *count) Type() string   { return "number" }
func (n *count) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *count) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", uint32(math.MaxUint32))
	}
	*n = count(v)
	return nil
}

// seed is a whole number. All values are equally good. TOML has no integers above
// 2^63-1.
type seed uint64

func (n *seed) Type() string   { return "number" }
func (n *seed) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *seed) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", int64(math.MaxInt64))
	}
	*n = seed(v)
	return nil
}

// word is one of a few names.
type word string

func (w *word) Type() string   { return "name" }
func (w *word) String() string { return string(*w) }

func (w *word) Set(text string) error {
	*w = word(text)
	return nil
}

// fraction is parts per million, written as a decimal number.
type fraction uint32

const million = 1_000_000

func (f *fraction) Type() string { return "decimal" }

func (f *fraction) String() string {
	s := fmt.Sprintf("%d.%06d", uint32(*f)/million, uint32(*f)%million)
	s = strings.TrimRight(s, "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

// set reads digits, a point and at most six more digits: every such number is
// a whole number of parts per million, and no other is.
func (f *fraction) Set(text string) error {
	whole, part, _ := strings.Cut(text, ".")
	part = strings.TrimRight(part, "0")
	if len(part) > 6 {
		return errors.New("want at most 6 digits after the point")
	}
	if whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return errors.New("want a decimal number that is not negative, such as 0.1")
	}
	v, err := strconv.ParseUint(whole+part+strings.Repeat("0", 6-len(part)), 10, 32)
	if err != nil {
		return fmt.Errorf("want a number from 0 to %d", math.MaxUint32/million)
	}
	*f = fraction(v)
	return nil
}

// given is the value of a flag of an option, as a pflag.Value.
type given struct {
	key, flag, text string // text is "" until it is set
	number          string // kind of the option's field
	auto            bool
}

func (g *given) String() string { return g.text }
func (g *given) Type() string   { return g.number }

func (g *given) Set(text string) error {
	var scratch train.Config
	if !g.auto || text != auto {
		if err := options(&scratch)[g.key].field.Set(text); err != nil {
			return err
		}
	}
	g.text = text
	return nil
}

// optionFlags adds the flags of the options, and hidden flags of their former
// names. The help tells the values of the usual preset.
func optionFlags(cmd *cobra.Command) []*given {
	usual, err := train.Preset(usualPreset)
	if err != nil {
		panic(err) // usualPreset is one of the presets
	}
	var all []*given
	for _, s := range sections(&usual) {
		for _, o := range s.options {
			if !o.flagged {
				continue
			}
			number := o.field.Type()
			if o.auto {
				number += "|" + auto
			}
			for _, name := range append([]string{o.key}, o.old...) {
				g := &given{key: o.key, flag: hyphens(name), number: number, auto: o.auto}
				all = append(all, g)
				f := cmd.Flags().VarPF(g, g.flag, "", fmt.Sprintf("%s (preset %s: %s)", o.about, usualPreset, o.field))
				f.Hidden = name != o.key
			}
		}
	}
	return all
}

// setting is one value of a configuration and where it comes from.
type setting struct {
	origin, key, text string
	old               string // the former key that it was given under
}

// settings gathers the settings of the file and then of the flags, in the order
// in which they apply.
func (l *trainFlags) settings() (preset string, all []setting, err error) {
	if l.config != "" {
		if preset, all, err = readConfig(l.config); err != nil {
			return "", nil, err
		}
	}
	if l.preset != "" {
		preset = l.preset
	}
	first := map[string]string{} // by key, the flag that gave it
	for _, g := range l.given {
		if g.text == "" {
			continue
		}
		s := setting{origin: fmt.Sprintf("--%s %s", g.flag, g.text), key: g.key, text: g.text}
		if g.flag != hyphens(g.key) {
			s.old = g.flag
		}
		if other := first[g.key]; other != "" {
			return "", nil, usagef("--%s and --%s are one option: give only --%s", other, g.flag, hyphens(g.key))
		}
		first[g.key] = g.flag
		all = append(all, s)
	}
	return preset, all, nil
}

// deprecated says which former names were used, a line for each.
func deprecated(a *app, all []setting) {
	for _, s := range all {
		if s.old != "" {
			a.note("%s: %s is the old name of %s, and will go", s.origin, s.old, s.key)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// usualPreset is the preset where none is named.
const usualPreset = "demo"

// configure makes the run's configuration, without its languages: the preset,
// then the file, then the flags. undecided is the keys that are on auto; their
// numbers are the preset's for now.
func (l *trainFlags) configure(a *app) (cfg train.Config, preset string, undecided map[string]bool, err error) {
	preset, all, err := l.settings()
	if err != nil {
		return cfg, "", nil, err
	}
	deprecated(a, all)
	if preset == "" {
		preset = usualPreset
	}
	base, err := train.Preset(preset)
	if err != nil {
		return cfg, "", nil, usagef("--preset: %v", err)
	}
	base.Source, base.Target = "x", "y" // until the corpus says which
	if cfg, undecided, err = apply(base, all); err != nil {
		return cfg, "", nil, err
	}
	if err := cfg.Validate(); err != nil {
		return cfg, "", nil, blame(base, all, err)
	}
	return cfg, preset, undecided, nil
}

// apply applies the settings; later ones replace earlier ones.
func apply(cfg train.Config, all []setting) (train.Config, map[string]bool, error) {
	opts, undecided := options(&cfg), map[string]bool{}
	for _, s := range all {
		o := opts[s.key]
		delete(undecided, s.key)
		if o.auto && s.text == auto {
			undecided[s.key] = true
			continue
		}
		if err := o.field.Set(s.text); err != nil {
			return cfg, nil, usagef("%s: %v", s.origin, err)
		}
	}
	return cfg, undecided, nil
}

// blame names the setting that makes a configuration wrong: the last one without
// which the configuration would be right.
func blame(base train.Config, all []setting, wrong error) error {
	text := strings.TrimPrefix(wrong.Error(), "configuration: ")
	for i := len(all) - 1; i >= 0; i-- {
		others := slices.Delete(slices.Clone(all), i, i+1)
		if cfg, _, err := apply(base, others); err == nil && cfg.Validate() == nil {
			return usagef("%s: %s", all[i].origin, text)
		}
	}
	return usageError{wrong.Error()}
}

// readConfig reads the file of a run's configuration.
func readConfig(path string) (preset string, all []setting, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("--config: %w", err)
	}
	return parseConfig(path, string(data))
}

// parseConfig parses the text of such a file: its preset, if it names one, and
// its settings in their order.
func parseConfig(path, data string) (preset string, all []setting, err error) {
	values := map[string]any{}
	meta, err := toml.Decode(data, &values)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return "", nil, usagef("%s:%d: not TOML: %s; `alia train --print-config` prints a file of the right form", path, parse.Position.Line, parse.Message)
	} else if err != nil {
		return "", nil, usagef("%s: %v", path, err)
	}
	known, former := options(new(train.Config)), formerKeys()
	lines := map[string]int{} // by key, where it is given
	for _, k := range meta.Keys() {
		given, line := k[0], lineOf(data, k[0])
		at := fmt.Sprintf("%s:%d: %s", path, line, given)
		key := given
		if former[given] != "" {
			key = former[given]
		}
		o, ok := known[key]
		if key != "preset" && !ok {
			return "", nil, usagef("%s: no option is called that%s; the options are preset, %s", at, didYouMean(given, sortedKeys(known)), strings.Join(sortedKeys(known), ", "))
		}
		if other := lines[key]; other > 0 {
			return "", nil, usagef("%s: line %d gives the same option: give only %s", at, other, key)
		}
		lines[key] = line
		text, err := tomlText(values[given], o)
		if err != nil {
			return "", nil, usagef("%s: %v", at, err)
		}
		if key == "preset" {
			if _, err := train.Preset(text); err != nil {
				return "", nil, usagef("%s: %v", at, err)
			}
			preset = text
			continue
		}
		s := setting{origin: at + " = " + text, key: key, text: text}
		if given != key {
			s.old = given
		}
		all = append(all, s)
	}
	return preset, all, nil
}

// tomlText is a value of a file as text, if it is of a type that the option
// takes; the zero option takes words.
func tomlText(v any, o option) (string, error) {
	switch v := v.(type) {
	case string:
		if _, isWord := o.field.(*word); isWord || o.field == nil || o.auto && v == auto {
			return v, nil
		}
	case int64:
		if _, isWord := o.field.(*word); !isWord && o.field != nil {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		if _, isFraction := o.field.(*fraction); isFraction {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	}
	want := "a name in quotes"
	switch {
	case o.field == nil:
	case o.auto:
		want = `a whole number or "auto"`
	case o.field.Type() == "number":
		want = "a whole number"
	case o.field.Type() == "decimal":
		want = "a number such as 0.1"
	}
	return "", fmt.Errorf("want %s", want)
}

// lineOf finds the line, counted from 1, of a key at the top of a file. The
// decoder does not tell it; the file is well-formed when this is asked.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		name, _, _ := strings.Cut(strings.TrimLeft(line, " \t["), "=")
		name, _, _ = strings.Cut(strings.Trim(strings.TrimSpace(name), `"'`), ".")
		if strings.TrimRight(name, "] \t") == key {
			return n
		}
	}
	return n
}

// printConfig writes a configuration as a file that readConfig reads.
func printConfig(cfg train.Config, preset string, undecided map[string]bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A training run: alia train --config FILE\n# Decimals have at most six digits after the point. What a line leaves out is the preset's.\n\npreset = %q\n", preset)
	for _, s := range sections(&cfg) {
		fmt.Fprintf(&b, "\n# %s\n", s.heading)
		for _, o := range s.options {
			value := o.field.String()
			if _, isWord := o.field.(*word); isWord {
				value = strconv.Quote(value)
			}
			if undecided[o.key] {
				value = strconv.Quote(auto)
			}
			fmt.Fprintf(&b, "%-26s # %s\n", o.key+" = "+value, o.about)
		}
	}
	return b.String()
}
