package chain

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What strangers may take from the RPC. A host is an IPv4 address or an IPv6 network
// of 64 bits, because the owner of such a network has all its addresses.
const (
	maxConns     = 500             // open connections of all hosts together
	maxHostConns = 100             // open connections of one host
	callRate     = 200             // calls a second of one host
	callBurst    = 2 * callRate    // calls of a host at once after a pause
	callPatience = 2 * time.Second // a call that would wait longer for its turn is refused
	sweepHosts   = 1024            // hosts to remember before those at rest are forgotten
)

// limiter is a listener and a handler that bound the connections and calls of each
// host, so that one host cannot lock out the others.
type limiter struct {
	net.Listener

	mu    sync.Mutex // guards the rest
	conns int
	hosts map[netip.Prefix]*guest
}

// guest is what a host has taken.
type guest struct {
	conns int
	calls *rate.Limiter
}

func newLimiter(l net.Listener) *limiter {
	return &limiter{Listener: l, hosts: make(map[netip.Prefix]*guest)}
}

// Accept returns the next connection for which there is room. It closes the others.
func (l *limiter) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if host, ok := l.admit(conn.RemoteAddr().String()); ok {
			return &admitted{Conn: conn, leave: sync.OnceFunc(func() { l.leave(host) })}, nil
		}
		conn.Close() // the host learns nothing more from an error here
	}
}

// admitted is a connection that counts until it is closed.
type admitted struct {
	net.Conn
	leave func()
}

func (c *admitted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// hostOf returns the host of an address such as 198.51.100.7:50000.
func hostOf(addr string) (netip.Prefix, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Prefix{}, err
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.Prefix(32)
	}
	return ip.Prefix(64)
}

// admit counts a connection of an address, if there is room for it.
func (l *limiter) admit(addr string) (netip.Prefix, bool) {
	host, err := hostOf(addr)
	if err != nil {
		return host, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.guest(host)
	if l.conns >= maxConns || g.conns >= maxHostConns {
		return host, false
	}
	l.conns++
	g.conns++
	return host, true
}

func (l *limiter) leave(host netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	l.guest(host).conns--
}

// guest returns what is remembered of a host. The caller has locked mu.
func (l *limiter) guest(host netip.Prefix) *guest {
	if g := l.hosts[host]; g != nil {
		return g
	}
	if len(l.hosts) >= sweepHosts {
		for h, g := range l.hosts { // a host at rest has all its calls again, as a new one has
			if g.conns == 0 && g.calls.Tokens() >= callBurst {
				delete(l.hosts, h)
			}
		}
	}
	g := &guest{calls: rate.NewLimiter(callRate, callBurst)}
	l.hosts[host] = g
	return g
}

var errTooManyCalls = errors.New("too many calls from this address: wait a second, and call less often")

// wait returns when it is the turn of a call from an address, or an error when that
// would take too long.
func (l *limiter) wait(ctx context.Context, addr string) error {
	host, err := hostOf(addr)
	if err != nil {
		return err
	}
	l.mu.Lock()
	calls := l.guest(host).calls
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	if calls.Wait(ctx) != nil {
		return errTooManyCalls
	}
	return nil
}

// handler lets each call through when it is its turn, before its body is read.
func (l *limiter) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := l.wait(r.Context(), r.RemoteAddr); err != nil {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
