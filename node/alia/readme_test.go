package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// recipe is a block of README's: commands, and what each prints. The last
// command of a block that stays goes on running while others do.
type recipe struct {
	stays bool
	steps []recipeStep
}

type recipeStep struct{ command, output string }

// recipes reads the blocks that begin with ```console.
func recipes(text string) []recipe {
	var all []recipe
	var r *recipe
	for _, line := range strings.Split(text, "\n") {
		switch {
		case line == "```console" || line == "```console stays":
			all = append(all, recipe{stays: strings.HasSuffix(line, "stays")})
			r = &all[len(all)-1]
		case line == "```":
			r = nil
		case r == nil:
		case strings.HasPrefix(line, "$ "):
			r.steps = append(r.steps, recipeStep{command: line[2:]})
		default:
			r.steps[len(r.steps)-1].output += line + "\n"
		}
	}
	return all
}

// What differs from machine to machine and from time to time: accounts,
// networks, names of receipts, numbers. The CID of a model is the same everywhere.
var varying = []*regexp.Regexp{
	regexp.MustCompile(`alia1[0-9a-z]{5,}`),
	regexp.MustCompile(`\([0-9a-f]{16}\)`),
	regexp.MustCompile(`receipts/\w+`),
	regexp.MustCompile(`avx512|avx2|neon|portable`),
	regexp.MustCompile(`\b(?:amd64|arm64)\b`),
	regexp.MustCompile(`\b[0-9][0-9,:.]*\b`),
}

// mask replaces what varies, so that outputs can be compared. A CID is left as it is.
func mask(s string) string {
	for _, re := range varying {
		s = re.ReplaceAllString(s, "~")
	}
	return strings.Join(strings.Fields(s), " ")
}

// contains reports whether the lines of got have those of want, in sequence,
// where a line "..." stands for any others.
func contains(got, want string) bool {
	var masked []string
	for line := range strings.Lines(got) {
		masked = append(masked, mask(line))
	}
	gap := false
	for line := range strings.Lines(want) {
		line = mask(line)
		if line == "..." {
			gap = true
			continue
		}
		for gap && len(masked) > 0 && masked[0] != line {
			masked = masked[1:]
		}
		if len(masked) == 0 || masked[0] != line {
			return false
		}
		masked, gap = masked[1:], false
	}
	return true
}

// TestRecipes runs README's recipes as they are written, in their sequence, and
// compares what they print. Only the folder of the homes is another one.
func TestRecipes(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("README's recipes train a model, which takes minutes: ALIA_SOAK=1 runs them")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, homes := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "alia"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := recipes(string(text))
	if len(all) < 4 {
		t.Fatalf("README has %d recipes", len(all))
	}
	place := strings.NewReplacer("/tmp/alia/", homes+"/", "bin/alia", filepath.Join(bin, "alia"))
	for _, r := range all {
		for i, s := range r.steps {
			want := place.Replace(s.output)
			if r.stays && i == len(r.steps)-1 {
				background(t, place.Replace(s.command), want)
				continue
			}
			out, err := shell(place.Replace(s.command)).CombinedOutput()
			if err != nil {
				t.Fatalf("$ %s\n%s%v", s.command, out, err)
			}
			if !contains(string(out), want) {
				t.Errorf("$ %s\nprints\n%s\nREADME says\n%s", s.command, out, want)
			}
		}
	}
}

// background starts a command and returns when its output has the lines.
func background(t *testing.T, command, want string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := shell("exec " + command)
	c.Stdout, c.Stderr = f, f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	for deadline := time.Now().Add(15 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if contains(string(out), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("$ %s\nprints\n%s\nREADME says\n%s", command, out, want)
		}
	}
}

// shell is a command at the top of the repository.
func shell(command string) *exec.Cmd {
	c := exec.Command("bash", "-c", command)
	c.Dir = "../.."
	return c
}

// TestRecipesParse: README's blocks are found and compared as they should be.
func TestRecipesParse(t *testing.T) {
	got := recipes("x\n```console stays\n$ a\n1\n$ b\n2\n...\n3\n```\n$ c\n```console\n$ d\n```\n")
	if len(got) != 2 || !got[0].stays || got[1].stays || len(got[0].steps) != 2 || got[0].steps[1] != (recipeStep{"b", "2\n...\n3\n"}) {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct {
		got, want string
		ok        bool
	}{
		{"paid 1.5 ALIA\n", "paid 2,000 ALIA\n", true},
		{"paid 1.5 ALIA\n", "sold 1.5 ALIA\n", false},
		{"a\nb\nc\n", "a\n...\nc\n", true},
		{"a\nb\nc\n", "a\nc\n", false},
		{"model bafyaaa\n", "model bafybbb\n", false},
	} {
		if contains(c.got, c.want) != c.ok {
			t.Errorf("%q in %q: want %v", c.want, c.got, c.ok)
		}
	}
}
