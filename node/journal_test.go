package node_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

var testNet = protocol.Net{1, 2, 3}

func named(s string) block.Link { return block.Link{Cid: block.Sum(block.Raw, []byte(s))} }

// accepted makes a line of a journal for a unit of that name.
func accepted(t testing.TB, name string) node.Accepted {
	t.Helper()
	miner, publisher := key("miner"), key("publisher")
	a := node.Accepted{
		Attestation: protocol.Attestation{Work: named("run"), Unit: named(name), Result: named("result of " + name), Cost: 7, Ticket: named("ticket")},
		Accept:      protocol.Accept{Work: named("run"), Unit: named(name), Miner: protocol.AccountOf(miner), Result: named("result of " + name), Cost: 7},
		Effort:      unit.Effort{Started: 1, Took: 2, BytesIn: 3, BytesOut: 4},
	}
	if _, err := protocol.Sign(miner, testNet, &a.Attestation); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.Sign(publisher, testNet, &a.Accept); err != nil {
		t.Fatal(err)
	}
	return a
}

func open(t testing.TB, path string) *node.Journal {
	t.Helper()
	j, err := node.OpenJournal(path, testNet)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJournalKeepsWhatWasAccepted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	for _, u := range []string{"a", "b", "c"} {
		if err := j.Add(accepted(t, u)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Add(accepted(t, "b")); err != nil { // twice is once
		t.Fatal(err)
	}
	if err := j.Settle([]block.Link{named("a"), named("unknown")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	defer j.Close()
	if all, pending := j.Counts(); all != 3 || pending != 2 {
		t.Errorf("%d units, %d pending; want 3 and 2", all, pending)
	}
	got := j.Pending(9)
	if len(got) != 2 || got[0].Accept.Unit != named("b") || got[1].Accept.Unit != named("c") {
		t.Errorf("pending %v, want b and c", got)
	}
	if b, ok := j.Get(named("b")); !ok || b.BytesOut != 4 || b.Settled {
		t.Errorf("b is %+v, %v", b, ok)
	}
}

// TestJournalGolden: the bytes on disk, which a newer version must read.
func TestJournalGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if err := j.Add(accepted(t, "a")); err != nil {
		t.Fatal(err)
	}
	if err := j.Settle([]block.Link{named("a")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "ea83f2c814558e4c44bac0a98039947b4c99319ef15edf1cff1919f5f24a4dc2"
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != want {
		t.Errorf("the journal's digest is %s, want %s", got, want)
	}
}

// TestJournalCutsATornEnd: whatever a crash leaves of the last record, those
// before it are kept and new ones follow.
func TestJournalCutsATornEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if err := j.Add(accepted(t, "a")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Add(accepted(t, "b")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(whole); cut < len(both); cut += 37 {
		if err := os.WriteFile(path, both[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		j := open(t, path)
		if all, _ := j.Counts(); all != 1 {
			t.Errorf("cut at %d: %d units, want 1", cut, all)
		}
		if err := j.Add(accepted(t, "c")); err != nil {
			t.Fatal(err)
		}
		j.Close()
		j = open(t, path)
		if _, ok := j.Get(named("c")); !ok {
			t.Errorf("cut at %d: what was added after is lost", cut)
		}
		j.Close()
	}
}

func TestJournalRefusesAnotherNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if err := j.Add(accepted(t, "a")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, err := node.OpenJournal(path, protocol.Net{9}); protocol.ReasonOf(err) != protocol.WrongNetwork {
		t.Errorf("opened for another network: %v", err)
	}
}

// FuzzJournal: no bytes on disk make opening panic, and what opens, opens
// again the same.
func FuzzJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "journal")
	j := open(f, path)
	if err := j.Add(accepted(f, "a")); err != nil {
		f.Fatal(err)
	}
	if err := j.Settle([]block.Link{named("a")}); err != nil {
		f.Fatal(err)
	}
	j.Close()
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-3])
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		j, err := node.OpenJournal(path, testNet)
		if err != nil {
			return
		}
		all, pending := j.Counts()
		j.Close()
		j = open(t, path)
		defer j.Close()
		if a, p := j.Counts(); a != all || p != pending {
			t.Errorf("%d units, %d pending; opened again %d and %d", all, pending, a, p)
		}
	})
}
