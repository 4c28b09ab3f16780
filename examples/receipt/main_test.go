package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

// TestReceipt runs the program on the receipt of a network that is no more, and on changed
// files.
func TestReceipt(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		if err := os.WriteFile(file(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	const letter = "one and two\n\nthree\n"
	receipt, translation := buy(t, file("network.json"), letter)
	files := []string{write("receipt", receipt), write("letter.txt", letter), write("brief.txt", translation)}
	var out strings.Builder
	if err := check(file("network.json"), files, &out); err != nil || !strings.Contains(out.String(), "are those of the receipt") || !strings.Contains(out.String(), "ALIA to miners") {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := check(file("network.json"), files[:1], &out); err != nil {
		t.Error(err)
	}
	changed := []byte(receipt)
	changed[len(changed)/2] ^= 1
	for name, files := range map[string][]string{
		"another letter":      {files[0], write("other", "one and ten\n\nthree\n"), files[2]},
		"another translation": {files[0], files[1], write("another", translation+"x")},
		"a changed receipt":   {write("changed", string(changed))},
		"two files":           files[:2],
	} {
		if err := check(file("network.json"), files, &out); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// buy has a letter translated by a network that ends then. It writes the network's file.
func buy(t *testing.T, network, letter string) (receipt, translation string) {
	t.Helper()
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
	if err := n.File.Write(network); err != nil {
		t.Fatal(err)
	}
	dir, err := n.Customer(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tr, err := c.Translate(ctx, client.Document{Text: letter, Model: n.Model, Budget: protocol.Coin / 10})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(tr.ReceiptFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), tr.Text
}
