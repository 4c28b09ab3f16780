package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// simNet is a network of simulated links, for meshes in one process. Its times are
// those of package time, so that a test in a synctest bubble waits for nothing.
type simNet struct {
	delay time.Duration // of every link, one way

	mu        sync.Mutex // guards the fields below
	lines     map[string]*simLine
	listeners map[string]*simListener // by address, such as 10.0.0.1:4001
	conns     map[*simLink]struct{}
	port      int             // the last one given to a listener or a dialler
	down      map[string]bool // machines that cannot be reached
	inner     map[string]bool // machines behind a router, which nobody can dial
	dials     int             // so far
}

// simLine is a machine's line to the network.
type simLine struct{ up, down simRate }

// simRate lets bytes pass at a rate, in turn.
type simRate struct {
	mu        sync.Mutex // guards the fields below
	perSecond int        // 0: no limit
	next      time.Time  // when the line is free
}

func (r *simRate) set(perSecond int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.perSecond = perSecond
}

// pass returns when n bytes have passed.
func (r *simRate) pass(n int) {
	r.mu.Lock()
	if r.perSecond == 0 {
		r.mu.Unlock()
		return
	}
	if now := time.Now(); r.next.Before(now) {
		r.next = now
	}
	r.next = r.next.Add(time.Duration(n) * time.Second / time.Duration(r.perSecond))
	at := r.next
	r.mu.Unlock()
	<-time.After(time.Until(at))
}

// newSimNet returns a network in a synctest bubble. Meshes on it are started after
// it, and end before it.
func newSimNet(t testing.TB, delay time.Duration) *simNet {
	t.Cleanup(func() { <-time.After(time.Minute) }) // time stands still at the end of a bubble: timers that are left must run out
	return &simNet{
		delay: delay, lines: map[string]*simLine{}, listeners: map[string]*simListener{},
		conns: map[*simLink]struct{}{}, down: map[string]bool{}, inner: map[string]bool{}, port: 10000,
	}
}

// line gives a machine a line with these rates, in bytes per second.
func (n *simNet) line(ip string, up, down int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.of(ip)
	l.up.set(up)
	l.down.set(down)
}

// dialled is the number of dials so far.
func (n *simNet) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// of returns the line of a machine. The caller holds mu.
func (n *simNet) of(ip string) *simLine {
	if n.lines[ip] == nil {
		n.lines[ip] = new(simLine)
	}
	return n.lines[ip]
}

// cut breaks every connection of a machine. While it is down none can be opened.
func (n *simNet) cut(ip string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[ip] = down
	for l := range n.conns { // order-free: all of the machine are closed
		if l.from == ip || l.to == ip {
			l.close()
		}
	}
}

// join returns cfg for a mesh on the machine with this address, which listens at a
// port of its own.
func (n *simNet) join(cfg Config, ip string) Config {
	n.mu.Lock()
	n.port++
	cfg.Listen = []string{fmt.Sprintf("/ip4/%s/tcp/%d", ip, n.port)}
	n.mu.Unlock()
	cfg.transport = func(u transport.Upgrader, r network.ResourceManager) *simTransport {
		return &simTransport{net: n, ip: ip, upgrader: u, resources: r}
	}
	return cfg
}

// simTransport is a libp2p transport over a simNet.
type simTransport struct {
	net       *simNet
	ip        string
	upgrader  transport.Upgrader
	resources network.ResourceManager
}

func (t *simTransport) CanDial(a ma.Multiaddr) bool { return len(a.Protocols()) == 2 }
func (t *simTransport) Protocols() []int            { return []int{ma.P_TCP} }
func (t *simTransport) Proxy() bool                 { return false }

func (t *simTransport) Dial(ctx context.Context, to ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	scope, err := t.resources.OpenConnection(network.DirOutbound, true, to)
	if err != nil {
		return nil, err
	}
	if err := scope.SetPeer(p); err != nil {
		scope.Done()
		return nil, err
	}
	raw, err := t.net.dial(ctx, t.ip, to)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return t.upgrader.Upgrade(ctx, t, raw, network.DirOutbound, p, scope)
}

