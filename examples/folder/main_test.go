package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/testnet"
)

// TestFolder runs the program twice against a network in this process: the second run
// translates only the file that is new.
func TestFolder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.Mine("miner-1"); err != nil {
		t.Fatal(err)
	}
	dir, err := n.Customer(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "de")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "one\ntwo\n")
	write("b.txt", "three\n\nfour\n")
	write("picture.png", "\x89PNG")
	if err := folder(ctx, dir, n.Model.String(), "0.9", from, to); err != nil {
		t.Fatal(err)
	}
	if err := folder(ctx, dir, n.Model.String(), "0.00000001", from, to); err != nil {
		t.Errorf("with nothing to do: %v", err)
	}
	write("c.txt", "five\n")
	if err := folder(ctx, dir, n.Model.String(), "0.00000001", from, to); err == nil || !strings.Contains(err.Error(), "c.txt") {
		t.Errorf("without money for the third file: %v", err)
	}
	if err := folder(ctx, dir, n.Model.String(), "0.9", from, to); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]int{"a.txt": 2, "b.txt": 3, "c.txt": 1} {
		data, err := os.ReadFile(filepath.Join(to, name))
		if err != nil || strings.Count(string(data), "\n") != lines {
			t.Errorf("%s: %q, %v, want %d lines", name, data, err, lines)
		}
	}
	receipts, err := os.ReadDir(dir.Receipts())
	if err != nil || len(receipts) != 3 {
		t.Errorf("the home has %d receipts, %v", len(receipts), err)
	}
}
