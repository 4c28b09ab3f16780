package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/kernel"
)

// diagnosis is the answer of `alia doctor`. A value that the system does not report is null.
type diagnosis struct {
	Version    string `json:"version"`
	Numerics   string `json:"numerics"`
	Platform   string `json:"platform"`
	Processors int    `json:"processors"` // threads that this process may use
	conformance
	Home       string    `json:"home"`
	Writable   bool      `json:"home_writable"`
	why        error     // the home is not writable
	FreeMemory *uint64   `json:"free_memory_bytes"`
	FreeDisk   *uint64   `json:"free_disk_bytes"` // where the home is, or will be
	Clock      time.Time `json:"clock"`
	ClockSet   *bool     `json:"clock_synchronised"`
	// Network is null where the home belongs to none.
	Network *networkHealth `json:"network"`
}

// networkHealth is what `alia doctor` finds of the home's network.
type networkHealth struct {
	Name   string `json:"name"`
	Height uint64 `json:"height"`           // of the ledger, 0 where it is not reachable
	Reason string `json:"reason,omitempty"` // why not
	// Peers are the nodes of the network file, and those that this node has met.
	Peers []peerHealth `json:"peers"`
}

// peerHealth says whether a node of the network answers.
type peerHealth struct {
	Peer      string   `json:"peer"` // its libp2p ID
	Addresses []string `json:"addresses"`
	Answers   bool     `json:"answers"`
	Reason    string   `json:"reason,omitempty"` // why not
}

// checkNetwork asks the ledger of the home's network for its height, and the nodes that
// this one would dial for their network.
func (a *app) checkNetwork(ctx context.Context) *networkHealth {
	n, err := node.ReadNetwork(a.network)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return &networkHealth{Reason: err.Error(), Peers: []peerHealth{}}
	}
	h := &networkHealth{Name: n.Name, Peers: []peerHealth{}}
	l, err := a.dialLedger(ctx)
	if err == nil {
		var head light.ChainHead
		head, err = l.Head(ctx)
		h.Height = head.Height
	}
	if err != nil {
		h.Reason = err.Error()
	}
	answers, err := mesh.AskPeers(ctx, mesh.Config{Net: n.Net(), Bootstrap: n.Bootstrap, PeersFile: a.home.Peers(), Log: a.log})
	if err != nil {
		a.log.Warn("no peer was tried", "err", err)
	}
	for _, p := range answers {
		health := peerHealth{Peer: p.ID.String(), Addresses: p.Addrs, Answers: p.Err == nil}
		if p.Err != nil {
			health.Reason = p.Err.Error()
		}
		h.Peers = append(h.Peers, health)
	}
	return h
}

// print says of the ledger, and of each peer that does not answer, why not.
func (h *networkHealth) print(w io.Writer) {
	switch {
	case h == nil:
		fmt.Fprintln(w, "the home belongs to no network: `alia init --network FILE` joins one")
		return
	case h.Reason != "":
		fmt.Fprintf(w, "network %s: %s\n", h.Name, h.Reason)
	default:
		fmt.Fprintf(w, "network %s: its ledger answers at height %d\n", h.Name, h.Height)
	}
	answering := 0
	for _, p := range h.Peers {
		if p.Answers {
			answering++
		}
	}
	fmt.Fprintf(w, "%d of %s answering\n", answering, english.Plural(len(h.Peers), "known peer", ""))
	for _, p := range h.Peers {
		if !p.Answers {
			fmt.Fprintf(w, "  %s: %s\n", p.Peer, p.Reason)
		}
	}
}

// littleDisk is less than a miner needs for the blocks of a small run.
const littleDisk = 1 << 30

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine, the home, its ledger and its peers",
		Long: `Check this machine: its kernels and GPUs against the published results, memory,
disk and clock; whether the home can be written; and whether the ledger of the
home's network answers, and its peers: those of the network file, and those that
this node has met. The exit status is 1 when a device gives other bits, or
when the home cannot be written.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := diagnosis{
				Version: version, Numerics: kernel.Numerics, Platform: runtime.GOOS + "/" + runtime.GOARCH,
				Processors: runtime.GOMAXPROCS(0), conformance: conformance{surveyBackends(), surveyGPUs(true)},
				Home: string(a.home), Clock: time.Now().UTC(),
			}
			if free, err := machine.FreeMemory(); err == nil {
				d.FreeMemory = &free
			}
			if free, err := machine.FreeDisk(string(a.home)); err == nil {
				d.FreeDisk = &free
			}
			if set, err := machine.ClockSynchronised(); err == nil {
				d.ClockSet = &set
			}
			d.why = machine.Writable(d.Home)
			d.Writable, d.Network = d.why == nil, a.checkNetwork(cmd.Context())
			if err := a.result(d, d.print); err != nil {
				return err
			}
			if d.why != nil {
				return fmt.Errorf("the home %s cannot be written: %w: choose another with --home DIR", d.Home, d.why)
			}
			return d.err()
		},
	}
}

func (d *diagnosis) print(w io.Writer) {
	fmt.Fprintf(w, "alia %s, %s, %s, %d processor threads\n", d.Version, d.Numerics, d.Platform, d.Processors)
	d.conformance.print(w)
	if d.FreeMemory != nil {
		fmt.Fprintf(w, "%s of memory free\n", machine.MiB(*d.FreeMemory))
	}
	if d.FreeDisk != nil {
		fmt.Fprintf(w, "%s of disk free for %s", machine.MiB(*d.FreeDisk), d.Home)
		if *d.FreeDisk < littleDisk {
			fmt.Fprint(w, ", which is little: `alia gc` deletes what the home does not need")
		}
		fmt.Fprintln(w)
	}
	d.Network.print(w)
	switch {
	case d.ClockSet == nil:
		fmt.Fprintf(w, "clock %s\n", d.Clock.Format(time.RFC3339))
	case *d.ClockSet:
		fmt.Fprintf(w, "clock %s, set by a time service\n", d.Clock.Format(time.RFC3339))
	default:
		fmt.Fprintf(w, "clock %s, which no time service sets: offers and leases end by the clock, so start one\n", d.Clock.Format(time.RFC3339))
	}
}
