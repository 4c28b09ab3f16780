package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

func newLedger(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "ledger", Short: "Run a ledger node; look up what the ledger has; vote on validators"},
		newLedgerInit(a), newLedgerKey(a), newLedgerJoin(a), newLedgerSign(a), newLedgerStart(a),
		newQuery(a, "supply", "Print how much ALIA exists, and where it is", noArgs, querySupply),
		newQuery(a, "account [ACCOUNT]", "Print what an account has, as alia wallet balance does", someArgs(0, "ACCOUNT"), queryAccount),
		newQuery(a, "schedule [HEIGHT]", "Print the rates of pay at a height (default: the newest height)", someArgs(0, "HEIGHT"), querySchedule),
		newQuery(a, "run RUN [COORDINATOR]", "Print the ledger's record of a run (COORDINATOR: this home)", someArgs(1, "RUN", "COORDINATOR"), queryRun),
		newQuery(a, "validators", "Print who makes the heights, and who is voted on", noArgs, queryValidators),
		newAdmit(a), newExpel(a), newLeave(a), newTake(a),
	)
}

func newLedgerStart(a *app) *cobra.Command {
	var n peerFlags
	var rpc, p2p string
	var interval time.Duration
	var approve bool // compute the plans of proposed runs, and vote
	cmd := &cobra.Command{
		Use:        "start",
		SuggestFor: []string{"run", "serve", "up"},
		Short:      "Run the home's ledger node until it is interrupted",
		Long: `Run the home's ledger node until it is interrupted. The node makes a height
every second, answers queries, and is the first peer that other nodes connect
to. With --json one object with the node's addresses is printed as soon as the
node answers.

Members are told the addresses in the network file. Behind a router, or with a
DNS name, these are not addresses of this machine. Then give --rpc, --p2p and
--listen with addresses of this machine, such as 0.0.0.0:26657, 0.0.0.0:26656
and /ip4/0.0.0.0/tcp/4001.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.drained(cmd.Context(), startLedger(cmd.Context(), a, &n, chain.Config{
				Home: a.home.Chain(), RPCListen: rpc, PeerListen: p2p,
				BlockInterval: interval, Log: a.log,
			}, approve))
		},
	}
	f := cmd.Flags()
	n.define(cmd, "the first of this node in the network file", "those of this node in the network file")
	f.StringVar(&rpc, "rpc", "", "`HOST:PORT` to answer queries at (default: that of this node in the network file, or 127.0.0.1:"+rpcPort+")")
	f.StringVar(&p2p, "p2p", "", "`HOST:PORT` to listen at for other ledger nodes (default: that of this node in the network file, or none: the node only dials others)")
	f.DurationVar(&interval, "interval", time.Second, "`TIME` between heights")
	f.BoolVar(&approve, "approve-runs", false, "compute the plan of each proposed run, and vote for it if it is right")
	a.eventsFlag(cmd)
	return cmd
}

// startLedger runs the ledger node and a peer that others find one another at.
func startLedger(ctx context.Context, a *app, n *peerFlags, c chain.Config, approve bool) (err error) {
	network, err := a.openNetwork()
	if err != nil {
		return err
	}
	if used, err := a.home.InUse(); err != nil {
		return err
	} else if used {
		return fmt.Errorf("a process serves the home %s already: `alia node status` shows what it does; end it first, or choose another --home", a.home)
	}
	if err := a.ledgerAddresses(network, &c); err != nil {
		return err
	}
	key, err := a.key(ctx)
	if err != nil {
		return err
	}
	id, err := mesh.PeerOf(protocol.AccountOf(key))
	if err != nil {
		return err
	}
	var own []string // the addresses of this node that members dial
	for _, b := range network.Bootstrap {
		if addr, ok := strings.CutSuffix(b, "/p2p/"+id.String()); ok {
			own = append(own, addr)
		}
	}
	listen, announce := n.listen.list, n.announce.list
	if len(listen) == 0 {
		listen = own[:min(1, len(own))]
	}
	if len(announce) == 0 {
		announce = own
	}
	if err := portFree("rpc", c.RPCListen); err != nil {
		return err
	}
	if c.PeerListen != "" {
		if err := portFree("p2p", c.PeerListen); err != nil {
			return err
		}
	}
	peer, err := a.host.join(ctx, a, listen, announce)
	if err != nil {
		return err
	}
	if approve {
		c.Approve = node.Approve(peer)
	}
	l, err := chain.Start(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	a.event(node.Ready{Miner: peer.Account(), Text: l.RPC()})
	if err := a.ready(report.Serving{
		Role: "ledger node", Account: peer.Account().String(), Network: peer.Net.String(), Addresses: peer.Mesh.Addrs(), RPC: l.RPC(),
	}); err != nil {
		return err
	}
	a.note("network %s (%s), queries at %s; Ctrl-C ends", network.Name, peer.Net.Short(), l.RPC())
	return node.Together(ctx, func(ctx context.Context) error { return peer.Listen(ctx, nil) }, func(ctx context.Context) error {
		halted := make(chan error, 1)
		go func() { halted <- l.Wait() }()
		select {
		case <-ctx.Done():
			return errors.Join(l.Close(), <-halted)
		case err := <-halted:
			return fmt.Errorf("ledger halted: %w", err)
		}
	})
}

// ledgerAddresses fills c with the other ledger nodes of the network file and, where
// none were given, with the addresses of the home's ledger node there.
func (a *app) ledgerAddresses(network node.Network, c *chain.Config) error {
	document, err := chain.Genesis(c.Home)
	if err != nil {
		return a.noLedgerNode(err)
	}
	if !bytes.Equal(document, network.Genesis) {
		return fmt.Errorf("the ledger node of %s belongs to another network than %s: choose another --home or --network", a.home, network.Name)
	}
	keys, err := chain.Keys(c.Home)
	if err != nil {
		return err
	}
	c.Peers = network.LedgerPeers
	at := slices.IndexFunc(network.LedgerPeers, func(peer string) bool { return strings.HasPrefix(peer, keys.Peer+"@") })
	if at >= 0 {
		if _, c.PeerAddress, err = node.SplitLedgerPeer(network.LedgerPeers[at]); err != nil {
			return err
		}
		c.PeerListen = cmp.Or(c.PeerListen, c.PeerAddress)
	} else if len(network.LedgerPeers) == 0 {
		at = 0 // this node is alone: the network takes no other ledger nodes
	}
	servers := network.Ledger
	if at >= 0 {
		c.RPCListen = cmp.Or(c.RPCListen, strings.TrimPrefix(network.Ledger[at], "http://"))
		servers = slices.Delete(slices.Clone(servers), at, at+1)
	}
	if len(servers) > 0 {
		c.StateSync = func(ctx context.Context) (chain.StateSync, error) { return trusted(ctx, network.Genesis, servers) }
	}
	c.RPCListen = cmp.Or(c.RPCListen, "127.0.0.1:"+rpcPort)
	return nil
}

// trusted asks other ledger nodes for a height from which a new node can begin.
func trusted(ctx context.Context, genesis []byte, servers []string) (chain.StateSync, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	l, err := light.Dial(ctx, light.Config{Addrs: servers, Genesis: genesis})
	if err != nil {
		return chain.StateSync{}, err
	}
	head, err := l.Head(ctx)
	return chain.StateSync{Height: head.Height, BlockID: head.BlockID, Servers: servers}, err
}

// newQuery is a command that asks the ledger.
func newQuery(a *app, use, short string, args cobra.PositionalArgs, query func(context.Context, *app, *light.Client, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		c, err := a.dialLedger(cmd.Context())
		if err != nil {
			return err
		}
		return query(cmd.Context(), a, c, args)
	}}
}

func querySupply(ctx context.Context, a *app, c *light.Client, _ []string) error {
	b, err := views.Supply(ctx, c)
	if err != nil {
		return err
	}
	if err := a.result(b, func(w io.Writer) {
		line := func(what string, amount uint64) {
			fmt.Fprintf(w, "%-16s%20s\n", what, protocol.FormatAmount(amount))
		}
		fmt.Fprintf(w, "supply          %20s ALIA at height %d\n", protocol.FormatAmount(b.Supply), b.Height)
		line("minted", b.Minted)
		line("burned", b.Burned)
		line("in accounts", b.Accounts)
		line("locked", b.Locked)
		line("in escrow", b.Escrowed)
		line("in bonds", b.Bonds)
		line("in audit pool", b.Pool)
		line("sum of these", b.SumOfBalances)
		line("to be minted", b.Owed)
	}); err != nil {
		return err
	}
	if b.SumOfBalances != b.Supply {
		return fmt.Errorf("the ledger does not add up: the supply is %s ALIA, but all holdings are %s ALIA", protocol.FormatAmount(b.Supply), protocol.FormatAmount(b.SumOfBalances))
	}
	return nil
}

func queryAccount(ctx context.Context, a *app, c *light.Client, args []string) error {
	account, err := a.accountOr(owner{}, args)
	if err != nil {
		return err
	}
	return a.balance(ctx, c, account, 0)
}

func querySchedule(ctx context.Context, a *app, c *light.Client, args []string) error {
	var height uint64
	if len(args) == 1 {
		var err error
		if height, err = strconv.ParseUint(args[0], 10, 64); err != nil {
			return usagef("%q is no height: give a whole number, or nothing for the newest height", args[0])
		}
	}
	r, ok, err := views.Rates(ctx, c, height)
	if err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("the ledger keeps no rates for height %d: they are kept for recent heights only", height)
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "height %d pays %s ALIA for a TFLOP of training, and a bonus of at most %s ALIA for a TFLOP of translation\n",
			r.Height, protocol.FormatAmount(r.Training/1000), protocol.FormatAmount(r.Translation/1000))
		fmt.Fprintf(w, "a height aims to mint %s ALIA, and can mint %s ALIA\n", protocol.FormatAmount(r.Budget), protocol.FormatAmount(r.Cap))
	})
}

func queryRun(ctx context.Context, a *app, c *light.Client, args []string) error {
	link, err := runLink(args[0])
	if err != nil {
		return err
	}
	coordinator, err := a.accountOr(owner{}, args[1:])
	if err != nil {
		return err
	}
	r, ok, err := views.Run(ctx, c, link, coordinator)
	if err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("the ledger has no run %s of %s: it has a run from its proposal until some heights after its end", link, coordinator)
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "run %s is %s\ncoordinator %s, last sign of life at height %d\nplan of %d rounds, %d MFLOP; %d rounds claimed, %d paid\n",
			r.Run, r.Status, r.Coordinator, r.Active, r.Rounds, r.Cost, r.Claimed, r.Paid)
	})
}
