package model

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/nmt"
)

// TestFormOf: two spellings of a form have one record, and two forms have two. So nobody is
// paid for a run again by spelling the form of its model in another way.
func TestFormOf(t *testing.T) {
	of := func(f nmt.Form) WideRecord { return FormOf(nmt.Config{Form: f}) }
	for name, c := range map[string]struct {
		a, b nmt.Form
		same bool
	}{
		"marks":                 {nmt.Form{}, nmt.Form{Marks: nmt.Marks{Pad: nmt.Pad, BOS: nmt.BOS, EOS: nmt.EOS}}, true},
		"other marks":           {nmt.Form{}, nmt.Form{Marks: nmt.Marks{Pad: nmt.Pad, BOS: nmt.Pad, EOS: nmt.EOS}}, false},
		"epsilon":               {nmt.Form{}, nmt.Form{NormEps: 1e-5}, true},
		"minus zero":            {nmt.Form{}, nmt.Form{NormEps: -1 / float32(math.Inf(1))}, true},
		"another epsilon":       {nmt.Form{}, nmt.Form{NormEps: 1e-6}, false},
		"a row of zeros":        {nmt.Form{Positions: nmt.Unplaced}, nmt.Form{Positions: nmt.Unplaced, FirstPosition: 2}, true},
		"another row":           {nmt.Form{}, nmt.Form{FirstPosition: 2}, false},
		"another kind of table": {nmt.Form{}, nmt.Form{Positions: nmt.Halves}, false},
	} {
		if got := reflect.DeepEqual(of(c.a), of(c.b)); got != c.same {
			t.Errorf("%s: the records are the same: %t, want %t", name, got, c.same)
		}
	}
}

// TestFamilies: no two rows of the table can be taken for each other, and none
// lacks a column.
func TestFamilies(t *testing.T) {
	for i, f := range families {
		if f.version == 0 || f.architecture == "" || len(f.files) == 0 {
			t.Errorf("row %d has no version, architecture or files: %+v", i, f)
		}
		if f.parse == nil || f.fits == nil || f.put == nil || f.get == nil || f.complete == nil || f.engine == nil {
			t.Errorf("%s: a function is missing", f.architecture)
		}
		for _, g := range families[:i] {
			if f.version == g.version || f.architecture == g.architecture || slices.Equal(f.files, g.files) && f.version != VersionWide {
				t.Errorf("%q and %q have a version, name or tokenizer in common", f.architecture, g.architecture)
			}
		}
		for _, name := range f.files {
			if !slices.Contains(FileNames(), name) {
				t.Errorf("%s is not among the files of a directory", name)
			}
		}
	}
}
