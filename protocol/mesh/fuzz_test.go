package mesh

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// FuzzReadWants: a request that is read is one that writeWants writes.
func FuzzReadWants(f *testing.F) {
	c := block.Sum(block.CBOR, nil).Bytes()
	f.Add(append([]byte{1}, c...))
	f.Add(append(append([]byte{2}, c...), c...))
	f.Fuzz(func(t *testing.T, data []byte) {
		wants, err := readWants(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		again := []byte{byte(len(wants))}
		for _, c := range wants {
			if err := block.Check(c); err != nil {
				t.Error(err)
			}
			again = append(again, c.Bytes()...)
		}
		if !bytes.HasPrefix(data, again) {
			t.Errorf("read %x from %x", again, data)
		}
	})
}

// FuzzAddrs: addresses come from offers and tickets.
func FuzzAddrs(f *testing.F) {
	f.Add("/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5")
	f.Add("/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5")
	f.Fuzz(func(t *testing.T, s string) {
		infos, err := parseAddrs([]string{s})
		if err != nil {
			return
		}
		again, err := parseAddrs(fullAddrs(infos[0]))
		if err != nil || len(infos[0].Addrs) > 0 && again[0].ID != infos[0].ID {
			t.Errorf("%q parsed as %v, and again as %v, %v", s, infos, again, err)
		}
	})
}

// FuzzAccount: a peer's name either is an account's or is refused.
func FuzzAccount(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, 32))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 32 {
			return
		}
		a := protocol.Account(raw)
		id, err := PeerOf(a)
		if err != nil {
			return
		}
		if got, err := AccountOf(id); err != nil || got != a {
			t.Errorf("account %s is peer %s, which is account %s, %v", a, id, got, err)
		}
	})
}
