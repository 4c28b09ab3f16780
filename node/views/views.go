// Package views is what the page of a gateway shows of homes: their nodes, their training
// runs, and the ledger of their network.
//
// A [Viewer] asks the process that serves a home, as commands of other processes do, reads
// the files of its runs, and asks the ledger with proofs. It changes nothing, except that
// [Viewer.Steer] tells a miner to pause, to go on or to finish.
//
//	v := &views.Viewer{Homes: views.One(dir), Client: client, Network: "alia"}
//	g, err := gateway.Open(gateway.Config{Views: v, Token: token, Engine: e, Dir: dir.Gateway()})
package views

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Home is a home to show.
type Home struct {
	Name    string
	Dir     home.Dir
	Account string // "" where it is not known before its process runs
	// Down is why no process serves the home, where a supervisor knows.
	Down string
}

// One is a gateway's own home.
func One(dir home.Dir) func() []Home {
	return func() []Home { return []Home{{Name: "node", Dir: dir}} }
}

// Viewer implements [gateway.Views]. It is safe for concurrent use.
type Viewer struct {
	Homes func() []Home   // at this moment
	Notes func() []string // what has happened lately; nil: nobody knows
	// Client is one of the network's ledger. Alone says why there is none, and then no
	// node is shown either.
	Client  *light.Client
	Network string // its name
	Alone   string

	mu     sync.Mutex // guards counts
	counts map[block.Link]*count
}

// asks is how many homes are asked at a time.
const asks = 8

// Nodes implements [gateway.Views].
func (v *Viewer) Nodes(ctx context.Context) (gateway.Nodes, error) {
	if v.Alone != "" {
		return gateway.Nodes{}, gateway.Absent(v.Alone)
	}
	homes := v.Homes()
	out := gateway.Nodes{Nodes: make([]gateway.NodeView, len(homes)), Notes: []string{}}
	var g errgroup.Group
	g.SetLimit(asks)
	for i, h := range homes {
		g.Go(func() error {
			out.Nodes[i] = v.node(ctx, h)
			return nil
		})
	}
	if v.Notes != nil {
		out.Notes = append(out.Notes, v.Notes()...)
	}
	return out, g.Wait()
}

// States of a node.
const (
	running = "running"
	stopped = "stopped"
)

// node describes a home and its process. What cannot be known has a reason.
func (v *Viewer) node(ctx context.Context, h Home) gateway.NodeView {
	n := gateway.NodeView{Name: h.Name, Account: h.Account, Network: v.Network, State: stopped, Reason: h.Down, Commands: []string{}}
	var s report.NodeStatus
	switch err := ask(ctx, h.Dir, &s, "node", "status"); {
	case errors.Is(err, daemon.ErrAbsent):
		if n.Reason == "" {
			n.Reason = "no process serves this home: `alia miner run` starts a miner"
		}
	case err != nil:
		n.Reason = err.Error()
	default:
		n.State, n.Reason, n.Since, n.Peers, n.Height, n.LedgerReason = running, "", s.Since, s.Peers, s.Height, s.LedgerReason
		n.Commands = append(n.Commands, words(s.Command))
		for _, g := range s.Guests {
			n.Commands = append(n.Commands, words(g.Command))
		}
		if s.Account != "" {
			n.Account = s.Account
		}
	}
	if v.Client != nil && n.Account != "" {
		if b, err := Balance(ctx, v.Client, n.Account); err != nil {
			n.LedgerReason = err.Error()
		} else {
			n.Balance, n.Earned, n.Height = b.Balance, b.Earned, max(n.Height, b.Height)
		}
	}
	if n.State != running {
		n.MinerReason = n.Reason
		return n
	}
	var m node.MinerSnapshot
	switch err := ask(ctx, h.Dir, &m, "miner", "status"); {
	case err != nil:
		n.MinerReason = err.Error()
	case m.State == node.MinerStopped:
		n.MinerReason = m.Reason.Text
	default:
		n.Miner = &m
	}
	return n
}

// Steer implements [gateway.Views].
func (v *Viewer) Steer(ctx context.Context, name, action string) error {
	if v.Alone != "" {
		return gateway.Absent(v.Alone)
	}
	homes := v.Homes()
	i := slices.IndexFunc(homes, func(h Home) bool { return h.Name == name || name == "" })
	if i < 0 {
		return gateway.Absent(fmt.Sprintf("There is no node of the name %q here.", name))
	}
	var m node.MinerSnapshot
	err := ask(ctx, homes[i].Dir, &m, "miner", action)
	var refused *refusal
	if errors.As(err, &refused) || errors.Is(err, daemon.ErrAbsent) {
		return gateway.Absent("No miner runs in this home: `alia miner run` starts one.")
	}
	return err
}

// refusal is the error of a command that another process ran.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// maxAnswer bounds what a command may print, in bytes.
const maxAnswer = 4 << 20

// ask has the process that serves a home run a command, and reads its answer.
func ask(ctx context.Context, dir home.Dir, into any, args ...string) error {
	var out, errs limited
	at, err := filepath.Abs(string(dir)) // --home may be given from the working directory on
	if err != nil {
		return err
	}
	c := daemon.Command{Args: append(args, "--json"), Dir: at}
	status, err := daemon.Visit(ctx, dir.Socket(), c, bytes.NewReader(nil), &out, &errs)
	switch {
	case err != nil:
		return err
	case status != 0:
		line, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(errs.String()), "alia: "), "\n")
		return &refusal{line}
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("alia %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// limited is a buffer that does not grow for ever.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxAnswer {
		return 0, errors.New("the answer is too long")
	}
	return l.Buffer.Write(p)
}

// groups are the commands whose second word is part of the name, and singles the others that
// a process may run. The other words of a command line may be paths, which are nobody's business.
var (
	groups  = []string{"bench", "corrections", "document", "escrow", "ledger", "memory", "miner", "model", "node", "run", "serve", "wallet"}
	singles = []string{"doctor", "gc", "init", "swarm", "train", "translate", "verify"}
)

// words is the name of a command, without what was given to it: options such as --home may
// stand before the name, with a value that looks like one.
func words(command string) string {
	w := strings.Fields(command)
	for i := 1; i < len(w); i++ {
		switch {
		case strings.HasPrefix(w[i], "-"):
			if !strings.Contains(w[i], "=") && w[i] != "--json" {
				i++ // its value
			}
		case slices.Contains(singles, w[i]):
			return w[0] + " " + w[i]
		case slices.Contains(groups, w[i]):
			if i+1 < len(w) && !strings.HasPrefix(w[i+1], "-") {
				return strings.Join([]string{w[0], w[i], w[i+1]}, " ")
			}
			return w[0] + " " + w[i]
		}
	}
	return strings.Join(w[:min(1, len(w))], "")
}

// accounts finds the names of the accounts of the homes.
func (v *Viewer) accounts() map[string]string {
	names := map[string]string{}
	for _, h := range v.Homes() {
		if h.Account != "" {
			names[h.Account] = h.Name
		}
	}
	return names
}

// account reads an account that a client sent.
func account(text string) (protocol.Account, error) {
	a, err := protocol.ParseAccount(strings.TrimSpace(text))
	if err != nil {
		return a, gateway.Absent(fmt.Sprintf("There is no such account: %v.", err))
	}
	return a, nil
}