func (t *simTransport) Listen(a ma.Multiaddr) (transport.Listener, error) {
	addr, err := manet.ToNetAddr(a)
	if err != nil {
		return nil, err
	}
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	if t.net.listeners[addr.String()] != nil {
		return nil, errors.New("address already in use")
	}
	l := &simListener{net: t.net, addr: addr, multiaddr: a, incoming: make(chan manet.Conn, 64), closed: make(chan struct{})}
	t.net.listeners[addr.String()] = l
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(l)), nil
}

type simListener struct {
	net       *simNet
	addr      net.Addr
	multiaddr ma.Multiaddr
	incoming  chan manet.Conn
	closed    chan struct{}
	once      sync.Once
}

func (l *simListener) Accept() (manet.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, transport.ErrListenerClosed
	}
}

func (l *simListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.addr.String())
	})
	return nil
}

func (l *simListener) Addr() net.Addr          { return l.addr }
func (l *simListener) Multiaddr() ma.Multiaddr { return l.multiaddr }

// dial opens a link from a machine to an address.
func (n *simNet) dial(ctx context.Context, from string, to ma.Multiaddr) (manet.Conn, error) {
	addr, err := manet.ToNetAddr(to)
	if err != nil {
		return nil, err
	}
	ip, _, _ := net.SplitHostPort(addr.String())
	n.mu.Lock()
	n.port++
	n.dials++
	back, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/%s/tcp/%d", from, n.port))
	l, down := n.listeners[addr.String()], n.down[ip] || n.down[from] || n.inner[ip]
	up, rate := n.of(from), n.of(ip)
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if down { // packets are lost, nobody answers
		<-ctx.Done()
		return nil, ctx.Err()
	}
	<-time.After(2 * n.delay)
	if l == nil {
		return nil, errors.New("connection refused")
	}
	link := &simLink{from: from, to: ip, net: n}
	near, nearEnd := net.Pipe()
	far, farEnd := net.Pipe()
	link.pipes = []net.Conn{near, nearEnd, far, farEnd}
	n.mu.Lock()
	n.conns[link] = struct{}{}
	n.mu.Unlock()
	go link.carry(nearEnd, farEnd, &up.up, &rate.down)
	go link.carry(farEnd, nearEnd, &rate.up, &up.down)
	select {
	case l.incoming <- &simConn{far, link, to, back}:
		return &simConn{near, link, back, to}, nil
	case <-l.closed:
		link.close()
		return nil, errors.New("connection refused")
	}
}

// simLink is a connection. Bytes go from near to nearEnd, over the line to farEnd,
// and to far; and back.
type simLink struct {
	net      *simNet
	from, to string
	pipes    []net.Conn
}

func (l *simLink) close() {
	for _, p := range l.pipes {
		_ = p.Close()
	}
	delete(l.net.conns, l)
}

// carry carries bytes in one direction.
func (l *simLink) carry(src, dst net.Conn, up, down *simRate) {
	type packet struct {
		data []byte
		at   time.Time
	}
	flight := make(chan packet, 64)
	go func() {
		for p := range flight {
			if wait := time.Until(p.at); wait > 0 {
				<-time.After(wait)
			}
			if _, err := dst.Write(p.data); err != nil {
				break
			}
		}
		_ = dst.Close()
		for range flight { // until the sender notices
		}
	}()
	defer close(flight)
	for {
		buf := make([]byte, 16<<10)
		k, err := src.Read(buf)
		if k > 0 {
			up.pass(k)
			down.pass(k)
			flight <- packet{buf[:k], time.Now().Add(l.net.delay)}
		}
		if err != nil {
			return
		}
	}
}

// simConn is one end of a link.
type simConn struct {
	net.Conn
	link          *simLink
	local, remote ma.Multiaddr
}

func (c *simConn) LocalMultiaddr() ma.Multiaddr  { return c.local }
func (c *simConn) RemoteMultiaddr() ma.Multiaddr { return c.remote }

func (c *simConn) Close() error {
	c.link.net.mu.Lock()
	delete(c.link.net.conns, c.link)
	c.link.net.mu.Unlock()
	return c.Conn.Close()
}
