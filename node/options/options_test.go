package options

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/train"
)

// TestOptionsAreComplete: every field of a configuration but its numerics and
// its languages is one option, and no two options are one field.
func TestOptionsAreComplete(t *testing.T) {
	var c train.Config
	for _, o := range ByKey(&c) {
		text := "1"
		if o.Field.String() != "0" && o.Field.String() != "0.0" && o.Field.String() != "" && o.Field.String() != Auto {
			t.Errorf("%s is set by another option", o.Key)
		}
		if err := o.Field.Set(text); err != nil {
			t.Errorf("%s: %v", o.Key, err)
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
	for text, want := range map[string]Fraction{
		"0": 0, "1": 1_000_000, "0.1": 100_000, "0.000001": 1, "0.004": 4000, "1.5000000000": 1_500_000, "4294.967295": math.MaxUint32,
		".5": 0, "": 0, "-1": 0, "0.0000001": 0, "1e-3": 0, "4294.967296": 0, "0x1": 0, "1.2.3": 0, "NaN": 0, "+1": 0, "1,5": 0,
	} {
		var f Fraction
		err := f.Set(text)
		if f != want || (err != nil) != (want == 0 && text != "0") {
			t.Errorf("set(%q) = %d, %v, want %d", text, f, err, want)
		}
		if err == nil {
			var again Fraction
			if err := again.Set(f.String()); err != nil || again != f {
				t.Errorf("%q is written as %q and read as %d, %v", text, f.String(), again, err)
			}
		}
	}
}

// TestPrintedConfigIsRead: what is printed reads back as the same, for every
// preset and with other values in every field.
func TestPrintedConfigIsRead(t *testing.T) {
	for _, name := range train.Presets() {
		base, err := train.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		other := base
		for _, o := range ByKey(&other) {
			if err := o.Field.Set("123"); err != nil {
				t.Fatal(err)
			}
		}
		for _, cfg := range []train.Config{base, other} {
			text := Print(cfg, name, nil)
			preset, all, err := Parse("run.toml", text)
			if err != nil || preset != name {
				t.Fatalf("preset %q, %v\n%s", preset, err, text)
			}
			got, undecided, err := Apply(train.Config{AdaptedConfig: train.AdaptedConfig{PlainConfig: train.PlainConfig{Numerics: cfg.Numerics}}}, all)
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
	f.Add(Print(base, "tiny", nil))
	f.Add("preset = \"base\"\nbatch_tokens = \"auto\"\nclip = 1.5 # x\n")
	f.Add("dim.x = 3\n[model]\nheads = {a = 1}\n\"\" = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, all, err := Parse("file", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file") {
				t.Errorf("%v", err)
			}
			return
		}
		cfg, undecided, err := Apply(base, all)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("%v", err)
			}
			return
		}
		_, again, err := Parse("file", Print(cfg, "tiny", undecided))
		if err != nil {
			t.Fatalf("what was printed is not read: %v", err)
		}
		if got, _, err := Apply(base, again); err != nil || got != cfg {
			t.Errorf("%+v, %v, want %+v", got, err, cfg)
		}
	})
}

// TestNotTOML: of a file that is not TOML, or that gives a key twice, the error names the
// line.
func TestNotTOML(t *testing.T) {
	for data, want := range map[string]string{
		"a = 1\n\na = 2\n":       "f:3: line 1 gives a too: give it once",
		"a = 1\n'a' = 2":         "f:2: line 1 gives a too: give it once",
		"a = 1\nb = \n":          "f:2: not TOML: ",
		"a = \"\"\"\nhas no end": "not TOML: ",
		"a = [\n":                "not TOML: ",
		"=":                      "f:1: not TOML: ",
	} {
		_, _, err := Decode("f", data, "a line is such as a = 1")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}
