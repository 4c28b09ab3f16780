package mesh

import (
	"fmt"
	"net"
	"slices"
	"strings"

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

// announced parses the addresses under which others reach this node, such as
// /dns4/node.example.org/tcp/4001.
func announced(addrs []string) ([]ma.Multiaddr, error) {
	var out []ma.Multiaddr
	for _, a := range addrs {
		m, err := ma.NewMultiaddr(strings.TrimSpace(a))
		if err != nil {
			return nil, fmt.Errorf("announced address %q (want the form /ip4/1.2.3.4/tcp/4001 or /dns4/NAME/tcp/4001): %w", a, err)
		}
		out = append(out, m)
	}
	return out, nil
}
