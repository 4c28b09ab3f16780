package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/daemon"
)

func newMinerPause(a *app) *cobra.Command {
	return newSteer(a, "pause", "Have the home's miner take no new units for now", `Have the home's miner take no new units, until "alia miner resume" or its end.
Units that it has leased are computed and paid.`, (*node.Miner).Pause)
}

func newMinerResume(a *app) *cobra.Command {
	return newSteer(a, "resume", "Have the home's miner take units again", `Have the home's miner take units again, after "alia miner pause" or "alia miner
finish".`, (*node.Miner).Resume)
}

func newMinerFinish(a *app) *cobra.Command {
	return newSteer(a, "finish", "Have the home's miner end when its units are done", `Have the home's miner take no new units, and end when the units that it has
leased are computed and delivered. Ctrl-C ends it at once.`, (*node.Miner).Finish)
}

// newSteer is a command that tells the home's miner something.
func newSteer(a *app, use, short, long string, tell func(*node.Miner)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if !a.guest {
			if err := a.visit(cmd.Context(), a.args, a.stdout); !errors.Is(err, daemon.ErrAbsent) {
				return err
			}
			return errNoMiner
		}
		m := a.host.mining()
		if m == nil {
			return errNoMiner
		}
		tell(m)
		s := m.Snapshot()
		return a.result(s, func(w io.Writer) { printMiner(w, s) })
	}}
}

var errNoMiner = errors.New("no miner runs in this home: `alia miner run` starts one")
