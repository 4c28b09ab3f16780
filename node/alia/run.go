package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/retention"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/score"
)

func newRunCommand(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "run", Short: "List, show and delete the training runs of a home"}, newRunList(a), newRunShow(a), newRunDelete(a))
}

// runInfo is the answer of the run commands about one run.
type runInfo struct {
	Run       string `json:"run"`
	Source    string `json:"source"`
	Target    string `json:"target"`
	Rounds    int    `json:"rounds"` // done
	Finished  bool   `json:"finished"`
	Model     string `json:"model,omitempty"`
	Damage    string `json:"damage,omitempty"` // why the run cannot be read
	Directory string `json:"directory"`
}

// runDetails is what `alia run show` adds.
type runDetails struct {
	runInfo
	Bytes     int64   `json:"bytes"` // of the run's blocks, those it shares with other runs included
	TrainLoss float64 `json:"train_loss,omitempty"`
	ValidLoss float64 `json:"valid_loss,omitempty"`
	BLEU      float64 `json:"bleu,omitempty"`
	ChrF      float64 `json:"chrf,omitempty"`
	Tokenizer string  `json:"bleu_tokenizer,omitempty"`
	// Measure says which validation is the best, where the run has patience. Waited is
	// the validations since that one.
	Measure string    `json:"measure,omitempty"`
	Waited  uint32    `json:"validations_since_best,omitempty"`
	Ended   time.Time `json:"last_round,omitzero"` // when the newest round ended
	Curves  string    `json:"curves"`
	Metrics string    `json:"metrics"`
}

func (a *app) runInfo(r retention.HomeRun) runInfo {
	info := runInfo{
		Run: r.Link.String(), Source: r.Record.Config.Source, Target: r.Record.Config.Target,
		Rounds: r.Rounds(), Finished: r.Last.Result.Defined(), Directory: a.home.Run(r.Link),
	}
	if r.Damage != nil {
		info.Damage = r.Damage.Error()
	}
	if r.Model.Defined() {
		info.Model = r.Model.String()
	}
	return info
}

func (r runInfo) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n  ", r.Run)
	if r.Source == "" {
		fmt.Fprint(w, "its record is not among the home's blocks, ")
	} else {
		fmt.Fprintf(w, "%s to %s, ", r.Source, r.Target)
	}
	if r.Damage != "" {
		fmt.Fprintf(w, "damaged: %s\n", r.Damage)
		return
	}
	fmt.Fprintf(w, "%s done, ", english.Plural(r.Rounds, "round", ""))
	if r.Finished {
		fmt.Fprintf(w, "finished\n  model %s\n", r.Model)
		return
	}
	fmt.Fprintln(w, "not finished: the command that began the run goes on with it")
}

// readBlocks opens the home's blocks for reading; a home without blocks has none.
func (a *app) readBlocks() (block.Blocks, *block.Reader, error) {
	r, err := block.OpenReadOnly(a.home.Blocks())
	if errors.Is(err, os.ErrNotExist) {
		return new(block.MemoryStore), nil, nil
	}
	return r, r, err
}

