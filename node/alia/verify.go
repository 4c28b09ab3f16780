package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

func newVerify(a *app) *cobra.Command {
	var c deviceFlags
	var run string
	var trace, list bool
	var receipt receiptFlags
	cmd := &cobra.Command{
		Use:   "verify UNIT|ROUND|RUN|RECEIPT",
		Short: "Recompute a unit, a round or a run; check a receipt",
		Example: `  alia verify RECEIPT --document letter.docx --translation brief.docx
  alia verify RECEIPT --recompute 5% --model DIR
  alia verify 17`,
		Long: `Check the receipt of a translation, or recompute the results that the log of a
training run claims. Results are compared by their CIDs, which are hashes of all
their bytes. There is no tolerance: one different bit is a difference.

UNIT is the CID of a unit, ROUND a number counted from 0, RUN the CID of a run.
The home must be the one that coordinated the run. Other commands may use the
home at the same time, and nothing in it changes. A round is recomputed from the
newest checkpoint before it, or else from the beginning of the run. A finished
run keeps only the checkpoints for its last ten minutes; with "alia train
--keep-checkpoints" it keeps all. The exit status is 1 when something differs.
The command then names the first tensor that differs, if this home has the
blocks of both results.

RECEIPT is the file of a receipt, in any directory. The receipt of a document
says what was translated and by whom, what is paid, and what it does not prove.
It contains the receipts of its jobs; a job is the work that one command asks
miners for. A receipt has a status: paid, claimed (the ledger pays at a height
that is named) or unpaid. The check needs only the network file. The exit status
is 1 when something does not hold. While the receipt is not paid and the ledger
answers, the file gets a newer proof.

--document and --translation compare files with the receipt. One changed byte of
a document, of its translation or of its receipt is refused, and named. With
--recompute this machine translates texts of the document again, with the model
that the receipt names, and compares them character for character: all, or a
share, which the receipt itself decides. That needs the receipt of a document:
the receipt of a job has only hashes of the texts.`,
		Args: exactArgs("UNIT, ROUND, RUN or RECEIPT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(args[0], `./\`) { // in no CID or number
				return usagef("%s: there is no such file: give a receipt, or the CID of a unit or a run, or the number of a round", args[0])
			}
			if err == nil && info.Mode().IsRegular() {
				if err := a.goesWith("with a unit, a round or a run, not with a receipt", "run", "list", "trace"); err != nil {
					return err
				}
				receipt.deviceFlags = &c
				return receipt.verify(cmd.Context(), a, args[0])
			}
			if err := a.goesWith("with a receipt", "document", "translation", "code", "recompute", "model"); err != nil {
				return err
			}
			reader, err := block.OpenReadOnly(a.home.Blocks())
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("the home %s has no blocks: name the home that coordinated the run with --home", a.home)
			} else if err != nil {
				return err
			}
			t, err := a.findTarget(cmd.Context(), reader, run, args[0])
			if err != nil {
				return err
			}
			if list {
				if err := a.goesWith("without --list, which recomputes nothing", "trace", "device", "kernels", "threads"); err != nil {
					return err
				}
				return a.listUnits(t)
			}
			return verify(cmd.Context(), a, &c, &work.Overlay{Claims: reader}, t, trace)
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "`CID` of the run, where the home has several")
	cmd.Flags().BoolVar(&list, "list", false, "list the units and their results in the log, and recompute nothing")
	cmd.Flags().BoolVar(&trace, "trace", false, "list every operation of a gradient unit, with the hash that names it")
	receipt.flags(cmd)
	c.flags(cmd)
	a.completeFrom(cmd, "run", a.runs)
	a.completeFrom(cmd, "model", a.models)
	cmd.ValidArgsFunction = directories(a.runs)
	return cmd
}

// verified is the result of a verification.
type verified struct {
	Run      string      `json:"run"`
	Same     bool        `json:"same"`
	Checked  int         `json:"checked"` // units recomputed
	Findings []finding   `json:"findings"`
	Trace    []operation `json:"trace,omitempty"`
}

// finding is a unit that differs.
type finding struct {
	Kind     string `json:"kind"`
	Round    uint32 `json:"round"`
	Index    uint32 `json:"index"`
	Unit     string `json:"unit"`
	Claimed  string `json:"claimed"`
	Computed string `json:"computed"`
	Tensor   string `json:"tensor,omitempty"`
	Detail   string `json:"detail"`
}

