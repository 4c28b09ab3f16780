package retention_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/retention"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

var net = protocol.Net{1}

// accept writes a unit that a miner did and a publisher took to a journal, and
// returns the unit and the result.
func accept(t *testing.T, path string) (unit, result block.Link) {
	t.Helper()
	link := func(s string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(s))} }
	unit, result = link("unit "+path), link("result "+path)
	miner, publisher := ed25519.NewKeyFromSeed(make([]byte, 32)), ed25519.NewKeyFromSeed(slices.Repeat([]byte{1}, 32))
	a := journal.Accepted{
		Attestation: protocol.Attestation{Work: link("run"), Unit: unit, Result: result},
		Accept:      protocol.Accept{Work: link("run"), Unit: unit, Result: result, Miner: protocol.AccountOf(miner)},
	}
	for r, key := range map[protocol.Signed]ed25519.PrivateKey{&a.Attestation: miner, &a.Accept: publisher} {
		if _, err := protocol.Sign(key, net, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(path, net, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(journal.Line{Key: journal.Key{Unit: unit}, Record: a}); err != nil {
		t.Fatal(err)
	}
	return unit, result
}

// TestUnsettled holds that the journal of a run outlives a deletion while the
// ledger has no claim of its units.
func TestUnsettled(t *testing.T) {
	dir := home.Dir(t.TempDir())
	run := block.Link{Cid: block.Sum(block.CBOR, []byte("run"))}
	path := filepath.Join(dir.Run(run), home.JournalFile)
	unit, _ := accept(t, path)
	if err := retention.DeleteRun(dir, net, run, false); !errors.Is(err, retention.ErrUnsettled) {
		t.Errorf("DeleteRun = %v, want ErrUnsettled", err)
	}
	j, err := journal.Open(path, net, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	settled := journal.Line{Key: journal.Key{Unit: unit}, Record: journal.Settled{Height: 1}}
	if err := errors.Join(j.Append(settled), j.Close()); err != nil {
		t.Fatal(err)
	}
	if err := retention.DeleteRun(dir, net, run, false); err != nil {
		t.Errorf("DeleteRun of a settled run: %v", err)
	}
	if entries, err := os.ReadDir(dir.Runs()); err != nil || len(entries) != 0 {
		t.Errorf("left in runs: %v, %v", entries, err)
	}
	accept(t, path)
	if err := retention.DeleteRun(dir, net, run, true); err != nil {
		t.Errorf("DeleteRun by force: %v", err)
	}
}

// TestSwarms: a swarm with a member that has its blocks open stays.
func TestSwarms(t *testing.T) {
	dir := home.Dir(t.TempDir())
	live := home.Dir(filepath.Join(dir.Swarms(), "live", "miner-1"))
	dead := home.Dir(filepath.Join(dir.Swarms(), "dead", "miner-1"))
	store, err := live.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := dead.Make(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dead.Log(), []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	begins, err := home.Dir(filepath.Join(dir.Swarms(), "begins")).Store() // and has no members yet
	if err != nil {
		t.Fatal(err)
	}
	defer begins.Close()
	want := retention.Swarms{Running: 2, Deleted: 1, Bytes: 4}
	for _, dry := range []bool{true, false} {
		if got, err := retention.DeleteSwarms(dir, dry); err != nil || got != want {
			t.Errorf("DeleteSwarms, dry %t: %+v, %v; want %+v", dry, got, err, want)
		}
	}
	if _, err := os.Stat(string(live)); err != nil {
		t.Error("the home of a running swarm is gone")
	}
	if got, err := retention.DeleteSwarms(dir, false); err != nil || got != (retention.Swarms{Running: 2}) {
		t.Errorf("DeleteSwarms again: %+v, %v", got, err)
	}
}
