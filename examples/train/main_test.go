package main

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/work/corpus"
)

// TestTrain: two short runs in different homes end in the same model.
func TestTrain(t *testing.T) {
	names := map[string]bool{}
	for range 2 {
		var out strings.Builder
		dir := t.TempDir()
		pairs := corpus.Phrasebook()
		pairs.Train, pairs.Valid, pairs.Tests = pairs.Train[:2000], pairs.Valid[:20], nil
		if err := trainModel(t.Context(), home.Dir(dir), pairs, 2, &out); err != nil {
			t.Fatal(err)
		}
		_, after, ok := strings.Cut(out.String(), "model "+dir+"/models/")
		name, rest, _ := strings.Cut(after, "\n")
		if !ok || strings.Count(rest, "\n") != 2 {
			t.Fatalf("the program printed %q", out.String())
		}
		names[name] = true
	}
	if len(names) != 1 {
		t.Errorf("the same run ended in the models %v", names)
	}
}
