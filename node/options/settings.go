package options

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/train"
)

// Setting is one value of a configuration and where it comes from.
type Setting struct {
	Origin, Key, Text string
	Old               string // the former key that it was given under
}

// Flag is the value of a flag of an option. Its methods are those of a [Field].
type Flag struct {
	Name      string // without the hyphens before it
	Former    bool   // Name comes from a former key
	key, text string // text is "" until it is set
	number    string // kind of the option's field
	auto      bool
}

// Flags is the flags of an option, under its key and under its former keys.
func (o *Option) Flags() []*Flag {
	number := o.Field.Type()
	if o.Auto {
		number += "|" + Auto
	}
	var all []*Flag
	for _, name := range append([]string{o.Key}, o.Old...) {
		all = append(all, &Flag{key: o.Key, Name: FlagName(name), Former: name != o.Key, number: number, auto: o.Auto})
	}
	return all
}

func (g *Flag) String() string { return g.text }

// Type is the kind of the value, for --help: "number|auto", for example.
func (g *Flag) Type() string { return g.number }

// Set takes a value if the option takes it, and leaves the option alone.
func (g *Flag) Set(text string) error {
	var scratch train.Config
	if !g.auto || text != Auto {
		if err := ByKey(&scratch)[g.key].Field.Set(text); err != nil {
			return err
		}
	}
	g.text = text
	return nil
}

// Given gathers the settings of the flags that the command line gives, in the
// sequence of the flags.
func Given(flags []*Flag) ([]Setting, error) {
	var all []Setting
	first := map[string]string{} // by key, the flag that gave it
	for _, g := range flags {
		if g.text == "" {
			continue
		}
		s := Setting{Origin: fmt.Sprintf("--%s %s", g.Name, g.text), Key: g.key, Text: g.text}
		if g.Name != FlagName(g.key) {
			s.Old = g.Name
		}
		if other := first[g.key]; other != "" {
			return nil, fmt.Errorf("--%s and --%s are one option: give only --%s", other, g.Name, FlagName(g.key))
		}
		first[g.key] = g.Name
		all = append(all, s)
	}
	return all, nil
}

// UsualPreset is the preset where none is named.
const UsualPreset = "demo"

// Configure makes a run's configuration, without its languages: the preset, or
// UsualPreset for "", and then the settings. undecided is the keys that are on
// auto; their numbers are the preset's for now.
func Configure(preset string, all []Setting) (cfg train.Config, undecided map[string]bool, err error) {
	base, err := train.Preset(cmp.Or(preset, UsualPreset))
	if err != nil {
		return cfg, nil, fmt.Errorf("--preset: %v", err)
	}
	base.Source, base.Target = "x", "y" // until the corpus says which
	if cfg, undecided, err = Apply(base, all); err != nil {
		return cfg, nil, err
	}
	if err := validate(cfg); err != nil {
		return cfg, nil, blame(base, all, err)
	}
	return cfg, undecided, nil
}

// validate is [train.Config.Validate] but for the rank of adapters: what rank is too large, the
// model says that the run begins with.
func validate(cfg train.Config) error {
	cfg.LoRA = 0
	return cfg.Validate()
}

// Apply applies the settings; later ones replace earlier ones.
func Apply(cfg train.Config, all []Setting) (train.Config, map[string]bool, error) {
	opts, undecided := ByKey(&cfg), map[string]bool{}
	for _, s := range all {
		o := opts[s.Key]
		delete(undecided, s.Key)
		if o.Auto && s.Text == Auto {
			undecided[s.Key] = true
			continue
		}
		if err := o.Field.Set(s.Text); err != nil {
			return cfg, nil, fmt.Errorf("%s: %v", s.Origin, err)
		}
	}
	return cfg, undecided, nil
}

// blame names the setting that makes a configuration wrong: the last one without
// which the configuration would be right.
func blame(base train.Config, all []Setting, wrong error) error {
	text := strings.TrimPrefix(wrong.Error(), "configuration: ")
	for i := len(all) - 1; i >= 0; i-- {
		others := slices.Delete(slices.Clone(all), i, i+1)
		if cfg, _, err := Apply(base, others); err == nil && validate(cfg) == nil {
			return fmt.Errorf("%s: %s", all[i].Origin, text)
		}
	}
	return wrong
}
