package main

import (
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/retention"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// sweptResult is the answer of commands that delete blocks.
type sweptResult struct {
	DryRun       bool  `json:"dry_run"`
	Kept         int   `json:"kept"`
	KeptBytes    int64 `json:"kept_bytes"`
	Deleted      int   `json:"deleted"`
	DeletedBytes int64 `json:"deleted_bytes"`
}

// swept prints what was deleted, or would be, of a store with the usage u.
func (a *app) swept(u block.Usage, dry bool) error {
	r := sweptResult{DryRun: dry, Kept: u.Owned, KeptBytes: u.OwnedBytes, Deleted: u.Loose, DeletedBytes: u.LooseBytes}
	verb := "deleted"
	if dry {
		verb = "would delete"
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s, %s; %s, %s, are needed\n",
			verb, english.Plural(r.Deleted, "block", ""), humanize.Bytes(uint64(r.DeletedBytes)), english.Plural(r.Kept, "block", ""), humanize.Bytes(uint64(r.KeptBytes)))
	})
}

func newGC(a *app) *cobra.Command {
	var dry, swarms bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Delete the blocks that no run, model or job of the home needs",
		Long: `Delete the blocks that no run, model or job of this home needs: batches of
rounds that are done, other people's documents, models that were fetched once.

Afterwards an unfinished run can still continue, and every run can be verified.
No other process may use the home at the same time. --dry-run deletes nothing.

With --swarms, delete instead the homes that "alia swarm" and "make demo" left
in this home, except those of running swarms.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case swarms:
				return a.collectSwarms(dry)
			}
			return a.collect(cmd.Context(), dry, func(protocol.Net) error { return nil })
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count, and delete nothing")
	cmd.Flags().BoolVar(&swarms, "swarms", false, "delete the homes of swarms that do not run, and nothing else")
	return cmd
}

// collectSwarms deletes the homes that swarms left.
func (a *app) collectSwarms(dry bool) error {
	s, err := retention.DeleteSwarms(a.home, dry)
	if err != nil {
		return err
	}
	return a.result(struct {
		DryRun       bool  `json:"dry_run"`
		Running      int   `json:"running"`
		Deleted      int   `json:"deleted"`
		DeletedBytes int64 `json:"deleted_bytes"`
	}{dry, s.Running, s.Deleted, s.Bytes}, func(w io.Writer) {
		verb := "deleted"
		if dry {
			verb = "would delete"
		}
		fmt.Fprintf(w, "%s the homes of %s, %s; %s running\n", verb, english.Plural(s.Deleted, "swarm", ""), humanize.Bytes(uint64(s.Bytes)), english.Plural(s.Running, "swarm", ""))
	})
}
