package corrections_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/run"
)

// approved proposes corrections of many texts in an order, all approved by the rules.
func approved(t *testing.T, order []int) *world {
	t.Helper()
	w := newWorld(t)
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, Rules: corrections.Rules})
	pairs := [][3]string{
		{"The dog walks in the park.", "Der Hund geht in den Park.", "Der Hund läuft im Park."},
		{"A man plays the guitar.", "Ein Mann spielt das Gitarre.", "Ein Mann spielt Gitarre."},
		{"Two cats sleep.", "Zwei Katze schlafen.", "Zwei Katzen schlafen."},
		{"The test is held out.", "Das Test ist hinaus.", "Der Test ist zurückgehalten."},
	}
	for _, i := range order {
		w.made(pairs[i][0], pairs[i][1])
		k := ada
		if i%2 == 1 {
			k = ben
		}
		d := draft(pairs[i][0], pairs[i][1], pairs[i][2])
		if i == 1 {
			d.Licence = "CC-BY-4.0"
		}
		line, err := w.of(k).Sign(d) // at one time, so the CIDs are those of every order
		if err != nil {
			t.Fatal(err)
		}
		if e := w.must(w.take(line)); e.State != corrections.Approved {
			t.Fatalf("%s: %s", e.State, e.Reason)
		}
	}
	return w
}

// baseCorpus is a corpus with a test that has the source of a correction.
func baseCorpus(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"train.en": "One.\nTwo.\nThree.\nA man plays the guitar.\n", "train.de": "Eins.\nZwei.\nDrei.\nEin Mann spielt das Gitarre.\n",
		"val.en": "Four.\n", "val.de": "Vier.\n", "test.en": "The test is held out.\n", "test.de": "Der Test.\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestVersions(t *testing.T) {
	ctx, base := context.Background(), baseCorpus(t)
	w := approved(t, []int{0, 1, 3})
	first := filepath.Join(t.TempDir(), "first")
	x, err := w.pool.Export(ctx, first, base, "en", "de")
	if err != nil {
		t.Fatal(err)
	}
	if x.Added != 2 || len(x.LeftOut) != 1 || !strings.Contains(x.LeftOut[0].Why, "which no training may see") || x.Licences["CC-BY-4.0"] != 1 || len(x.Authors) != 2 {
		t.Errorf("%+v", x)
	}
	// The texts are those of the base, then the corrections; training reads them, and names
	// them as the version does.
	c, _, err := corpus.Open(first, corpus.Selection{Source: "en", Target: "de"})
	if err == nil {
		err = c.Load()
	}
	if err != nil || len(c.Train) != 6 || len(c.Valid) != 1 || len(c.Tests) != 1 {
		t.Fatal(c, err)
	}
	if l, err := run.PutCorpus(ctx, new(block.MemoryStore), c); err != nil || l.String() != x.Corpus {
		t.Error(l, x.Corpus, err)
	}
	// The same corrections in another order, in another home: the same version.
	other, err := approved(t, []int{3, 1, 0}).pool.Export(ctx, filepath.Join(t.TempDir(), "other"), base, "en", "de")
	if err != nil || other.Version != x.Version {
		t.Error(other.Version, x.Version, err)
	}
	// The next version names its parent and has only what is new besides.
	w.made("Two cats sleep.", "Zwei Katze schlafen.")
	_, err = w.pool.Export(ctx, filepath.Join(t.TempDir(), "none"), first, "", "")
	wantError(t, err, "no approved correction from en to de is new (1 are left out)")
	w.must(w.hand(ada, draft("Two cats sleep.", "Zwei Katze schlafen.", "Zwei Katzen schlafen.")))
	y, err := w.pool.Export(ctx, filepath.Join(t.TempDir(), "second"), first, "", "")
	if err != nil || y.Parent != x.Version || y.Base != x.Base || y.Corrected != 3 || y.Added != 1 {
		t.Errorf("%+v, %v", y, err)
	}
	dir, err := corrections.Where(filepath.Join(w.dir, "corrections"), link(t, y.Version))
	if err != nil || dir != y.Dir {
		t.Error(dir, err)
	}
	m, _, err := corrections.ReadVersion(ctx, dir)
	if err != nil || m.Version != y.Version {
		t.Error(m, err)
	}
	_, err = w.pool.Export(ctx, first, base, "", "")
	wantError(t, err, "exists")
	_, err = w.pool.Export(ctx, filepath.Join(t.TempDir(), "x"), base, "en", "fr")
	wantError(t, err, "has no train.fr")
	// Corrections alone are a corpus, too.
	if z, err := w.pool.Export(ctx, filepath.Join(t.TempDir(), "alone"), "", "", ""); err != nil || z.Corrected != 4 || z.Base != "" || z.Parent != "" {
		t.Errorf("%+v, %v", z, err)
	}
}

func link(t *testing.T, s string) block.Link {
	t.Helper()
	l, err := block.ParseLink(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestVersionChanged: a byte changed anywhere in a version is named.
func TestVersionChanged(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "v")
	if _, err := approved(t, []int{0, 1}).pool.Export(ctx, dir, baseCorpus(t), "en", "de"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range data {
			if f.Name() == "version.json" && bytes.ContainsRune([]byte(" \n"), rune(data[i])) {
				continue // space means nothing there
			}
			changed := bytes.Clone(data)
			if changed[i]++; data[i] == '\n' || changed[i] == '\n' || changed[i] == '\r' { // no space: cleaning drops it
				changed[i] = '#'
			}
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, err := corrections.ReadVersion(ctx, dir); err == nil {
				t.Errorf("%s: byte %d changed from %q to %q and nobody saw it", f.Name(), i, data[i], changed[i])
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
