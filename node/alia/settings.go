package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node/home"
)

// settings fills the flags that the command line left out, from ALIA_NAME in
// the environment and then from the home's settings, and starts the log.
func (a *app) settings(cmd *cobra.Command) error {
	if err := fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	if a.home == "" {
		_, err := home.Default()
		return usageError{err.Error()}
	}
	if err := a.fromFile(cmd); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level %q: take debug, info, warn or error", a.logLevel)
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

func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := os.LookupEnv(variable(f.Name))
		if !ok || value == "" || f.Changed {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", variable(f.Name), err))
		}
	})
	return errors.Join(errs...)
}

func (a *app) fromFile(cmd *cobra.Command) error {
	path := a.home.Settings()
	values := map[string]any{}
	if _, err := toml.DecodeFile(path, &values); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	known := flagNames(cmd.Root())
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !known[name] || name == "home" {
			return fmt.Errorf("%s: no flag is called %q", path, name)
		}
		f := cmd.Flags().Lookup(name)
		if f == nil || f.Changed {
			continue // a setting of other commands, or given already
		}
		if err := cmd.Flags().Set(name, fmt.Sprint(values[name])); err != nil {
			return fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	return nil
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
