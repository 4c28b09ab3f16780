package model

import (
	"slices"
	"testing"
)

// TestFamilies: no two rows of the table can be taken for each other, and none
// lacks a column.
func TestFamilies(t *testing.T) {
	for i, f := range families {
		if f.version == 0 || f.architecture == "" || len(f.files) == 0 {
			t.Errorf("row %d has no version, architecture or files: %+v", i, f)
		}
		if f.parse == nil || f.fits == nil || f.put == nil || f.get == nil || f.complete == nil || f.engine == nil || f.most == nil {
			t.Errorf("%s: a function is missing", f.architecture)
		}
		for _, g := range families[:i] {
			if f.version == g.version || f.architecture == g.architecture || slices.Equal(f.files, g.files) {
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
