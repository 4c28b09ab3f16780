package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/protocol"
)

// usageError is a mistake in how a command was called.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// group makes cmd a command that only has commands below it: alone it prints its
// help, and with a word that names none of them it suggests one.
func group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(below...)
	cmd.DisableFlagsInUseLine = true
	cmd.Args = unknownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// unknownCommand refuses arguments: they can only be misspelt commands.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	suggestion := options.Nearest(args[0], names)
	for _, c := range cmd.Commands() { // words of other programs, such as send
		if slices.Contains(c.SuggestFor, args[0]) {
			suggestion = c.Name()
		}
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if suggestion != "" {
		return usagef("%s, did you mean %s?", text, suggestion)
	}
	return usagef("%s: give one of %s", text, strings.Join(names, ", "))
}

// strictHelp adds the commands help and completion to the root, and has both
// refuse a word that is no command, in place of printing help for it.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				named, rest, err := root.Find(args)
				if err != nil {
					return err
				}
				if named.HasAvailableSubCommands() {
					return unknownCommand(named, rest)
				}
				return noArgs(named, rest)
			}
		case "completion":
			group(c)
		}
	}
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%s takes no argument, and %q was given", cmd.CommandPath(), args[0])
}

// exactArgs wants one argument for each of the names.
func exactArgs(names ...string) cobra.PositionalArgs { return someArgs(len(names), names...) }

// someArgs wants an argument for each of the names; those beyond the first
// least may be left out.
func someArgs(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: %s is missing", cmd.CommandPath(), names[len(args)])
		case len(args) > len(names):
			return usagef("%s takes %s, and %q was given too", cmd.CommandPath(), strings.Join(names, " and "), args[len(names)])
		}
		return nil
	}
}

// flagError writes the error of a flag in this program's words: the value given,
// and the values that the flag takes.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &value):
		return usagef("--%s %s: %s", value.GetFlag().Name, value.GetValue(), wanted(value.GetFlag(), errors.Unwrap(value)))
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return usagef("-%s is no flag of %s: a flag's name follows two hyphens; before an argument that begins with a hyphen write --",
				unknown.GetSpecifiedShortnames(), cmd.CommandPath())
		}
		return usagef("%s has no flag --%s%s", cmd.CommandPath(), name, didYouMeanFlag(cmd, name))
	case errors.As(err, &missing):
		return usagef("--%s needs a value, such as --%s %s", missing.GetSpecifiedName(), missing.GetSpecifiedName(), strings.ToUpper(missing.GetFlag().Value.Type()))
	}
	return usageError{err.Error()}
}

// wanted says which values a flag takes. The flags of this program say it in
// their error.
func wanted(f *pflag.Flag, err error) string {
	switch f.Value.Type() {
	case "int":
		return "want a whole number, such as 2"
	case "uint16", "uint32", "uint64":
		return "want a whole number that is not negative, such as 2"
	case "bool":
		return "want true or false"
	case "duration":
		return "want a time, such as 30s or 1m30s"
	}
	return err.Error()
}

func didYouMeanFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if best := options.Nearest(name, names); best != "" {
		return ", did you mean --" + best + "?"
	}
	return ""
}

// goesWith refuses flags that were given on the command line and that the way
// in which the command is called would leave without effect.
func (a *app) goesWith(how string, flags ...string) error {
	for _, name := range flags {
		if a.typed[name] {
			return usagef("--%s goes only %s", name, how)
		}
	}
	return nil
}

// completeFrom has a shell complete the value of a flag from the names of the
// directories below one of the home's.
func (a *app) completeFrom(cmd *cobra.Command, flag string, dir func() string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, directories(dir)); err != nil {
		panic(err) // the flag was added before
	}
}

// directories completes a word from the names of the directories below one, or as
// a path.
func directories(dir func() string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		entries, err := os.ReadDir(dir())
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []string
		for _, e := range entries {
			if e.IsDir() && e.Name()[0] != '.' {
				names = append(names, e.Name())
			}
		}
		return names, cobra.ShellCompDirectiveDefault
	}
}

// amount is money as the value of a flag, in ALIA.
type amount uint64

func (m *amount) Type() string   { return "ALIA" }
func (m *amount) String() string { return protocol.FormatAmount(uint64(*m)) }

func (m *amount) Set(text string) error {
	v, err := protocol.ParseAmount(text)
	if err != nil {
		return errors.New("want ALIA with at most 8 digits after the point, such as 2.5")
	}
	*m = amount(v)
	return nil
}

// size is a number of bytes as the value of a flag.
type size uint64

// sizes are the units of a size.
var sizes = []struct {
	name  string
	bytes uint64
}{{"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}}

func (s *size) Type() string { return "SIZE" }

func (s *size) String() string {
	for _, u := range slices.Backward(sizes) {
		if *s > 0 && uint64(*s)%u.bytes == 0 {
			return fmt.Sprint(uint64(*s)/u.bytes) + u.name
		}
	}
	return fmt.Sprint(uint64(*s))
}

func (s *size) Set(text string) error {
	if text == "0" {
		*s = 0
		return nil
	}
	for _, u := range sizes {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return errors.New("want a number of MB, GB, TB, MiB, GiB or TiB, such as 20GB")
}
