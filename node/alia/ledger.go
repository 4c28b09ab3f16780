package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

func newLedger(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "ledger", Short: "Run a ledger node; look up accounts, runs, rates and supply"},
		newLedgerInit(a), newLedgerStart(a),
		newQuery(a, "supply", "Print how much ALIA exists, and where it is", noArgs, querySupply),
		newQuery(a, "account [ACCOUNT]", "Print an account's balance and nonce (default: the home's account)", someArgs(0, "ACCOUNT"), queryAccount),
		newQuery(a, "schedule [HEIGHT]", "Print the rates of pay at a height (default: the newest height)", someArgs(0, "HEIGHT"), querySchedule),
		newQuery(a, "run CID", "Print the ledger's record of a training run", exactArgs("CID"), queryRun),
	)
}

func newLedgerStart(a *app) *cobra.Command {
	var n peerFlags
	var rpc, p2p string
	var interval time.Duration
	var approve bool
	cmd := &cobra.Command{
		Use:        "start",
		SuggestFor: []string{"run", "serve", "up"},
		Short:      "Run the home's ledger node until it is interrupted",
		Long: `Run the home's ledger node until it is interrupted. The node makes a height
every second, answers queries, and is the first peer that other nodes connect
to. With --json one object with the node's addresses is printed as soon as the
node answers.

Members are told the addresses in the network file. Behind a router, or with a
DNS name, these are not addresses of this machine. Then give --rpc and --listen
with addresses of this machine, such as 0.0.0.0:26657 and /ip4/0.0.0.0/tcp/4001.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.drained(cmd.Context(), startLedger(cmd.Context(), a, &n, chain.Config{
				Home: a.home.Chain(), RPCListen: rpc, P2PListen: p2p,
				BlockInterval: interval, ApproveRuns: approve, Log: a.log,
			}))
		},
	}
	f := cmd.Flags()
	n.define(cmd, "the first of this node in the network file", "those of this node in the network file")
	f.StringVar(&rpc, "rpc", "", "`HOST:PORT` to answer queries at (default: the first of the network file)")
	f.StringVar(&p2p, "p2p", "127.0.0.1:0", "`HOST:PORT` for other ledger nodes")
	f.DurationVar(&interval, "interval", time.Second, "`TIME` between heights")
	f.BoolVar(&approve, "approve-runs", false, "vote for every proposed run: for a network among friends")
	a.eventsFlag(cmd)
	return cmd
}

// startLedger runs the ledger node and a peer that others find one another at.
func startLedger(ctx context.Context, a *app, n *peerFlags, c chain.Config) (err error) {
	network, err := a.openNetwork()
	if err != nil {
		return err
	}
	if c.RPCListen == "" {
		c.RPCListen = strings.TrimPrefix(firstOf(network.Ledger), "http://")
	}
	key, err := a.home.Key()
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
	if used, err := a.home.InUse(); err != nil {
		return err
	} else if used {
		return fmt.Errorf("a process serves the home %s already: `alia node status` shows what it does; end it first, or choose another --home", a.home)
	}
	if err := portFree("rpc", c.RPCListen); err != nil {
		return err
	}
	if err := portFree("p2p", c.P2PListen); err != nil {
		return err
	}
	peer, err := a.host.join(ctx, a, listen, announce)
	if err != nil {
		return err
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
	l, err := c.Accounts(ctx)
	if err != nil {
		return err
	}
	s := l.Supply
	b := report.Books{Supply: s.Total(), Minted: s.Minted, Burned: s.Burned, Height: l.Height, Escrowed: s.Escrowed, Pool: s.Pool}
	for _, h := range l.Accounts {
		b.Accounts += h.Balance
	}
	b.SumOfBalances = b.Accounts + b.Escrowed + b.Pool
	if err := a.result(b, func(w io.Writer) {
		fmt.Fprintf(w, "supply          %20s ALIA at height %d\n", protocol.FormatAmount(b.Supply), b.Height)
		fmt.Fprintf(w, "minted          %20s\nburned          %20s\n", protocol.FormatAmount(b.Minted), protocol.FormatAmount(b.Burned))
		fmt.Fprintf(w, "in accounts     %20s\nin escrow       %20s\nin audit pool   %20s\n", protocol.FormatAmount(b.Accounts), protocol.FormatAmount(b.Escrowed), protocol.FormatAmount(b.Pool))
		fmt.Fprintf(w, "sum of balances %20s\n", protocol.FormatAmount(b.SumOfBalances))
	}); err != nil {
		return err
	}
	if b.SumOfBalances != b.Supply {
		return fmt.Errorf("the ledger does not add up: the supply is %s ALIA, but all holdings are %s ALIA", protocol.FormatAmount(b.Supply), protocol.FormatAmount(b.SumOfBalances))
	}
	return nil
}

func queryAccount(ctx context.Context, a *app, c *light.Client, args []string) error {
	account, err := a.accountOr(args)
	if err != nil {
		return err
	}
	r, err := c.Account(ctx, account)
	if err != nil {
		return err
	}
	h := report.Balance{Account: account.String(), Balance: r.Balance, Nonce: r.Nonce}
	return a.result(h, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n%s ALIA\nnonce %d, which its next transaction must exceed\n", h.Account, protocol.FormatAmount(h.Balance), h.Nonce)
	})
}

func querySchedule(ctx context.Context, a *app, c *light.Client, args []string) error {
	var height uint64
	if len(args) == 1 {
		var err error
		if height, err = strconv.ParseUint(args[0], 10, 64); err != nil {
			return usagef("%q is no height: give a whole number, or nothing for the newest height", args[0])
		}
	}
	s, ok, err := c.Schedule(ctx, height)
	if err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("the ledger keeps no rates for height %d: they are kept for recent heights only", height)
	}
	r := report.Rates{Height: s.Height, Training: s.Training, Translation: s.Translation, Budget: s.Budget, Cap: s.Cap}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "height %d pays %s ALIA for a TFLOP of training, and a bonus of at most %s ALIA for a TFLOP of translation\n",
			r.Height, protocol.FormatAmount(r.Training/1000), protocol.FormatAmount(r.Translation/1000))
		fmt.Fprintf(w, "a height aims to mint %s ALIA, and can mint %s ALIA\n", protocol.FormatAmount(r.Budget), protocol.FormatAmount(r.Cap))
	})
}

func queryRun(ctx context.Context, a *app, c *light.Client, args []string) error {
	link, err := block.ParseLink(args[0])
	if err != nil {
		return usagef("%q is not the CID of a run; `alia run list` prints the runs of a home", args[0])
	}
	run, ok, err := c.Run(ctx, link)
	if err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("the ledger knows no run %s: a run is known once a coordinator has proposed it", link)
	}
	params := ""
	if run.Params.Defined() {
		params = run.Params.String()
	}
	r := report.LedgerRun{
		Run: link.String(), Status: run.Status.String(), Coordinator: run.Coordinator.String(), Rounds: run.Rounds, Params: params,
		Budget: run.Budget, Spent: run.Spent, Active: run.Active,
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "run %s is %s\ncoordinator %s\n%d rounds committed, %d of %d MFLOP paid for\n", r.Run, r.Status, r.Coordinator, r.Rounds, r.Spent, r.Budget)
	})
}
