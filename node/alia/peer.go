package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// peerFlags is the flags of every command that is a peer of a network.
type peerFlags struct{ listen []string }

func (n *peerFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&n.listen, "listen", []string{"/ip4/0.0.0.0/tcp/0"}, "`ADDRESSES` (multiaddresses) to listen at, separated by commas")
}

// join opens the home for a process of the role given, and joins the network as
// the home's account.
func (n *peerFlags) join(ctx context.Context, a *app, role home.Role) (*node.Peer, error) {
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	key, err := a.home.Key()
	if err != nil {
		return nil, err
	}
	peer, err := node.OpenPeer(ctx, node.PeerConfig{Home: a.home, Network: network, Key: key, Listen: n.listen, Log: a.log})
	if err != nil {
		return nil, err
	}
	if err := a.home.Enter(role); err != nil {
		return nil, errors.Join(err, peer.Close())
	}
	a.event(node.Ready{Miner: peer.Account(), Text: firstOf(peer.Mesh.Addrs())})
	a.note("network %s (%s), account %s", network.Name, peer.Net.Short(), peer.Account().String())
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
	return light.Dial(ctx, light.Config{Addrs: network.Ledger, Genesis: network.Genesis})
}

// newInit makes a home: keys, and the network they are used in.
func newInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init --network FILE",
		Short: "Make a home: the key of a node, and the network it belongs to",
		Long: `Make a home: the key of a node, and the network it belongs to. The network file
comes from the person who founded the network (alia ledger init writes it). A
home belongs to one network; for another network choose another --home.`,
		Example: `  alia init --network network.json
  alia init --network network.json --home /srv/alia`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			network, err := a.openNetwork()
			if err != nil {
				return err
			}
			key, err := a.home.Key()
			if err != nil {
				return err
			}
			path := a.home.Network()
			if have, err := node.ReadNetwork(path); err == nil && have.Net() != network.Net() {
				return fmt.Errorf("%s is a home of network %s (%s): choose another --home", a.home, have.Name, have.Net().Short())
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				a.note("the home's network file was not good, and is replaced: %v", err)
			}
			if err := network.Write(path); err != nil {
				return err
			}
			address := protocol.AccountOf(key).String()
			return a.result(report.Membership{Account: address, Network: network.Net().String(), Home: string(a.home)}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is ready\naccount %s\nnetwork %s (%s)\n", a.home, address, network.Name, network.Net().Short())
			})
		},
	}
}
