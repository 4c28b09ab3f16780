package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/options"
)

// settings fills the flags that the command line left out, from ALIA_NAME in
// the environment and then from config.toml in the home, and starts the log.
func (a *app) settings(cmd *cobra.Command) error {
	a.typed = map[string]bool{}
	cmd.Flags().Visit(func(f *pflag.Flag) { a.typed[f.Name] = true })
	if err := a.fromEnvironment(cmd); err != nil {
		return err
	}
	if a.guest {
		a.home = a.host.home()
		if !node.NetworkLink(a.network) {
			a.network = a.path(a.network)
		}
	}
	if a.home == "" {
		_, err := home.Default()
		return usageError{err.Error()}
	}
	if info, err := os.Stat(string(a.home)); err == nil && !info.IsDir() {
		return usagef("--home %s: it is a file: choose a directory", a.home)
	}
	if err := a.fromFile(cmd); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level %q: give debug, info, warn or error", a.logLevel)
	}
	a.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	if a.network == "" {
		a.network = a.home.Network()
	}
	return nil
}

// variable names the environment's counterpart of a flag.
func variable(flag string) string {
	return "ALIA_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (a *app) fromEnvironment(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value, ok := a.env(variable(f.Name))
		if !ok || value == "" || taken(cmd.Flags(), f) {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			errs = append(errs, usagef("%s in the environment: %v", variable(f.Name), flagError(cmd, err)))
		}
	})
	return errors.Join(errs...)
}

// taken reports whether a flag has its value, under its own name or under that
// which it had before or has now.
func taken(flags *pflag.FlagSet, f *pflag.Flag) bool {
	if f.Changed {
		return true
	}
	former := options.FormerKeys()
	today := func(name string) string {
		if key := former[name]; key != "" {
			return options.FlagName(key)
		}
		return name
	}
	found := false
	flags.Visit(func(other *pflag.Flag) { found = found || today(other.Name) == today(f.Name) })
	return found
}

// fromFile takes the flags' values that stand in the home's settings.
func (a *app) fromFile(cmd *cobra.Command) error {
	path := a.home.Settings()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	values, _, err := options.Decode(path, string(data), "a line is such as threads = 2")
	if err != nil {
		return usageError{err.Error()}
	}
	known := flagNames(cmd.Root())
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, table := values[name].(map[string]any); table {
			return usagef("%s: [%s] begins a table, and settings have none: a line is such as threads = 2", path, name)
		}
		if name == "home" {
			return usagef("%s: home cannot stand here, as this file lies in the home: give --home or ALIA_HOME", path)
		}
		if !known[name] {
			return usagef("%s: no flag is called %q%s", path, name, options.DidYouMean(name, slices.Sorted(maps.Keys(known))))
		}
		f := cmd.Flags().Lookup(name)
		if f == nil || taken(cmd.Flags(), f) {
			continue // a setting of other commands, or given already
		}
		if err := set(cmd, f, values[name]); err != nil {
			return usagef("%s: %v", path, err)
		}
	}
	return nil
}

// set gives a flag a value of the settings. A list of texts is for a flag that takes
// several; a text may contain a comma there.
func set(cmd *cobra.Command, f *pflag.Flag, value any) error {
	list, many := f.Value.(pflag.SliceValue)
	switch v := value.(type) {
	case string, int64, float64, bool:
		if err := cmd.Flags().Set(f.Name, fmt.Sprint(v)); err != nil {
			return flagError(cmd, err)
		}
		return nil
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			word, ok := x.(string)
			if !ok {
				return fmt.Errorf("%s: want a list of texts in quotes", f.Name)
			}
			words[i] = word
		}
		if !many {
			return fmt.Errorf("%s: want one value, not a list", f.Name)
		}
		if err := list.Replace(words); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		f.Changed = true
		return nil
	}
	return fmt.Errorf("%s: want a text in quotes, a number, true or false, or a list of texts", f.Name)
}

// flagNames is the names of all flags of a command and those below it.
func flagNames(cmd *cobra.Command) map[string]bool {
	names := map[string]bool{}
	add := func(f *pflag.Flag) { names[f.Name] = true }
	cmd.PersistentFlags().VisitAll(add)
	cmd.Flags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		for name := range flagNames(sub) {
			names[name] = true
		}
	}
	return names
}
