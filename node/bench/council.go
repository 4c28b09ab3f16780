package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
)

// network is validators on loopback, each with a client of its RPC.
type network struct {
	net     protocol.Net
	nodes   []*chain.Node
	clients []*light.Client
}

// found founds a network as its operators do, and starts it. The validators approve the
// runs that they are told.
func (b *LedgerBench) found(ctx context.Context, runs []*benchRun) (_ *network, err error) {
	// Each operator makes keys, and the first founds the network with those of all.
	var configs []chain.Config
	var others []protocol.Account
	var peers []string
	for i := range b.Validators {
		home := filepath.Join(b.Dir, fmt.Sprint("validator-", i+1))
		keys, err := chain.Keys(home)
		if err != nil {
			return nil, err
		}
		addr, err := freeAddress()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			others = append(others, protocol.AccountOf(keys.Validator))
		}
		peers = append(peers, keys.Peer+"@"+addr)
		configs = append(configs, chain.Config{
			Home: home, RPCListen: "127.0.0.1:0", PeerListen: addr, BlockInterval: b.Interval, Approve: approve(runs),
		})
	}
	doc, err := chain.Init(configs[0].Home, "bench", ledger.LocalParams(), others...)
	if err != nil {
		return nil, err
	}
	n := &network{net: chain.Net(doc)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	for i, c := range configs {
		if i > 0 {
			if err := chain.Join(c.Home, doc); err != nil {
				return nil, err
			}
		}
		c.Peers = peers
		node, err := chain.Start(ctx, c)
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, node)
	}
	if err := n.until(ctx, func(s *ledger.State) bool { return s.Height() > 0 }); err != nil {
		return nil, err
	}
	for _, node := range n.nodes {
		client, err := light.Dial(ctx, light.Config{Addrs: []string{node.RPC()}, Genesis: doc})
		if err != nil {
			return nil, err
		}
		n.clients = append(n.clients, client)
	}
	return n, nil
}

// approve votes for the runs that the bench has planned. Real validators compute a plan
// again, beside consensus.
func approve(runs []*benchRun) chain.Approve {
	return func(_ context.Context, r ledger.RunState) (bool, error) {
		for _, known := range runs {
			if r.Run == known.id && r.Plan == known.plan {
				return true, nil
			}
		}
		return false, nil
	}
}

// freeAddress is an address of this machine at which nobody listens.
func freeAddress() (string, error) {
	ports, err := machine.FreePorts(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), nil
}

func (n *network) close() error {
	var err error
	for _, node := range n.nodes {
		err = errors.Join(err, node.Close())
	}
	n.nodes = nil
	return err
}

// state is the newest state of the first validator. It is the same as that of the others,
// but may be some milliseconds ahead.
func (n *network) state() *ledger.State { return n.nodes[0].State() }

// of is the validator that transaction senders with a number use.
func (n *network) of(i int) (*chain.Node, *light.Client) {
	i %= len(n.nodes)
	return n.nodes[i], n.clients[i]
}

// look is the pause between two looks at a state.
const look = 5 * time.Millisecond

// until waits for a state of the first validator.
func (n *network) until(ctx context.Context, ok func(*ledger.State) bool) error {
	return until(ctx, n.nodes[0], ok)
}

// until waits for a state of a validator.
func until(ctx context.Context, node *chain.Node, ok func(*ledger.State) bool) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if s := node.State(); s != nil && ok(s) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// height waits for the next height.
func (n *network) height(ctx context.Context) error {
	now := n.state().Height()
	return n.until(ctx, func(s *ledger.State) bool { return s.Height() > now })
}

// paid waits until all claims are paid.
func (n *network) paid(ctx context.Context) error {
	return n.until(ctx, func(s *ledger.State) bool { return s.Supply().Owed == 0 })
}

// flood has send act for some time, and on until a state is ok.
func (n *network) flood(ctx context.Context, window time.Duration, send func(context.Context) error, ok func(*ledger.State) bool) error {
	all, end := context.WithCancel(ctx)
	defer end()
	g, all := errgroup.WithContext(all)
	g.Go(func() error { return send(all) })
	g.Go(func() error {
		select {
		case <-all.Done():
			return nil
		case <-time.After(window):
		}
		if err := n.until(all, ok); err != nil {
			return err
		}
		end()
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// propose has the runs approved.
func (n *network) propose(ctx context.Context, runs []*benchRun) error {
	for i, r := range runs {
		_, client := n.of(i)
		_, err := client.Sender(r.coordinator).Send(ctx, ledger.RunPropose{Run: r.id, Plan: r.plan, Silence: 100_000})
		if err != nil {
			return err
		}
	}
	for i, r := range runs {
		node, _ := n.of(i) // which takes the run's claims
		err := until(ctx, node, func(s *ledger.State) bool {
			state, _ := s.Run(r.id, protocol.AccountOf(r.coordinator))
			return state.Status == ledger.Approved
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claim has each coordinator send claims of some rounds through its node's RPC, one after
// the other. Claims of one round are sent once; of more, until ctx ends or no rounds are
// left.
func (n *network) claim(ctx context.Context, runs []*benchRun, rounds int) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range runs {
		g.Go(func() error {
			for {
				if err := n.claimOnce(ctx, i, r, rounds); err != nil || rounds == 1 {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// claimOnce claims the next rounds of run i, and waits for the height that has the claim.
func (n *network) claimOnce(ctx context.Context, i int, r *benchRun, rounds int) error {
	node, client := n.of(i)
	s := node.State()
	f, _ := s.Function(r.plan.Function)
	next := int(f.Next)
	if next+rounds > len(r.rounds) {
		return fmt.Errorf("the %d rounds that were prepared are claimed: choose a shorter --seconds", len(r.rounds))
	}
	tx, err := ledger.Sign(r.coordinator, n.net, ledger.Tx{
		Nonce: uint64(time.Now().UnixMicro()), ExpHeight: s.Height() + 100,
		Body: ledger.Claim{Run: r.id, Rounds: r.rounds[next : next+rounds]},
	})
	if err != nil {
		return err
	}
	if err := client.Submit(ctx, tx); err != nil {
		return err
	}
	return until(ctx, node, func(s *ledger.State) bool {
		f, _ := s.Function(r.plan.Function)
		return int(f.Next) == next+rounds
	})
}

// transfer has each miner transfer one amount again and again, as often as the mempool
// takes it.
func (n *network) transfer(ctx context.Context, to protocol.Account) error {
	miners := benchKeys("miner", benchMiners)
	for {
		s := n.state()
		rates, _ := s.Schedule(s.Height() + 1)
		g, all := errgroup.WithContext(ctx)
		for i, node := range n.nodes {
			g.Go(func() error {
				for m := i; m < len(miners); m += len(n.nodes) {
					if err := n.burst(all, node, miners[m], to, s.Height(), rates); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if err := n.height(ctx); err != nil {
			return err
		}
	}
}

// burst submits transfers of one miner until the node takes no more of it.
func (n *network) burst(ctx context.Context, node *chain.Node, miner ed25519.PrivateKey, to protocol.Account, height uint64, rates ledger.Schedule) error {
	for range transferBatch {
		body := ledger.Transfer{To: to, Amount: 1}
		tx, err := ledger.Sign(miner, n.net, ledger.Tx{
			Nonce: uint64(time.Now().UnixMicro()), Fee: 10 * rates.Fee(ledger.Gas(body, 512)), ExpHeight: height + 100, Body: body,
		})
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := node.Submit(tx); errors.Is(err, ledger.Busy) || isFull(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}
