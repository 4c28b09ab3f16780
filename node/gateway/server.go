package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Times that a client has, and that the end of the gateway takes at most.
const (
	headerTime = 10 * time.Second // for the header of a request
	bodyTime   = 5 * time.Minute  // for the header and the body
	idleTime   = 2 * time.Minute  // between two requests of a connection
	drainTime  = 20 * time.Second
	sweepTime  = 30 * time.Second // between two looks for old documents
)

// Run answers the requests that come to a listener, until ctx ends. Then it answers those
// that have begun; documents that are not done go on at the next start. A listener that
// other machines reach needs keys, unless the gateway is open.
func (g *Gateway) Run(ctx context.Context, l net.Listener) error {
	if err := g.Check(l.Addr()); err != nil {
		return err
	}
	g.local.Store(loopback(l.Addr()))
	s := &http.Server{
		Handler: g, MaxHeaderBytes: 4 * maxHeader,
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime,
		ErrorLog: log.New(io.Discard, "", 0), // what clients do wrong
	}
	work, ctx := errgroup.WithContext(ctx)
	for range g.Limits.Work {
		work.Go(func() error { return g.jobs.run(ctx) })
	}
	work.Go(func() error { return g.sweep(ctx) })
	work.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("gateway: %w", err)
		}
		return nil
	})
	work.Go(func() error {
		<-ctx.Done()
		close(g.stopping)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := s.Shutdown(last); err != nil {
			return s.Close()
		}
		return nil
	})
	return work.Wait()
}

// Check says why the gateway may not listen at an address.
func (g *Gateway) Check(a net.Addr) error {
	if err := checkPages(g.Pages); err != nil {
		return err
	}
	if !loopback(a) && !g.Open && !g.keys.needed() {
		return fmt.Errorf("gateway: other machines reach %s, and there are no keys: add one with `alia serve key add`, or let everybody in with --open", a)
	}
	return nil
}

// KeyNeeded reports whether a client needs a key.
func (g *Gateway) KeyNeeded() bool { return g.keys.needed() && !g.Open }

// sweep deletes documents whose time is over.
func (g *Gateway) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepTime)
	defer t.Stop()
	for {
		g.jobs.expire()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// loopback reports whether only this machine reaches an address.
func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || t.IP.IsLoopback() // a socket that is no TCP is a file of this machine
}

// Certificate gives TLS the certificate of two files. It reads the files again when they
// change; a pair that is broken leaves the one before in use.
type Certificate struct {
	Cert, Key string // paths of PEM files

	mu   sync.Mutex // guards the fields below
	last tls.Certificate
	seen [2]time.Time
	next time.Time
}

// look is how often the files are looked at.
const look = time.Second

// Config is the configuration of a TLS listener. It fails where the files are not those of
// a certificate and its key.
func (c *Certificate) Config() (*tls.Config, error) {
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.next) {
		return &c.last, nil
	}
	c.next = now.Add(look)
	var seen [2]time.Time
	for i, path := range []string{c.Cert, c.Key} {
		if info, err := os.Stat(path); err == nil {
			seen[i] = info.ModTime()
		}
	}
	if c.last.Certificate != nil && seen == c.seen {
		return &c.last, nil
	}
	fresh, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err == nil {
		c.last, c.seen = fresh, seen
	} else if c.last.Certificate == nil {
		c.next = time.Time{}
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &c.last, nil
}
