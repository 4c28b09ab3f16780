package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/alia-network/alia/node/journal"
)

// FuzzOpen: no bytes on disk make opening panic, and what opens, opens again the
// same and takes records.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	fill(f, dir, 6).Close()
	paths := files(f, dir)
	var seeds [][]byte
	for _, path := range paths[:2] {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, data)
	}
	f.Add(seeds[0], seeds[1])
	f.Add(seeds[0], []byte(nil))
	f.Add(seeds[0][:len(seeds[0])-9], []byte(nil))
	f.Add(seeds[0][:72], seeds[1])
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"00000001": first, "00000002": second} {
			if len(data) == 0 {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		j, err := journal.Open(dir, net, journal.Options{})
		if err != nil {
			return
		}
		for s := journal.Unaccepted; s <= journal.Void; s++ {
			if _, err := j.List(s, 1000, nil); err != nil {
				t.Logf("List(%v): %v", s, err) // a record that another version wrote
			}
		}
		before := counts(j)
		if err := j.Append(issued(key("fuzz"), 1)); err != nil {
			t.Fatal(err)
		}
		before[0]++
		j.Close()
		j = open(t, dir, journal.Options{})
		defer j.Close()
		if got := counts(j); got != before {
			t.Errorf("entries %v, opened again %v", before, got)
		}
	})
}
