package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

func newMiner(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "miner", Short: "Compute units of work for a network, and earn"}, newMinerRun(a), newMinerBench(a), newMinerStatus(a), newMinerPause(a), newMinerResume(a), newMinerFinish(a))
}

func newMinerRun(a *app) *cobra.Command {
	var c deviceFlags
	var n peerFlags
	var p policyFlags
	var models []string
	cmd := &cobra.Command{
		Use:        "run",
		SuggestFor: []string{"start", "up", "mine"},
		Short:      "Compute units of work until interrupted",
		Long: `Compute the units of work that peers offer, until interrupted: units of training
runs, and of documents in the language pairs named. Each finished unit and its
pay are printed. With --json one object is printed when the miner is ready.

The miner works where the ledger pays: on runs that the validators have
approved, and on documents with an escrow. For each offer that it passes over it
says why.

A miner finds offers by gossip, and asks the peers that it is connected to. It
needs the network file of the network (alia init --network FILE). To serve
models (--hold) it also needs an address at which other peers can reach it.`,
		Example: `  alia miner run --threads 4
  alia miner run --languages en-de,de-en --price-min 0.001
  alia miner run --hold ~/.local/share/alia/models/CID --disk 20GB`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := p.policy()
			if err != nil {
				return err
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				return a.drained(ctx, mine(ctx, a, &c, &n, policy, int64(p.disk), models))
			})
		},
	}
	c.flags(cmd)
	n.flags(cmd)
	p.flags(cmd)
	cmd.Flags().StringSliceVar(&models, "hold", nil, "`DIRS` of models to serve to the network, separated by commas; customers name the models by CID")
	a.eventsFlag(cmd)
	return cmd
}

// policyFlags is the flags that say what a miner works on.
type policyFlags struct {
	languages   []string
	priceMin    amount
	disk        size
	workForFree bool
}

func (p *policyFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&p.languages, "languages", []string{"en-de"}, "`PAIRS` of languages whose documents to translate, separated by commas")
	f.Var(&p.priceMin, "price-min", "least `ALIA` for a GFLOP; work that pays less is passed over")
	f.Var(&p.disk, "disk", "most bytes of blocks to keep, a `SIZE` such as 20GB; 0: no limit")
	f.BoolVar(&p.workForFree, "work-for-free", false, "work on runs that are not approved and on unpaid documents, too; the ledger is not asked")
}

// policy is the policy that the flags ask for.
func (p *policyFlags) policy() (node.Policy, error) {
	pairs, err := parsePairs(p.languages)
	if err == nil && p.workForFree && p.priceMin > 0 {
		err = usagef("--work-for-free and --price-min contradict each other: give one of them")
	}
	return node.Policy{PriceMin: uint64(p.priceMin), Languages: pairs, WorkForFree: p.workForFree}, err
}

func parsePairs(languages []string) ([][2]string, error) {
	if len(languages) == 0 {
		return nil, usagef("--languages: the list is empty: name at least one pair, such as en-de")
	}
	var pairs [][2]string
	for _, l := range languages {
		src, tgt, _ := strings.Cut(l, "-")
		if !languageCode(src) || !languageCode(tgt) || src == tgt {
			return nil, usagef("--languages %q: want two codes of two or three small letters, such as en-de", l)
		}
		pairs = append(pairs, [2]string{src, tgt})
	}
	return pairs, nil
}

