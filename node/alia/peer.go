package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/mesh"
)

// peerFlags is the flags of every command that is a peer of a network.
type peerFlags struct{ listen, announce addresses }

func (n *peerFlags) flags(cmd *cobra.Command) {
	n.define(cmd, "every address of this machine, IPv4 and IPv6, at a free port", "those found")
}

// define adds the flags to cmd; listen and announce say what stands in for them.
func (n *peerFlags) define(cmd *cobra.Command, listen, announce string) {
	n.listen.check, n.announce.check = mesh.CheckListen, mesh.CheckAnnounce
	cmd.Flags().Var(&n.listen, "listen", "`ADDRESSES` (multiaddresses) to listen at, separated by commas (default: "+listen+")")
	cmd.Flags().Var(&n.announce, "announce", "`ADDRESSES` (multiaddresses) under which others reach this node, as behind a router; they are told these first (default: "+announce+")")
}

// onlyPeer is the peerFlags, which mean nothing with --local.
var onlyPeer = []string{"listen", "announce"}

// addresses is a list of multiaddresses as the value of a flag, which may be given
// several times.
type addresses struct {
	list  []string
	check func(string) error // one of them
}

func (l *addresses) Type() string       { return "ADDRESSES" }
func (l *addresses) String() string     { return strings.Join(l.list, ",") }
func (l *addresses) GetSlice() []string { return l.list }

func (l *addresses) Set(text string) error {
	for a := range strings.SplitSeq(text, ",") {
		if err := l.Append(strings.TrimSpace(a)); err != nil {
			return err
		}
	}
	return nil
}

func (l *addresses) Append(a string) error {
	if err := l.check(a); err != nil {
		return err
	}
	l.list = append(l.list, a)
	return nil
}

func (l *addresses) Replace(list []string) error {
	l.list = nil
	for _, a := range list {
		if err := l.Append(a); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	return nil
}

// join returns the peer of the home, in the network of the home's account.
func (n *peerFlags) join(ctx context.Context, a *app) (*node.Peer, error) {
	peer, err := a.host.join(ctx, a, n.listen.list, n.announce.list)
	if err != nil {
		return nil, err
	}
	a.event(node.Ready{Miner: peer.Account(), Text: firstOf(peer.Mesh.Addrs())})
	a.note("network %s (%s), account %s", peer.Network.Name, peer.Net.Short(), peer.Account().String())
	return peer, nil
}

func firstOf(addrs []string) string {
	if len(addrs) == 0 {
		return ""
	}
	return addrs[0]
}

// dialLedger returns a client of the network's ledger.
func (a *app) dialLedger(ctx context.Context) (*light.Client, error) {
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	return dial(ctx, network)
}

// dial returns a client of a network's ledger.
func dial(ctx context.Context, n node.Network) (*light.Client, error) {
	return light.Dial(ctx, light.Config{Addrs: n.Ledger, Genesis: n.Genesis})
}

// newInit makes a home: keys, and the network they are used in.
func newInit(a *app) *cobra.Command {
	var k walletFlags
	cmd := &cobra.Command{
		Use:   "init --network FILE",
		Short: "Make a home: the key of a node, and the network it belongs to",
		Long: `Make a home: the key of a node, and the network it belongs to. The network file
comes from the person who founded the network (alia ledger init writes it). A
link to the file is its URL, | and its CID, in quotes. A home belongs to one
network; for another network choose another --home.

The recovery phrase of a new key is shown on the terminal, and some of its words
are asked for: 24 words that bring the account back when this machine is lost.`,
		Example: `  alia init --network network.json
  alia init --network 'https://example.org/network.json|bafkrei...'
  alia init --network network.json --home /srv/alia --seal`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := a.enter(cmd.Context())
			if err != nil {
				return err
			}
			account, err := k.ensure(cmd.Context(), a)
			if err != nil {
				return err
			}
			return a.result(report.Membership{Account: account.String(), Network: network.Net().String(), Home: string(a.home)}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is ready\naccount %s\nnetwork %s (%s)\n", a.home, account, network.Name, network.Net().Short())
			})
		},
	}
	k.flags(cmd)
	return cmd
}
