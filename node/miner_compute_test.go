package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TestNoPathToPeer: a publisher hears why a miner gives a unit up, without the paths of
// the miner's home.
func TestNoPathToPeer(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home-of-jane")
	store, err := block.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	_, err = store.Put(t.Context(), block.Raw, []byte("a block"))
	if err == nil || !strings.Contains(err.Error(), "jane") {
		t.Fatalf("putting a block in a deleted store: %v, want an error that names the home", err)
	}
	if got := toPeer(protocol.Refuse(protocol.UnitFailed, "parameters: %w", err)); strings.Contains(got, "jane") || !strings.Contains(got, "no such file") {
		t.Errorf("the publisher hears %q", got)
	}
	if got, want := toPeer(protocol.Refuse(protocol.InputUnavailable, "nobody has it")), "nobody has it"; got != want {
		t.Errorf("the publisher hears %q, want %q", got, want)
	}
}
