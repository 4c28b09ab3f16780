package mesh_test

import (
	"fmt"
	"io"
	stdnet "net"
	"strings"
	"testing"
	"time"

	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// slowLink relays connections to a host's address, with so many bytes per
// second from the dialler (up) and to it (down), and gives the address to dial.
func slowLink(t *testing.T, to string, up, down int) string {
	t.Helper()
	_, rest, ok := strings.Cut(to, "/tcp/")
	port, id, ok2 := strings.Cut(rest, "/p2p/")
	if !ok || !ok2 {
		t.Fatalf("address %s", to)
	}
	l, err := stdnet.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := stdnet.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				in.Close()
				return
			}
			go trickle(out, in, up)
			go trickle(in, out, down)
		}
	}()
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", l.Addr().(*stdnet.TCPAddr).Port, id)
}

// trickle copies at rate bytes per second and closes both ends when one does.
func trickle(to, from stdnet.Conn, rate int) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, rate/200)
	for free := time.Now(); ; {
		n, err := from.Read(buf)
		if n > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * time.Second / time.Duration(rate))
			time.Sleep(time.Until(free))
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestProbe: over a link of a known speed, that speed is measured.
func TestProbe(t *testing.T) {
	const up, down = 1_000_000, 4_000_000
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Listen: []string{}, Bootstrap: []string{slowLink(t, a.Addrs()[0], up, down)}})
	eventually(t, "they meet", func() bool { return len(b.Peers()) == 1 })
	l, err := b.Probe(deadline(t), a.ID(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	// Noise and yamux add to the bytes, and a busy machine to the time.
	if l.Up < 0.6*up || l.Up > 1.1*up || l.Down < 0.6*down || l.Down > 1.1*down {
		t.Errorf("measured %.0f up and %.0f down, the link has %d and %d", l.Up, l.Down, up, down)
	}
	_, err = b.Probe(deadline(t), a.ID(), 1<<20)
	if protocol.ReasonOf(err) != protocol.RateLimited {
		t.Errorf("a second probe at once: %v", err)
	}
	if a.Stats().Rejections[protocol.RateLimited.String()] != 1 {
		t.Errorf("rejections %v", a.Stats().Rejections)
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