// languageCode reports whether s has the form of an ISO 639 code.
func languageCode(s string) bool {
	return (len(s) == 2 || len(s) == 3) && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

func mine(ctx context.Context, a *app, c *deviceFlags, n *peerFlags, policy node.Policy, disk int64, models []string) error {
	devs, err := c.openAll(a)
	if err != nil {
		return err
	}
	capability := capabilityOf(devs[0], c.threads)
	for _, dev := range devs[1:] {
		capability.MFLOPS += capabilityOf(dev, c.threads).MFLOPS
	}
	peer, err := n.join(ctx, a)
	if err != nil {
		return err
	}
	done, err := a.host.once("a miner")
	if err != nil {
		return err
	}
	defer done()
	for _, dir := range models {
		if err := hold(ctx, a, peer, a.path(dir), policy.PriceMin); err != nil {
			return err
		}
	}
	tell := func(n node.Notice) {
		a.event(n)
		if _, often := n.(node.UnitProgress); !often {
			a.note("%s %v", time.Now().Format(time.TimeOnly), n)
		}
	}
	m := &node.Miner{Peer: peer, Capability: capability, Policy: policy, Disk: disk, Check: checkGPU, Report: tell}
	m.Replace = func(broken *work.Worker, why error) (*work.Worker, error) {
		a.note("%v: the processor computes in its place", why)
		dev, err := openCPU(a, cpu, c.threads)
		return work.NewWorker(dev), err
	}
	var names []string
	for _, dev := range devs {
		m.Workers, names = append(m.Workers, work.NewWorker(dev)), append(names, dev.Name())
	}
	if err := a.ready(report.Serving{
		Role: "miner", Account: peer.Account().String(), Network: peer.Net.String(), Addresses: peer.Mesh.Addrs(), MFLOPS: capability.MFLOPS,
	}); err != nil {
		return err
	}
	a.note("kernels %s, %d threads, %d MFLOP/s; Ctrl-C ends", strings.Join(names, " and "), c.threads, capability.MFLOPS)
	a.host.mines(m)
	defer a.host.mines(nil)
	return node.Together(ctx, m.Run, func(ctx context.Context) error { return peer.Listen(ctx, policy.Languages) })
}

// checkGPU compares a GPU with the published digests again.
func checkGPU(dev kernel.Device) error {
	if dev.Host() {
		return nil
	}
	return kernel.Check(dev)
}

// hold stores a model for the network to fetch, and announces it with the miner's price.
func hold(ctx context.Context, a *app, peer *node.Peer, dir string, price uint64) error {
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	link, err := t.Put(ctx, block.Owned{Store: peer.Store, Owner: node.ModelOwner(t.ID())})
	if err != nil {
		return fmt.Errorf("hold %s: %w", dir, err)
	}
	h, err := node.ReadHeldModel(dir, t.Model, link)
	if err != nil {
		return fmt.Errorf("hold %s: %w", dir, err)
	}
	h.Price = price
	if err := peer.ServeModel(ctx, h); err != nil {
		return err
	}
	a.note("serves model %s, %s to %s", link, t.Model.Source, t.Model.Target)
	return nil
}

// capabilityOf measures the device.
func capabilityOf(dev kernel.Device, threads int) protocol.Capability {
	return protocol.Capability{
		Software: "alia " + version, Numerics: kernel.Numerics, Kernel: dev.Name(), Device: runtime.GOARCH,
		Threads: uint32(threads), MFLOPS: uint64(probe(dev) / 1e6),
	}
}

// probe measures the speed that bids state, in FLOP/s: that of a square product, for
// long enough to be past the first wake-up of the processor. A GPU is given
// larger ones, up to one that takes it so long that what it takes to begin does
// not matter.
func probe(dev kernel.Device) float64 {
	const n, most = 256, 4096
	const long = 2 * time.Millisecond
	rate := bench.MatmulRate(dev, [3]int{n, n, n}, probeTime)
	for n := 2 * n; !dev.Host() && n <= most; n *= 2 {
		if before := float64(n) * float64(n) * float64(n) / 4; before/rate > long.Seconds() {
			break
		}
		rate = bench.MatmulRate(dev, [3]int{n, n, n}, probeTime/10)
	}
	return rate
}

const probeTime = 200 * time.Millisecond

func newMinerBench(a *app) *cobra.Command {
	var c deviceFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed that the miner states in its bids",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			dev, err := c.open(a)
			if err != nil {
				return err
			}
			p, g := capabilityOf(dev, c.threads), surveyGPUs(false)
			return a.result(struct {
				Kernels string `json:"kernels"`
				Threads int    `json:"threads"`
				MFLOPS  uint64 `json:"mflops"`
				gpus
			}{dev.Name(), c.threads, p.MFLOPS, g}, func(w io.Writer) {
				fmt.Fprintf(w, "kernels %s, %d threads: %d MFLOP/s\n%s", dev.Name(), c.threads, p.MFLOPS, g.text())
			})
		},
	}
	c.flags(cmd)
	return cmd
}

func newMinerStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what the home's miner does, and why not more",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := node.MinerSnapshot{
				State: node.MinerStopped, Tasks: []node.TaskSnapshot{}, PassedOver: []node.PassedOver{}, Devices: []node.DeviceSnapshot{},
				Reason: node.Why{Code: "not-running", Text: "no miner runs in this home: `alia miner run` starts one"},
			}
			if !a.guest {
				if err := a.visit(cmd.Context(), a.args, a.stdout); !errors.Is(err, daemon.ErrAbsent) {
					return err
				}
			} else if m := a.host.mining(); m != nil {
				s = m.Snapshot()
			}
			return a.result(s, func(w io.Writer) { printMiner(w, s) })
		},
	}
}

// printMiner prints a miner's state for people.
func printMiner(w io.Writer, s node.MinerSnapshot) {
	fmt.Fprint(w, s.State)
	if s.Reason.Text != "" {
		fmt.Fprintf(w, ": %s", s.Reason.Text)
	}
	fmt.Fprintln(w)
	if s.State == node.MinerStopped {
		return
	}
	fmt.Fprintf(w, "%s, %s\n", english.Plural(s.Sessions, "publisher", ""), english.Plural(len(s.Tasks), "unit", ""))
	for _, d := range s.Devices {
		fmt.Fprintf(w, "%s: %s", d.Name, d.State)
		if d.Reason.Text != "" {
			fmt.Fprintf(w, ": %s", d.Reason.Text)
		}
		fmt.Fprintln(w)
	}
	for _, t := range s.Tasks {
		fmt.Fprintf(w, "%s unit %s: %.0f %% computed, leased until %s\n",
			t.Task, t.Unit, 100*t.Done, time.UnixMilli(int64(t.Deadline)).Format(time.TimeOnly))
	}
	for _, p := range s.PassedOver {
		fmt.Fprintln(w, p)
	}
	fmt.Fprintf(w, "%s ALIA paid since the start, %d accepted units not claimed yet\n", protocol.FormatAmount(s.Earned), s.Pending)
}
