package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	web "github.com/alia-network/alia/node/gateway/pages"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/swarm"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/work/kernel"
)

// aloneText is why the page of alia serve --local has no node and no ledger.
const aloneText = "This gateway computes on its own machine (alia serve --local). It belongs to no network, so it has no node and no ledger. Without --local it has both."

// views is what the page of alia serve shows of the home: its runs and, in a network, its
// node and the ledger.
func (a *app) views(ctx context.Context, local bool) (*views.Viewer, error) {
	own := views.Home{Name: "node", Dir: a.home}
	v := &views.Viewer{Homes: func() []views.Home { return []views.Home{own} }}
	if local {
		v.Alone = aloneText
		return v, nil
	}
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	account, err := a.accountOr(owner{}, nil)
	if err == nil {
		own.Account = account.String()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	v.Network = network.Name
	v.Client, err = dial(ctx, network)
	return v, err
}

// shown names the views that a page has: without a network only the runs.
func shown(v *views.Viewer) []string {
	if v.Alone != "" {
		return []string{"run"}
	}
	return nil
}

// gatewayToken is the secret by which a person may steer a home's miner from the page. It
// makes the file that has it, if there is none.
func gatewayToken(dir home.Dir) (string, error) {
	path := dir.GatewayToken()
	data, err := os.ReadFile(path)
	if text := strings.TrimSpace(string(data)); err == nil && text != "" {
		return text, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("token: %w", err)
	}
	random := make([]byte, 20)
	rand.Read(random)
	token := "steer-" + strings.ToLower(base32.StdEncoding.EncodeToString(random))
	if err := os.MkdirAll(dir.Gateway(), 0o700); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

// swarmPage serves the page of a swarm while the swarm runs. Its texts are translated by
// this process, with the models that the coordinator has finished.
type swarmPage struct {
	app *app
	dir home.Dir // of the swarm
	at  string   // HOST:PORT

	mu   sync.Mutex // guards last
	last swarm.Snapshot

	url  string // where it is served; "" before
	once sync.Once
	stop func()
}

// watch takes what the swarm says. The page begins with the first, and says where.
func (p *swarmPage) watch(ctx context.Context, s swarm.Snapshot) (note string) {
	p.mu.Lock()
	p.last = s
	p.mu.Unlock()
	p.once.Do(func() {
		url, err := p.serve(ctx, s)
		if err != nil { // the swarm goes on without a page
			note = "no page: " + err.Error()
			return
		}
		p.url, note = url, "page "+url
	})
	return note
}

func (p *swarmPage) homes() (all []views.Home) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.last.Members {
		all = append(all, views.Home{Name: m.Name, Dir: m.Home, Account: m.Account, Down: m.Down})
	}
	return all
}

func (p *swarmPage) notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{p.last.Phase}, p.last.Notes...)
}

// serve starts the page, and returns its address. Where the port is taken, another is.
func (p *swarmPage) serve(ctx context.Context, s swarm.Snapshot) (url string, err error) {
	a := p.app
	token, err := gatewayToken(p.dir)
	if err != nil {
		return "", err
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		return "", err
	}
	client, err := light.Dial(ctx, light.Config{Addrs: s.Network.Ledger, Genesis: s.Network.Genesis})
	if err != nil {
		return "", err
	}
	models := ""
	for _, m := range s.Members {
		if m.Name == swarm.CoordinatorName {
			models = m.Home.Models()
		}
	}
	g, err := gateway.Open(gateway.Config{
		Engine: engine.NewLocal(engine.LocalConfig{Below: models, Device: dev}), Dir: p.dir.Gateway(), Keys: p.dir.GatewayKeys(),
		Pages: web.Files, Version: version, Log: a.log, Token: token,
		Views: &views.Viewer{Homes: p.homes, Notes: p.notes, Client: client, Network: s.Network.Name},
	})
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", p.at)
	if err != nil {
		if host, _, split := net.SplitHostPort(p.at); split == nil {
			l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		}
	}
	if err == nil {
		err = g.Check(l.Addr())
	}
	if err != nil {
		return "", errors.Join(err, g.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, l) }()
	p.stop = func() {
		cancel()
		if err := errors.Join(<-ended, g.Close()); err != nil {
			a.log.Warn("the page ended", "err", err)
		}
	}
	return "http://" + l.Addr().String(), nil
}

// close ends the page.
func (p *swarmPage) close() {
	if p.stop != nil {
		p.stop()
	}
}
