//go:build unix

package powercut_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/protocol/disk/powercut"
)

// TestCut: what was synced is left by every cut; of everything else, each outcome
// that a power cut can have comes up.
func TestCut(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		dir, into := t.TempDir(), t.TempDir()
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("old", "from before")
		d, err := powercut.New(dir, seed)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := disk.WriteFile(d, filepath.Join(dir, "durable"), []byte("durable")); err != nil {
			t.Fatal(err)
		}
		write("plain", "plain")
		write("grown", "begin")
		if err := disk.SyncAll(d, []string{filepath.Join(dir, "grown")}, []string{dir}); err != nil {
			t.Fatal(err)
		}
		write("grown", "begin and end")
		write("new", "new")
		if err := os.Remove(filepath.Join(dir, "old")); err != nil {
			t.Fatal(err)
		}
		d.CutAt(1, into)
		if err := d.Step(); !errors.Is(err, powercut.ErrPower) {
			t.Fatal(err)
		}
		if err := disk.SyncPath(d, dir); !errors.Is(err, powercut.ErrPower) {
			t.Errorf("a sync after the cut = %v", err)
		}
		left := func(name string) string {
			data, err := os.ReadFile(filepath.Join(into, name))
			if errors.Is(err, os.ErrNotExist) {
				return "-"
			}
			return string(data)
		}
		for _, name := range []string{"old", "durable", "plain", "grown", "new"} {
			seen[name+": "+left(name)]++
		}
		if grown := left("grown"); len(grown) < 5 || grown[:5] != "begin" {
			t.Errorf("seed %d: the synced part of a file is lost: %q", seed, grown)
		}
	}
	if n := seen["durable: durable"]; n != 400 {
		t.Errorf("the durable file was left in %d of 400 cuts", n)
	}
	for _, outcome := range []string{
		"old: from before", "old: -", "plain: ", "plain: plain", "plain: pl", "plain: \x00\x00\x00\x00\x00",
		"grown: begin", "grown: begin and end", "grown: begin an", "grown: begin\x00\x00\x00\x00\x00\x00\x00\x00", "new: -", "new: new", "new: \x00\x00\x00",
	} {
		if seen[outcome] == 0 {
			t.Errorf("no cut left %q", outcome)
		}
	}
}
