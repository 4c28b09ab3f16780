package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand calls f with every command that users see.
func everyCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			everyCommand(c, f)
		}
	}
}

// TestHelpFits: no line of --help is wider than 80 columns, and every flag says
// what it is for and which value it has when it is not given.
func TestHelpFits(t *testing.T) {
	everyCommand(newRoot(&app{stderr: io.Discard}), func(cmd *cobra.Command) {
		if cmd.Name() == "completion" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return // cobra's own
		}
		var help bytes.Buffer
		cmd.SetOut(&help)
		cmd.InitDefaultHelpFlag()
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(help.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			name, usage := pflag.UnquoteUsage(f)
			if usage == "" || name == "string" || name == "strings" || name == "int" {
				t.Errorf("%s --%s: value %q, usage %q", cmd.CommandPath(), f.Name, name, usage)
			}
			shown := strings.Contains(usage, "(default") || strings.Contains(usage, "(preset ") || f.DefValue != "" && f.DefValue != "[]"
			required := map[string]bool{"model": true, "source": true, "target": true, "reference": true, "from": true, "out": true, "human": true, "licence": true, "corpus": true}[f.Name]
			optional := map[string]bool{ // without them a feature is not used
				"config": true, "fault-file": true, "faults": true, "hold": true, "memo": true, "peer": true, "profile": true,
				"report": true, "run": true, "src": true, "tgt": true, "to": true,
			}[f.Name]
			if !shown && !required && !optional {
				t.Errorf("%s --%s does not say which value it has when it is not given: %s", cmd.CommandPath(), f.Name, usage)
			}
		})
	})
}

// TestManualPages writes a page for every command.
func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	var out bytes.Buffer
	root := newRoot(&app{stdout: &out, stderr: io.Discard, env: os.LookupEnv})
	root.SetArgs([]string{"man", dir, "--home", t.TempDir()})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	pages := 0
	everyCommand(root, func(cmd *cobra.Command) {
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if pages++; err != nil || !bytes.Contains(page, []byte(".SH SYNOPSIS")) {
			t.Errorf("%s: %v", cmd.CommandPath(), err)
		}
	})
	if want := fmt.Sprintf("%d pages in %s\n", pages, dir); out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
