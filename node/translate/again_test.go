package translate_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/memory"
)

// TestLost: the memory loses what it had while the job for the rest was interrupted. The job
// goes on, and another one is for what was lost.
func TestLost(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	in, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	write(t, in, "one\n")
	if _, err := c.File(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	write(t, in, "one\ntwo\nthree\n")
	s.fail = 2
	if _, err := c.File(t.Context(), in, filepath.Join(dir, "c.txt")); !errors.Is(err, errBroken) {
		t.Fatalf("%v", err)
	}
	if err := c.Memory.Clear(); err != nil {
		t.Fatal(err)
	}
	s.asked = nil
	r, err := c.File(t.Context(), in, filepath.Join(dir, "c.txt"))
	if err != nil || r.Paid != 30 || r.Units != 2 || r.Segments != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if len(s.asked) != 2 || !slices.Equal(s.asked[0], []string{"two", "three"}) || !slices.Equal(s.asked[1], []string{"one"}) {
		t.Errorf("asked %q", s.asked)
	}
}

// TestDamagedJob: any flipped bit in what the memory keeps of a job makes no other text of it:
// nobody pays for what the document does not have, and the document is translated.
func TestDamagedJob(t *testing.T) {
	texts := []string{"one", "two \"2\"", "three"}
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	dir := t.TempDir()
	damaged, err := memory.Open(dir, memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer damaged.Close()
	if err := damaged.BeginJob("k", texts); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "job-k")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		data := bytes.Clone(whole)
		data[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if asked, ok := damaged.BegunJob("k", texts); ok && !slices.Equal(asked, texts) {
			t.Errorf("bit %d: %q", i, asked)
		}
	}

	s := &sold{Local: local(t), fail: 2}
	dir, c := world(t, s)
	in := filepath.Join(dir, "a.txt")
	write(t, in, "one\ntwo\n")
	if _, err := c.File(t.Context(), in, filepath.Join(dir, "b.txt")); !errors.Is(err, errBroken) {
		t.Fatalf("%v", err)
	}
	jobs, err := filepath.Glob(filepath.Join(dir, ".memory", "job-*"))
	if err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	write(t, jobs[0], `["one","twn"]`)
	if r, err := c.File(t.Context(), in, filepath.Join(dir, "b.txt")); err != nil || r.Segments != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if last := s.asked[len(s.asked)-1]; !slices.Equal(last, []string{"two"}) {
		t.Errorf("asked %q", last)
	}
}

// TestTMX: what a translation memory has in the target language already is neither translated
// nor paid, and stays.
func TestTMX(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	in, out := filepath.Join(dir, "a.tmx"), filepath.Join(dir, "b.tmx")
	unit := func(tuvs string) string { return "<tu>" + tuvs + "</tu>\n" }
	en, de := `<tuv xml:lang="en"><seg>`, `<tuv xml:lang="de-AT"><seg>`
	write(t, in, `<?xml version="1.0"?><tmx version="1.4"><header srclang="en" datatype="plaintext" segtype="sentence" adminlang="en" o-tmf="x" creationtool="x" creationtoolversion="1"/><body>`+"\n"+
		unit(en+"one</seg></tuv>"+de+"eins</seg></tuv>")+unit(en+"two</seg></tuv>")+"</body></tmx>\n")
	r, err := c.File(t.Context(), in, out)
	if err != nil || r.Segments != 1 || r.Paid != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	if len(s.asked) != 1 || !slices.Equal(s.asked[0], []string{"two"}) {
		t.Errorf("asked %q", s.asked)
	}
	if got := read(t, out); strings.Count(got, "eins</seg>") != 1 || strings.Count(got, "<tuv") != 4 {
		t.Errorf("%s", got)
	}
	// Now it has everything.
	if r, err := c.File(t.Context(), out, filepath.Join(dir, "c.tmx")); err != nil || r.Segments != 0 || r.Paid != 0 || len(s.asked) != 1 {
		t.Errorf("again: %+v, %v, asked %q", r, err, s.asked)
	}
}