// operation is one line of a trace.
type operation struct {
	Name    string   `json:"name"`
	Op      string   `json:"op"`
	Shapes  [][]int  `json:"shapes"`
	Digests []string `json:"digests"`
}

func verify(ctx context.Context, a *app, c *deviceFlags, b *work.Overlay, target target, trace bool) error {
	if trace && !target.unit.Defined() {
		return usagef("--trace: give the CID of a gradient unit; --list prints the units of a round")
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	r := verified{Run: target.history[0].Run.String(), Findings: []finding{}}
	v := &work.Verifier{Worker: work.NewWorker(dev), Claims: b, Report: func(f work.Finding) { r.add(a, f) }}
	v.Earlier = func(from, first int) {
		a.note("the home has no state from before round %d: the %d rounds from round %d on are recomputed first", first, first-from, from)
	}
	if target.unit.Defined() {
		err = target.verifyUnit(ctx, v, b, trace, &r)
	} else {
		err = v.Rounds(ctx, target.history, target.first, target.last)
	}
	r.Same = err == nil && len(r.Findings) == 0
	if errors.Is(err, context.Canceled) {
		return undone(ctx, err, "%d units are recomputed, %d of them differ, and the rest is not checked", r.Checked, len(r.Findings))
	}
	if err != nil && !errors.Is(err, work.ErrDiffers) {
		return err
	}
	if perr := a.result(r, r.print); perr != nil {
		return perr
	}
	if !r.Same && err == nil {
		err = work.ErrDiffers
	}
	return err
}

func (r *verified) add(a *app, f work.Finding) {
	r.Checked++
	a.note("round %d %s %d: unit %s %s", f.Round, f.Kind, f.Index, f.Unit, map[bool]string{true: "same", false: "DIFFERS"}[f.Same])
	if f.Same {
		return
	}
	r.Findings = append(r.Findings, finding{
		Kind: f.Kind.String(), Round: f.Round, Index: f.Index, Unit: f.Unit.String(),
		Claimed: f.Claimed.String(), Computed: f.Computed.String(), Tensor: f.Tensor, Detail: f.Detail,
	})
}

func (r *verified) print(w io.Writer) {
	for _, o := range r.Trace {
		fmt.Fprintf(w, "%.16s  %-18s", o.Name, o.Op)
		for i := range o.Digests {
			fmt.Fprintf(w, "  %v %.16s", o.Shapes[i], o.Digests[i])
		}
		fmt.Fprintln(w)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "round %d, %s %d, unit %s\n  claimed  %s\n  computed %s\n  %s\n",
			f.Round, f.Kind, f.Index, f.Unit, f.Claimed, f.Computed, f.Detail)
	}
	if r.Same {
		fmt.Fprintf(w, "%s recomputed, all the same\n", english.Plural(r.Checked, "unit", ""))
	} else {
		fmt.Fprintf(w, "%s recomputed, %d differ\n", english.Plural(r.Checked, "unit", ""), len(r.Findings))
	}
}

// target says which results to verify: rounds first to last of a history, or one
// unit of round first.
type target struct {
	history     []run.Round
	first, last int
	unit        block.Link
}

// findTarget reads the histories in the home, or that of one run, and finds in
// them what the user named.
func (a *app) findTarget(ctx context.Context, b block.Blocks, run, what string) (target, error) {
	link, linkErr := block.ParseLink(what)
	number, numberErr := strconv.Atoi(what)
	if linkErr != nil && numberErr != nil {
		return target{}, usagef("%q is neither a CID, nor the number of a round, nor the file of a receipt", what)
	}
	histories, err := a.histories(ctx, b, run)
	if err != nil {
		return target{}, err
	}
	if numberErr == nil {
		if len(histories) != 1 {
			return target{}, usagef("the home has %d runs: name one with --run; `alia run list` prints them", len(histories))
		}
		return target{history: histories[0], first: number, last: number}, nil
	}
	for _, h := range histories {
		if h[0].Run == link {
			return target{history: h, last: len(h) - 1}, nil
		}
		for r := range h {
			if _, ok := claim(h[r], link); ok {
				return target{history: h, first: r, last: r, unit: link}, nil
			}
		}
	}
	return target{}, fmt.Errorf("%s is neither a run of this home nor a unit of one: the home must be the one that coordinated the run", what)
}

