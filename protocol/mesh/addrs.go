package mesh

import (
	"errors"
	"fmt"
	"net"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// maxAddrs is the most addresses of a node in offers, tickets, hellos and the file
// of peers.
const maxAddrs = 8

// chosen returns at most [maxAddrs] of a node's addresses, those first at
// which most others reach the node: public addresses and names, then the private
// addresses in home, then other private ones, then loopback. A machine with virtual
// networks has many private addresses that nobody else can reach.
func chosen(addrs []ma.Multiaddr, home ...net.IP) []ma.Multiaddr {
	rank := func(a ma.Multiaddr) int {
		ip, err := manet.ToIP(a)
		switch {
		case err != nil: // a DNS name
			return 0
		case ip.IsLoopback():
			return 3
		case ip.IsUnspecified(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
			return 4
		case manet.IsPublicAddr(a):
			return 0
		case slices.ContainsFunc(home, ip.Equal):
			return 1
		}
		return 2
	}
	type ranked struct {
		ma.Multiaddr
		rank int
	}
	var all []ranked
	for _, a := range addrs {
		if r := rank(a); r < 4 && !slices.ContainsFunc(all, func(o ranked) bool { return o.Equal(a) }) {
			all = append(all, ranked{a, r})
		}
	}
	slices.SortStableFunc(all, func(x, y ranked) int { return x.rank - y.rank })
	best := make([]ma.Multiaddr, 0, maxAddrs)
	for _, a := range all[:min(len(all), maxAddrs)] {
		best = append(best, a.Multiaddr)
	}
	return best
}

// ownAddrs returns the addresses of this node that others are told: those that its
// owner announces, and then the chosen ones at which it listens.
func ownAddrs(public, listening []ma.Multiaddr) []ma.Multiaddr {
	addrs := slices.Clone(public)
	for _, a := range chosen(listening, homeIPs()...) {
		if !slices.ContainsFunc(public, a.Equal) {
			addrs = append(addrs, a)
		}
	}
	return addrs[:min(len(addrs), maxAddrs)]
}

// homeIPs are the addresses from which this machine sends to the rest of the
// world: those of its real network. No packet is sent.
func homeIPs() []net.IP {
	var ips []net.IP
	for _, far := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // addresses for documentation
		c, err := net.Dial("udp", far)
		if err != nil {
			continue // no route
		}
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			ips = append(ips, a.IP)
		}
		_ = c.Close()
	}
	return ips
}

// CheckListen returns an error unless a node can listen at the address: it wants a
// multiaddress with a TCP port and without a peer ID.
func CheckListen(addr string) error {
	_, err := parseListen(addr)
	return err
}

// CheckAnnounce returns an error unless other nodes may be able to dial the address:
// it wants what [CheckListen] wants, and a host that is not 0.0.0.0 or ::.
func CheckAnnounce(addr string) error {
	_, err := parseAnnounce(addr)
	return err
}

func parseListen(addr string) (ma.Multiaddr, error) {
	const example = "/ip4/198.51.100.7/tcp/4001"
	m, err := ma.NewMultiaddr(addr)
	if err != nil {
		return nil, errors.New("want a multiaddress, such as " + example)
	}
	if _, err := m.ValueForProtocol(ma.P_TCP); err != nil {
		return nil, errors.New("the address names no TCP port: want one such as " + example)
	}
	if _, err := m.ValueForProtocol(ma.P_P2P); err == nil {
		return nil, errors.New("leave out /p2p/: the node adds it, with its own peer ID")
	}
	return m, nil
}

func parseAnnounce(addr string) (ma.Multiaddr, error) {
	m, err := parseListen(addr)
	if err == nil && manet.IsIPUnspecified(m) {
		return nil, errors.New("others cannot dial this address: give the one under which they reach this machine")
	}
	return m, err
}

// parseAll parses the addresses of a list.
func parseAll(addrs []string, parse func(string) (ma.Multiaddr, error)) ([]ma.Multiaddr, error) {
	var out []ma.Multiaddr
	for _, a := range addrs {
		m, err := parse(a)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", a, err)
		}
		out = append(out, m)
	}
	return out, nil
}
