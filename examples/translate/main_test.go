package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/testnet"
)

// TestTranslate runs the program against a network in this process.
func TestTranslate(t *testing.T) {
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
	letter, err := os.ReadFile("../travel/letter.en.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := translate(ctx, dir, n.Model.String(), "0.9", bytes.NewReader(letter), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(out.String(), "\n"), strings.Count(string(letter), "\n"); got != want {
		t.Errorf("the translation has %d lines, the letter %d", got, want)
	}
	receipts, err := os.ReadDir(dir.Receipts())
	if err != nil || len(receipts) != 1 {
		t.Errorf("the home has %d receipts, %v", len(receipts), err)
	}
}