func newRunList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the runs whose directories are in the home",
		Long: `List the training runs that this home coordinated or trained alone. The home
may be in use. A run that is not finished goes on when its command is given
again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			blocks, _, err := a.readBlocks()
			if err != nil {
				return err
			}
			runs, err := retention.Runs(cmd.Context(), a.home, blocks)
			if err != nil {
				return err
			}
			infos := make([]runInfo, 0, len(runs))
			for _, r := range runs {
				infos = append(infos, a.runInfo(r))
			}
			return a.result(struct {
				Runs []runInfo `json:"runs"`
			}{infos}, func(w io.Writer) {
				if len(infos) == 0 {
					fmt.Fprintf(w, "no runs in %s\n", a.home.Runs())
				}
				for _, r := range infos {
					r.print(w)
				}
			})
		},
	}
}

func newRunShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show RUN",
		Short: "Show how far a run is, its last scores, and its disk space",
		Args:  exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, reader, err := a.findRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if r.Damage != nil {
				return fmt.Errorf("run %s is damaged: %w", r.Link, r.Damage)
			}
			d := runDetails{runInfo: a.runInfo(r)}
			d.Curves, d.Metrics = filepath.Join(d.Directory, curves.ChartFile), filepath.Join(d.Directory, curves.MetricsFile)
			if r.Head.Defined() {
				d.TrainLoss = run.Loss(r.Last.Lines)
				d.Ended = time.UnixMilli(int64(r.Last.Ended())).UTC()
			}
			if len(r.Last.Valid) > 0 {
				d.ValidLoss = run.NLL(r.Last.Valid)
				d.BLEU, d.ChrF = float64(r.Last.Scores.BLEU)/10_000, float64(r.Last.Scores.ChrF)/10_000
				d.Tokenizer = score.TokenizerFor(r.Record.Config.Target).Name
			}
			if c := r.Record.Config; c.Patience > 0 {
				d.Measure, d.Waited = c.Measure, r.Last.Validations.Waited
			}
			if reader != nil {
				roots := []cid.Cid{r.Link.Cid}
				if r.Head.Defined() {
					roots = append(roots, r.Head.Cid)
				}
				set, err := block.Reachable(cmd.Context(), reader, roots...)
				if err != nil {
					return err
				}
				if d.Bytes, err = reader.Bytes(set); err != nil {
					return err
				}
			}
			return a.result(d, d.print)
		},
	}
}

func (d runDetails) print(w io.Writer) {
	d.runInfo.print(w)
	if d.Rounds > 0 {
		fmt.Fprintf(w, "  last round: %s, training loss %.3f", d.Ended.Local().Format(time.DateTime), d.TrainLoss)
		if d.ValidLoss != 0 {
			fmt.Fprintf(w, ", validation loss %.3f,\n  BLEU %.2f, chrF2 %.2f", d.ValidLoss, d.BLEU, d.ChrF)
			if d.Tokenizer != "13a" {
				fmt.Fprintf(w, " (BLEU by tok:%s)", d.Tokenizer)
			}
			if d.Measure != "" {
				fmt.Fprintf(w, "; the best validation by %s was %s ago", d.Measure, english.Plural(int(d.Waited), "validation", ""))
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  blocks: %s, those shared with other runs included\n", humanize.Bytes(uint64(d.Bytes)))
	fmt.Fprintf(w, "  files:  %s\n", d.Directory)
}

// runLink reads the argument that names a run.
func runLink(text string) (block.Link, error) {
	link, err := block.ParseLink(text)
	if err != nil {
		return block.Link{}, usagef("%q is not the CID of a run: `alia run list` shows the runs of this home", text)
	}
	return link, nil
}

// findRun finds a run of the home by its CID. The reader is nil where the home
// has no blocks.
func (a *app) findRun(ctx context.Context, text string) (retention.HomeRun, *block.Reader, error) {
	link, err := runLink(text)
	if err != nil {
		return retention.HomeRun{}, nil, err
	}
	blocks, reader, err := a.readBlocks()
	if err != nil {
		return retention.HomeRun{}, nil, err
	}
	runs, err := retention.Runs(ctx, a.home, blocks)
	if err != nil {
		return retention.HomeRun{}, nil, err
	}
	for _, r := range runs {
		if r.Link == link {
			return r, reader, nil
		}
	}
	return retention.HomeRun{}, nil, fmt.Errorf("run %s is not in %s: `alia run list` shows the runs that are", link, a.home)
}

func newRunDelete(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "delete RUN",
		Short: "Delete a run and the blocks that nothing else in the home needs",
		Long: `Delete a run's directory and its blocks. The model that the run made stays in
models/. Afterwards the run can neither continue nor be verified.

A run with units that the ledger has no claim of is kept, because its journal
is the only proof of the miners' claim to pay. --force deletes the run
nevertheless.`,
		Args: exactArgs("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := runLink(args[0])
			if err != nil {
				return err
			}
			return a.collect(cmd.Context(), false, func(net protocol.Net) error {
				return retention.DeleteRun(a.home, net, run, force)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "delete the run even if miners lose pay by this")
	return cmd
}

// collect runs a deletion, then deletes the blocks that the home no longer needs, and
// prints how much that freed. A dry run deletes nothing. No other process may use the
// home.
func (a *app) collect(ctx context.Context, dry bool, before func(protocol.Net) error) (err error) {
	store, err := a.home.Store()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	net, err := a.netOrNone()
	if err != nil {
		return err
	}
	if err := before(net); err != nil {
		return err
	}
	if !dry {
		if err := retention.FinishDeletions(a.home); err != nil {
			return err
		}
	}
	if err := node.PinHome(ctx, a.home, net, store, a.log); err != nil {
		return err
	}
	usage := store.Usage()
	if !dry {
		if _, err := store.Sweep(ctx, 0); err != nil {
			return err
		}
	}
	return a.swept(usage, dry)
}

// netOrNone is the home's network; none where the home has joined no network,
// as after `alia train --local`.
func (a *app) netOrNone() (protocol.Net, error) {
	n, err := node.ReadNetwork(a.network)
	if errors.Is(err, os.ErrNotExist) {
		return protocol.Net{}, nil
	}
	return n.Net(), err
}
