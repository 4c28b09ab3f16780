package mesh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// The numbers of peers that a node remembers.
const (
	maxContacts = 256 // in memory, beside the bootstrap peers
	keptPeers   = 64  // in the file
)

// contacts are the peers that a node dials when they are not connected: the
// bootstrap peers, those of the file, and those that it met or heard of since.
type contacts struct {
	mu   sync.Mutex // guards the field below
	book map[peer.ID]*contact
}

// contact is a peer and when to dial it.
type contact struct {
	addrs     []ma.Multiaddr
	bootstrap bool
	met       time.Time // when it was connected last; zero: never
	connected time.Time // since when it is connected; zero: it is not
	dialling  bool
	tried     time.Time     // when the last attempt ended
	wait      time.Duration // until the next
}

// add remembers a peer, with met as the time when it was connected last. A full
// book forgets a peer that was not connected for the longest time.
func (c *contacts) add(info peer.AddrInfo, met time.Time, bootstrap bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.book == nil {
		c.book = make(map[peer.ID]*contact)
	}
	old, ok := c.book[info.ID]
	if !ok {
		c.book[info.ID] = &contact{addrs: chosen(info.Addrs), bootstrap: bootstrap, met: met}
		c.forget()
		return
	}
	old.bootstrap = old.bootstrap || bootstrap
	old.addrs = chosen(append(slices.Clone(info.Addrs), old.addrs...))
	if old.met.Before(met) {
		old.met = met
	}
}

// forget keeps the book within maxContacts. The caller holds mu.
func (c *contacts) forget() {
	for len(c.book) > maxContacts {
		var worst peer.ID
		for id, p := range c.book { // order-free: equals are alike, and a bootstrap peer is never the worst
			if p.bootstrap || p.dialling || !p.connected.IsZero() {
				continue
			}
			if w := c.book[worst]; w == nil || p.met.Before(w.met) || (p.met.Equal(w.met) && p.wait > w.wait) {
				worst = id
			}
		}
		if worst == "" {
			return
		}
		delete(c.book, worst)
	}
}

// connectedTo notes which peers are connected now, and the addresses of those.
func (c *contacts) connectedTo(now time.Time, infos []peer.AddrInfo) {
	ids := make(map[peer.ID]bool)
	for _, info := range infos {
		ids[info.ID] = true
		c.add(info, now, false)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.book { // order-free: each is judged alone
		switch {
		case ids[id] && p.connected.IsZero():
			p.connected = now
		case !ids[id] && !p.connected.IsZero():
			// A peer that keeps hanging up is dialled less and less often.
			if now.Sub(p.connected) >= redialMax {
				p.wait = 0
			}
			p.connected, p.tried = time.Time{}, now
			p.wait = min(max(2*p.wait, lookMin), redialMax)
		}
	}
}

// due takes up to n peers to dial now, those connected last first. While no peer is
// connected, no attempt waits longer than lookMax.
func (c *contacts) due(now time.Time, n int, wanted func(peer.ID) bool) []peer.AddrInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	longest := lookMax
	for _, p := range c.book { // order-free: any connected peer counts
		if !p.connected.IsZero() {
			longest = redialMax
		}
	}
	var ids []peer.ID
	for id, p := range c.book { // order-free: sorted below
		if !p.dialling && p.connected.IsZero() && now.Sub(p.tried) >= min(p.wait, longest) && wanted(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(x, y peer.ID) int {
		p, q := c.book[x], c.book[y]
		if p.bootstrap != q.bootstrap {
			if p.bootstrap {
				return -1
			}
			return 1
		}
		if order := q.met.Compare(p.met); order != 0 {
			return order
		}
		return strings.Compare(string(x), string(y))
	})
	var infos []peer.AddrInfo
	for _, id := range ids[:min(n, len(ids))] {
		c.book[id].dialling = true
		infos = append(infos, peer.AddrInfo{ID: id, Addrs: c.book[id].addrs})
	}
	return infos
}

// dialled notes the end of an attempt. The time until the next doubles, whether it
// succeeded or not: a peer may take a connection only to close it.
func (c *contacts) dialled(now time.Time, id peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.book[id]; p != nil {
		p.dialling, p.tried = false, now
		p.wait = min(max(2*p.wait, lookMin), redialMax)
	}
}

// load reads the peers kept by an earlier run. Lines that are no address are
// ignored.
func (c *contacts) load(file string, now time.Time) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read kept peers: %w", err)
	}
	i := 0
	for line := range strings.Lines(string(data)) {
		if info, err := parseAddrs([]string{line}); err == nil && i < keptPeers*maxAddrs {
			i++
			c.add(info[0], now.Add(-time.Duration(i)*time.Second), false) // the file has the newest first
		}
	}
	return nil
}

// save writes the peers that were connected last to the file, one address on each
// line.
func (c *contacts) save(file string) error {
	c.mu.Lock()
	var met []peer.AddrInfo
	for id, p := range c.book { // order-free: sorted below
		if !p.met.IsZero() {
			met = append(met, peer.AddrInfo{ID: id, Addrs: p.addrs})
		}
	}
	slices.SortFunc(met, func(x, y peer.AddrInfo) int {
		if order := c.book[y.ID].met.Compare(c.book[x.ID].met); order != 0 {
			return order
		}
		return strings.Compare(string(x.ID), string(y.ID))
	})
	c.mu.Unlock()
	var text strings.Builder
	for _, info := range met[:min(len(met), keptPeers)] {
		for _, a := range fullAddrs(info) {
			text.WriteString(a + "\n")
		}
	}
	if text.Len() == 0 {
		return nil
	}
	tmp := file + ".tmp"
	if err := os.MkdirAll(filepath.Dir(tmp), 0o755); err != nil {
		return fmt.Errorf("keep peers: %w", err)
	}
	if err := os.WriteFile(tmp, []byte(text.String()), 0o644); err != nil {
		return errors.Join(fmt.Errorf("keep peers: %w", err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, file); err != nil {
		return fmt.Errorf("keep peers: %w", err)
	}
	return nil
}
