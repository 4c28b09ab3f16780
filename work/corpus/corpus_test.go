package corpus

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alia-network/alia/work/text"
)

// dataDir returns the folder of real text, or skips the test.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ALIA_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real text: %v (ALIA_DATA names its folder)", err)
	}
	return dir
}

// TestRealText opens, cleans, tokenises and batches two corpora of real text.
func TestRealText(t *testing.T) {
	dir := dataDir(t)
	for _, c := range []struct {
		name, report string
		valid, tests int
	}{
		{"multi30k", "", 1014, 3},
		{"freedocs", "", 1000, 1},
	} {
		corpus, err := Open(filepath.Join(dir, c.name), "en", "")
		if err != nil {
			t.Fatal(err)
		}
		report := corpus.Clean()
		if corpus.Target != "de" || len(corpus.Valid) != c.valid || len(corpus.Tests) != c.tests || report.String() != c.report {
			t.Errorf("%s: target %q, %d validation pairs, %d tests, %s", c.name, corpus.Target, len(corpus.Valid), len(corpus.Tests), report)
		}
		start := time.Now()
		tok, err := text.Train(Lines(corpus.Train), 6000)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(c.name, "train", time.Since(start))
		start = time.Now()
		n := 0
		var lengths []Length
		for _, p := range corpus.Train {
			s, g := tok.Encode(p.Source), tok.Encode(p.Target)
			lengths = append(lengths, Length{len(s) + 1, len(g) + 1})
			n += len(g) + 1
			if tok.Decode(s) != p.Source || tok.Decode(g) != p.Target {
				t.Fatalf("%q does not round-trip", p)
			}
		}
		t.Log(c.name, "encode", time.Since(start), n, TooLong(lengths, 1024))
		start = time.Now()
		b := Batches(lengths, 1024, 1, 0)
		t.Log(c.name, "batches", time.Since(start), len(b))
	}
}
