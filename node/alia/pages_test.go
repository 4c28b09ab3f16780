package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pageCommand finds the commands of this program in a page: after the
// program's name come its arguments, up to the end of the line, a comment or
// another program.
var pageCommand = regexp.MustCompile(`(?:^|[ \x60(/$])alia ((?:--home \S+ )?[a-z][a-z-]*[^\x60|&#<>;]*)`)

// TestPagesCommands holds every command and option that the pages show against
// the program's.
func TestPagesCommands(t *testing.T) {
	checked := 0
	for name, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, c := range pageCommands(line) {
				checked++
				if err := knownCommand(c); err != "" {
					t.Errorf("%s:%d: %q: %s", name, i+1, "alia "+c, err)
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands were found in the pages: the pattern no longer fits", checked)
	}
}

// pages reads every Markdown page of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if filepath.Ext(path) == ".md" {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[path] = string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pageCommands returns the arguments of the commands in a line of a page: in
// code between back quotes, or in an indented or fenced line.
func pageCommands(line string) []string {
	var found []string
	if strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "$ ") {
		line = "`" + line + "`"
	}
	for i, span := range strings.Split(line, "`") {
		if i%2 == 0 {
			continue
		}
		for _, m := range pageCommand.FindAllStringSubmatch(span, -1) {
			found = append(found, strings.TrimSpace(m[1]))
		}
	}
	return found
}

// knownCommand says what is wrong with a command of a page; "" is nothing.
func knownCommand(c string) string {
	root := newRoot(&app{stdout: io.Discard, stderr: io.Discard})
	words := strings.Fields(strings.NewReplacer(`"`, " ", "'", " ", "\\", " ").Replace(c))
	if len(words) > 1 && words[0] == "--home" {
		words = words[2:]
	}
	var names, flags []string
	for _, w := range words {
		switch flag, ok := strings.CutPrefix(w, "--"); {
		case ok:
			flag, _, _ = strings.Cut(strings.TrimRight(flag, ".,:)"), "=")
			flags = append(flags, flag)
		case len(flags) == 0:
			names = append(names, strings.TrimRight(w, ".,:)"))
		}
	}
	cmd, rest, err := root.Find(names)
	if err != nil {
		return err.Error()
	}
	if cmd == root || cmd.HasSubCommands() && len(rest) > 0 && strings.ToUpper(rest[0]) != rest[0] {
		return "there is no such command"
	}
	cmd.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	for _, f := range flags {
		if cmd.Flags().Lookup(f) == nil && cmd.InheritedFlags().Lookup(f) == nil {
			return "there is no option --" + f
		}
	}
	return ""
}

// TestKnownCommand: what the check above refuses.
func TestKnownCommand(t *testing.T) {
	for c, ok := range map[string]bool{
		"miner run --threads 2": true, "--home DIR init --network FILE": true, "model eval --model DIR": true,
		"miner start": false, "trian": false, "train --dropuot 0.1": false, "ledger COMMAND": true,
	} {
		if err := knownCommand(c); (err == "") != ok {
			t.Errorf("alia %s: %q", c, err)
		}
	}
}
