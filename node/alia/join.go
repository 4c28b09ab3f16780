package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

func newLedgerKey(a *app) *cobra.Command {
	var l ledgerAddresses
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the line with which a founder makes this home a validator",
		Long: `Print the line with which the founder of a network makes this home one of its
validators: the account of its validator's key, its address for other ledger
nodes, and its address for queries. The founder gives a file of such lines to
alia ledger init --validators. The line holds no secret.`,
		Example: `  alia ledger key --host 203.0.113.9`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := l.complete(); err != nil {
				return err
			}
			if l.rpc == "" || l.p2p == "" {
				return usagef("give --host, or --rpc and --p2p: the addresses under which others reach this node")
			}
			keys, err := chain.Keys(a.home.Chain())
			if err != nil {
				return err
			}
			k := report.LedgerKey{
				Validator: protocol.AccountOf(keys.Validator).String(), Peer: keys.Peer + "@" + l.p2p, RPC: l.rpc,
			}
			return a.result(k, func(w io.Writer) { fmt.Fprintln(w, k.Validator, k.Peer, k.RPC) })
		},
	}
	l.define(cmd, "none, which is an error", "none, which is an error")
	return cmd
}

func newLedgerJoin(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "join --network FILE",
		Short: "Make this home a further ledger node of a network",
		Long: `Make this home a further ledger node of a network, and a home of the network as
alia init does. alia ledger start then runs the node. It signs heights if the
network was founded with the key of this home (alia ledger key). Otherwise it
follows: it checks every height, answers queries and keeps a copy of the state.`,
		Example: `  alia ledger join --network network.json && alia ledger start`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			network, err := a.enter(cmd.Context())
			if err != nil {
				return err
			}
			if len(network.LedgerPeers) == 0 {
				return errors.New("the network takes no other ledger nodes: its file has no ledger_peers. Its founder can add them and sign it: `alia ledger sign FILE`")
			}
			if _, err := a.key(cmd.Context()); err != nil {
				return err
			}
			signs, err := joinChain(a.home.Chain(), network)
			if err != nil {
				return err
			}
			return a.result(report.LedgerMember{Network: network.Net().String(), Home: string(a.home), Validator: signs}, func(w io.Writer) {
				role := "follows"
				if signs {
					role = "is a validator of"
				}
				fmt.Fprintf(w, "the ledger node of %s %s network %s (%s); `alia ledger start` runs it\n", a.home, role, network.Name, network.Net().Short())
			})
		},
	}
}

// joinChain makes the files of a ledger node, unless they are there, and reports
// whether the node is a validator.
func joinChain(dir string, network node.Network) (signs bool, err error) {
	err = chain.Join(dir, network.Genesis)
	if errors.Is(err, fs.ErrExist) {
		var have []byte
		if have, err = chain.Genesis(dir); err == nil && !bytes.Equal(have, network.Genesis) {
			err = fmt.Errorf("%s has the ledger node of another network: choose another --home", dir)
		}
	}
	if err != nil {
		return false, err
	}
	keys, err := chain.Keys(dir)
	if err != nil {
		return false, err
	}
	doc, err := genesis.Parse(network.Genesis)
	if err != nil {
		return false, err
	}
	return slices.Contains(doc.Ledger.Validators, protocol.AccountOf(keys.Validator)), nil
}

func newLedgerSign(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a network file whose addresses were changed",
		Long: `Sign a network file whose addresses were changed, with the key of this home's
validator, and write it again. Members refuse a file that no validator of the
network's genesis has signed.`,
		Example: `  alia ledger sign network.json`,
		Args:    exactArgs("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			path := a.path(args[0])
			data, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("network file: %w", err)
			}
			network, err := node.ParseUnsigned(data)
			if err != nil {
				return fmt.Errorf("network file %s: %w", path, err)
			}
			keys, err := a.ledgerKeys()
			if err != nil {
				return err
			}
			return a.signNetwork(network, keys, path)
		},
	}
}

// noLedgerNode explains why the genesis document of the home's ledger node cannot be
// read.
func (a *app) noLedgerNode(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no ledger node: `alia ledger init` founds a network, and `alia ledger join` joins one", a.home)
	}
	return err
}

// enter makes the home one of the network: it gets the network file.
func (a *app) enter(ctx context.Context) (network node.Network, err error) {
	if node.NetworkLink(a.network) {
		network, err = node.FetchNetwork(ctx, a.network)
	} else {
		network, err = a.openNetwork()
	}
	if err != nil {
		return network, err
	}
	if err := a.home.Make(); err != nil {
		return network, err
	}
	path := a.home.Network()
	if have, err := node.ReadNetwork(path); err == nil && have.Net() != network.Net() {
		return network, fmt.Errorf("%s is a home of network %s (%s): choose another --home", a.home, have.Name, have.Net().Short())
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.note("the home's network file was not good, and is replaced: %v", err)
	}
	return network, network.Write(path)
}
