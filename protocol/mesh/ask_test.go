package mesh_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// TestAskPeers: of the peers in the network file and in the file of peers it is told which
// answer, and why the others do not.
func TestAskPeers(t *testing.T) {
	here, met, other := start(t, mesh.Config{Key: keyOf(1)}), start(t, mesh.Config{Key: keyOf(2)}), start(t, mesh.Config{Key: keyOf(3), Net: protocol.Net{9}})
	gone := start(t, mesh.Config{Key: keyOf(4)})
	lost := gone.Addrs()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "peers")
	if err := os.WriteFile(file, []byte(strings.Join(append(met.Addrs(), lost...), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	answers, err := mesh.AskPeers(deadline(t), mesh.Config{Net: net, Bootstrap: append(here.Addrs(), other.Addrs()...), PeersFile: file})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		here.ID().String(): "", met.ID().String(): "",
		other.ID().String(): "node of network", gone.ID().String(): "connection refused",
	}
	if len(answers) != len(want) {
		t.Errorf("%d peers are asked, want %d", len(answers), len(want))
	}
	for i, a := range answers {
		text := want[a.ID.String()]
		if text == "" && a.Err != nil || text != "" && (a.Err == nil || !strings.Contains(a.Err.Error(), text)) {
			t.Errorf("peer %s at %s: %v, want %q", a.ID, a.Addrs, a.Err, text)
		}
		if bootstrap := a.ID == here.ID() || a.ID == other.ID(); bootstrap != (i < 2) {
			t.Errorf("peer %s is told at place %d", a.ID, i)
		}
	}
}
