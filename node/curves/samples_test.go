package curves

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/alia-network/alia/node"
)

// TestSamples: samples are read as they were written, and those of rounds that are done
// again, or of a line that was cut off, are dropped when the run goes on.
func TestSamples(t *testing.T) {
	dir := t.TempDir()
	if got, err := ReadSamples(dir); err != nil || len(got) > 0 {
		t.Fatalf("a run without samples has %v, %v", got, err)
	}
	if err := trimSamples(dir, 3); err != nil {
		t.Fatal(err)
	}
	var want []Samples
	for round := 10; round <= 40; round += 10 {
		s := Samples{round, []node.Sample{{Source: "a\nb", Reference: "שלום", Translation: "<i>"}}}
		if err := addSamples(dir, s); err != nil {
			t.Fatal(err)
		}
		want = append(want, s)
	}
	path := filepath.Join(dir, SamplesFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSamples(dir); err != nil || !reflect.DeepEqual(got, want[:3]) {
		t.Errorf("of four, the last cut off, it reads %v, %v", got, err)
	}
	if err := trimSamples(dir, 25); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadSamples(dir); err != nil || !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("for a run of 25 rounds it keeps %v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSamples(dir); err == nil {
		t.Error("a damaged line is read")
	}
}

// TestReadPoints: the points are read as they were written, while the run goes on.
func TestReadPoints(t *testing.T) {
	dir, points := t.TempDir(), rounds(25)
	files(t, dir, points, 0)
	var got []Point
	if err := ReadPoints(dir, func(p Point) error { got = append(got, p); return nil }); err != nil || !reflect.DeepEqual(got, points) {
		t.Errorf("it reads %d points, %v", len(got), err)
	}
}
