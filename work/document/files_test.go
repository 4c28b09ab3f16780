package document

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFiles reads the real files of a folder that ALIA_DOCUMENTS names, such as unpacked
// documentation packages of a distribution. Each comes back byte for byte from its own
// segments. A translation is read again: markup has the same tags, and an office document no
// text that was left out. With ALIA_REBUILT the translations are written there, for other
// programs to open.
func TestFiles(t *testing.T) {
	dir, to := os.Getenv("ALIA_DOCUMENTS"), os.Getenv("ALIA_REBUILT")
	if dir == "" {
		t.Skip("ALIA_DOCUMENTS names no folder of documents to try")
	}
	files, refused, segments, flagged, size := 0, 0, 0, 0, 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || formatOf(path) == nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files, size = files+1, size+len(data)
		d, err := Parse(path, data)
		if err != nil {
			refused++
			t.Logf("refused: %v", err)
			return nil
		}
		if same, err := d.Check(); err != nil || !bytes.Equal(same, data) {
			t.Errorf("%s: rebuilt from its own segments, it is not the same: %v", path, err)
		}
		of := Translations{Source: "en", Target: "de", Of: louder}
		if marked := []Format{"html", "xhtml", "xliff", "tmx"}; slices.Contains(marked, d.Format) {
			of = Translations{Target: "ar", Of: good}
		}
		out, flags, err := d.Rebuild(of)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		segments, flagged = segments+len(d.Segments), flagged+len(flags)
		again, err := Parse(path, out)
		if err != nil {
			t.Errorf("%s: the translation cannot be read: %v", path, err)
			return nil
		}
		if formatOf(path).archive {
			checkUpper(t, path, again)
		}
		if d.Format == "html" && d.parts[0].recode == nil && strings.Join(tags(out), "\n") != strings.Join(tags(data), "\n") {
			t.Errorf("%s: tags changed", path)
		}
		if to != "" {
			return os.WriteFile(filepath.Join(to, filepath.Base(path)), out, 0o644)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d refused, %d MB, %d segments, %d flags", files, refused, size>>20, segments, flagged)
}

// formatOf is the format of files with the extension of a name, or nil.
func formatOf(name string) *format {
	ext := strings.ToLower(filepath.Ext(name))
	for _, f := range formats() {
		for _, e := range f.extensions {
			if e == ext {
				return &f
			}
		}
	}
	return nil
}

// checkUpper looks for text that was left out.
func checkUpper(t *testing.T, name string, d *Document) {
	t.Helper()
	for _, s := range d.Segments {
		for _, p := range s.Pieces {
			if p.Kind == Plain && p.Text != strings.ToUpper(p.Text) {
				t.Errorf("%s: %s: not translated: %q", name, s.Where, p.Text)
				return
			}
		}
	}
}
