package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/work/train"
)

// auto is the word for a choice that the program is to make.
const auto = options.Auto

// optionFlags adds the flags of the options, and hidden flags of their former
// names. The help tells the values of the usual preset.
func optionFlags(cmd *cobra.Command) []*options.Flag {
	usual, err := train.Preset(options.UsualPreset)
	if err != nil {
		panic(err) // UsualPreset is one of the presets
	}
	var all []*options.Flag
	for _, s := range options.Sections(&usual) {
		for _, o := range s.Options {
			if !o.Flagged {
				continue
			}
			for _, g := range o.Flags() {
				all = append(all, g)
				f := cmd.Flags().VarPF(g, g.Name, "", fmt.Sprintf("%s (preset %s: %s)", o.About, options.UsualPreset, o.Field))
				f.Hidden = g.Former
			}
		}
	}
	return all
}

// configure makes the run's configuration, without its languages: the preset,
// then the file, then the flags. It says which former names were used.
func (l *trainFlags) configure(a *app) (cfg train.Config, preset string, undecided map[string]bool, err error) {
	var all []options.Setting
	if l.config != "" {
		if preset, all, err = readConfig(a.path(l.config)); err != nil {
			return cfg, "", nil, err
		}
	}
	given, err := options.Given(l.given)
	if err != nil {
		return cfg, "", nil, usageError{err.Error()}
	}
	all = append(all, given...)
	for _, s := range all {
		if s.Old != "" {
			a.note("%s: %s is the old name of %s, and will go", s.Origin, s.Old, s.Key)
		}
	}
	preset = cmp.Or(l.preset, preset, options.UsualPreset)
	if cfg, undecided, err = options.Configure(preset, all); err != nil {
		return cfg, "", nil, usageError{err.Error()}
	}
	return cfg, preset, undecided, nil
}

// readConfig reads the file of a run's configuration.
func readConfig(path string) (preset string, all []options.Setting, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("--config: %w", err)
	}
	if preset, all, err = options.Parse(path, string(data)); err != nil {
		return "", nil, usageError{err.Error()}
	}
	return preset, all, nil
}
