package main

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/train"
)

// TestOptionsAreComplete: every field of a configuration but its numerics and
// its languages is one option, and no two options are one field.
func TestOptionsAreComplete(t *testing.T) {
	var c train.Config
	for _, o := range options(&c) {
		text := "1"
		if o.field.String() != "0" && o.field.String() != "0.0" && o.field.String() != "" {
			t.Errorf("%s is set by another option", o.key)
		}
		if err := o.field.Set(text); err != nil {
			t.Errorf("%s: %v", o.key, err)
		}
	}
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) { // those of the embedded shape too
		switch f.Name {
		case "_", "Numerics", "Source", "Target":
		default:
			if v.FieldByIndex(f.Index).IsZero() {
				t.Errorf("no option sets %s", f.Name)
			}
		}
	}
}

func TestFraction(t *testing.T) {
	for text, want := range map[string]fraction{
		"0": 0, "1": 1_000_000, "0.1": 100_000, "0.000001": 1, "0.004": 4000, "1.5000000000": 1_500_000, "4294.967295": math.MaxUint32,
		".5": 0, "": 0, "-1": 0, "0.0000001": 0, "1e-3": 0, "4294.967296": 0, "0x1": 0, "1.2.3": 0, "NaN": 0, "+1": 0, "1,5": 0,
	} {
		var f fraction
		err := f.Set(text)
		if f != want || (err != nil) != (want == 0 && text != "0") {
			t.Errorf("set(%q) = %d, %v, want %d", text, f, err, want)
		}
		if err == nil {
			var again fraction
			if err := again.Set(f.String()); err != nil || again != f {
				t.Errorf("%q is written as %q and read as %d, %v", text, f.String(), again, err)
			}
		}
	}
}

// TestPrintedConfigIsRead: what is printed reads back as the same, for every
// preset and with other values in every field.
func TestPrintedConfigIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.toml")
	for _, name := range train.Presets() {
		base, err := train.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		other := base
		for _, o := range options(&other) {
			if err := o.field.Set("123"); err != nil {
				t.Fatal(err)
			}
		}
		for _, cfg := range []train.Config{base, other} {
			text := printConfig(cfg, name, nil)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			preset, all, err := readConfig(path)
			if err != nil || preset != name {
				t.Fatalf("preset %q, %v\n%s", preset, err, text)
			}
			got, undecided, err := apply(train.Config{Numerics: cfg.Numerics}, all)
			if err != nil || got != cfg || len(undecided) > 0 {
				t.Errorf("%+v, %v, want %+v", got, err, cfg)
			}
		}
	}
}

// FuzzConfig: of any text either something is said that names the file, or it is
// a configuration that is printed and read as the same.
func FuzzConfig(f *testing.F) {
	base, err := train.Preset("tiny")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(printConfig(base, "tiny", nil))
	f.Add("preset = \"base\"\nbatch_tokens = \"auto\"\nclip = 1.5 # x\n")
	f.Add("dim.x = 3\n[model]\nheads = {a = 1}\n\"\" = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, all, err := parseConfig("file", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file") {
				t.Errorf("%v", err)
			}
			return
		}
		cfg, undecided, err := apply(base, all)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("%v", err)
			}
			return
		}
		_, again, err := parseConfig("file", printConfig(cfg, "tiny", undecided))
		if err != nil {
			t.Fatalf("what was printed is not read: %v", err)
		}
		if got, _, err := apply(base, again); err != nil || got != cfg {
			t.Errorf("%+v, %v, want %+v", got, err, cfg)
		}
	})
}

// TestExample: the file in examples is one that can be trained by.
func TestExample(t *testing.T) {
	l := trainFlags{config: "../../examples/training/run.toml"}
	cfg, preset, undecided, err := l.configure(&app{stderr: io.Discard})
	if err != nil || preset != "tiny" || len(undecided) > 0 || cfg.Decay != train.Cosine || cfg.ClipPPM != million {
		t.Errorf("preset %q, undecided %v, %+v, %v", preset, undecided, cfg, err)
	}
}