// claimed is a line of a round's log.
type claimed struct {
	Kind   string `json:"kind"`
	Round  uint32 `json:"round"`
	Index  int    `json:"index"`
	Unit   string `json:"unit"`
	Result string `json:"result"`
	Worker string `json:"worker"` // account; of a local run all zeros
}

// listUnits prints the units of the target's rounds.
func (a *app) listUnits(t target) error {
	if t.first < 0 || t.last >= len(t.history) {
		return fmt.Errorf("round %d: the log has the rounds 0 to %d", t.first, len(t.history)-1)
	}
	units := []claimed{}
	for _, r := range t.history[t.first : t.last+1] {
		for _, e := range r.All() {
			units = append(units, claimed{e.Kind.String(), r.Number, int(e.Index), e.Unit.String(), e.Result.String(), protocol.Account(e.Miner).String()})
		}
	}
	return a.result(struct {
		Run   string    `json:"run"`
		Units []claimed `json:"units"`
	}{t.history[0].Run.String(), units}, func(w io.Writer) {
		for _, u := range units {
			fmt.Fprintf(w, "%6d %-10s %4d  %s  %s\n", u.Round, u.Kind, u.Index, u.Unit, u.Result)
		}
	})
}

// claim is the result that a round's log claims for a unit.
func claim(r run.Round, unit block.Link) (block.Link, bool) {
	for _, e := range r.All() {
		if e.Unit == unit {
			return e.Result, true
		}
	}
	return block.Link{}, false
}

func (a *app) histories(ctx context.Context, b block.Blocks, record string) ([][]run.Round, error) {
	dirs, err := os.ReadDir(a.home.Runs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var all [][]run.Round
	for _, d := range dirs {
		if record != "" && d.Name() != record {
			continue
		}
		head, h, err := node.History(ctx, b, filepath.Join(a.home.Runs(), d.Name()))
		if err != nil {
			return nil, err
		}
		if head.Defined() { // its first round is done
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		if record != "" {
			return nil, fmt.Errorf("%s has no log of run %s: the home must be the one that coordinated the run", a.home, record)
		}
		return nil, fmt.Errorf("%s has no log of a run: the home must be one that coordinated a run", a.home)
	}
	return all, nil
}

// verifyUnit recomputes one unit. A gradient needs only the state at the start of
// its round, which is recomputed if its blocks were deleted. For the other kinds
// the whole round is recomputed, because they need its results.
func (t target) verifyUnit(ctx context.Context, v *work.Verifier, b *work.Overlay, trace bool, r *verified) error {
	plan, err := run.Open(ctx, b, t.history[0].Run)
	if err != nil {
		return err
	}
	from, err := t.begin(ctx, v, b, plan)
	if err != nil {
		return err
	}
	units, err := plan.Units(ctx, b, t.first, from)
	if err != nil {
		return err
	}
	for _, u := range units {
		if u.ID() != t.unit {
			continue
		}
		claimed, _ := claim(t.history[t.first], t.unit)
		f, _, err := v.Unit(ctx, nil, u, claimed)
		if err != nil {
			return err
		}
		v.Report(f)
		if !trace {
			return nil
		}
		return v.Trace(ctx, u, func(s tensor.Step) { r.Trace = append(r.Trace, traced(s)) })
	}
	if trace {
		return usagef("--trace: %s is no gradient unit, and only those have operations to list", t.unit)
	}
	return v.Rounds(ctx, t.history, t.first, t.last)
}

// begin returns the state the target's round begins with, held by the claims
// or, recomputed, by the verifier's worker.
func (t target) begin(ctx context.Context, v *work.Verifier, b *work.Overlay, plan *run.Plan) (run.State, error) {
	if t.first == 0 {
		return plan.Begin(ctx, b)
	}
	from := t.history[t.first-1].After
	if _, err := state.GetSet(ctx, b, from.Params); err == nil {
		return from, nil
	}
	return from, v.Rounds(ctx, t.history, t.first-1, t.first-1)
}

func traced(s tensor.Step) operation {
	o := operation{Name: s.Name.String(), Op: s.Op.String(), Shapes: s.Shapes}
	for _, d := range s.Digests {
		o.Digests = append(o.Digests, hex.EncodeToString(d[:]))
	}
	return o
}
