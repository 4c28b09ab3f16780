package mesh_test

import (
	"io"
	"testing"

	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// TestProbe: a connected peer answers a probe, and refuses the next one.
func TestProbe(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Listen: []string{}, Bootstrap: a.Addrs()})
	eventually(t, "they meet", func() bool { return len(b.Peers()) == 1 })
	speed, err := b.Probe(deadline(t), a.ID(), 1<<20)
	if err != nil || speed.Up <= 0 || speed.Down <= 0 {
		t.Fatalf("measured %+v, %v", speed, err)
	}
	_, err = b.Probe(deadline(t), a.ID(), 1<<20)
	if protocol.ReasonOf(err) != protocol.RateLimited {
		t.Errorf("a second probe at once: %v", err)
	}
	if a.Traffic().Rejections[protocol.RateLimited.String()] != 1 {
		t.Errorf("rejections %v", a.Traffic().Rejections)
	}
	for _, n := range []int{0, mesh.MaxProbe + 1} {
		if _, err := b.Probe(deadline(t), a.ID(), n); err == nil {
			t.Errorf("a probe of %d bytes", n)
		}
	}
}

// TestProbeOneAtATime: while a peer is probed it refuses others, who need not
// wait for one that hangs.
func TestProbeOneAtATime(t *testing.T) {
	m := start(t, mesh.Config{Key: keyOf(1)})
	name := libp2pprotocol.ID("/alia/" + net.Short() + "/probe/1")
	h := attacker(t, m)
	s, err := h.NewStream(deadline(t), m.ID(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte{0, 0, 0, 100}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(s, answer); err != nil || answer[0] != 0 {
		t.Fatalf("answer %v, %v", answer, err)
	}
	if got, err := say(t, attacker(t, m), m.ID(), name, "\x00\x00\x00\x64"); err != nil || string(got) != "\x01" {
		t.Errorf("a second asker is told %q, %v", got, err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	third := attacker(t, m)
	eventually(t, "the next one may", func() bool {
		got, err := say(t, third, m.ID(), name, "\x00\x00\x00\x01x")
		return err == nil && len(got) == 2 && got[0] == 0
	})
	for _, text := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff"} {
		if got, err := say(t, third, m.ID(), name, text); err == nil {
			t.Errorf("a probe of %q bytes is answered with %q", text, got)
		}
	}
}
