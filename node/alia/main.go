// Command alia trains translation models in a peer-to-peer network and
// translates with them: one binary for every role.
//
//	alia swarm      a whole network on this machine
//	alia init       identity and configuration of a node
//	alia miner      join a network and earn
//	alia train      train a model, alone or by a network
//	alia translate  translate a file, alone or through a network
//	alia ledger     run a ledger node; query accounts, runs, schedule, supply
//	alia wallet     keys, balance, transfer
//	alia verify     recompute a unit, a round or a run, and say what differs
//	alia model      list, evaluate, export model files
//	alia bench      measure this machine
//	alia doctor     say what this machine has, and what is wrong with it
//	alia version
//
// Results go to standard output, as one JSON object with --json; logs and
// progress go to standard error. The exit status is 0 when the command is done,
// 1 when it failed, 2 for wrong usage, 130 when it was interrupted before it was
// done. A miner, a ledger node and a swarm run until they are interrupted: for
// them an interrupt is 0.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/work/kernel"
)

func main() { os.Exit(runProcess(time.Now())) }

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 and the number of SIGINT, as shells have it
)

// runProcess is the process; it began at started.
func runProcess(started time.Time) int {
	ctx, stop := drainOnSignal()
	defer stop()
	out := &output{to: os.Stdout}
	a := &app{started: started, stdout: out, stderr: newTerminal(os.Stderr)}
	cmd, err := execute(ctx, a)
	if err == nil {
		err = out.failed()
	}
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		a.interrupted(cmd, err)
		return exitInterrupted
	case !a.began || errors.As(err, &usage):
		fmt.Fprintf(a.stderr, "alia: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(a.stderr, "alia: %v%s\n", err, remedy(err))
		return exitFailed
	}
}

// remedy says what to do about an error of the system that may meet any command.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return ": free some disk space, such as with `alia gc`"
	case errors.Is(err, light.ErrUnreachable):
		return ": is a ledger node running (alia ledger start), and does the network file have its address?"
	}
	return ""
}

// execute runs the command. A device that breaks down is its error.
func execute(ctx context.Context, a *app) (cmd *cobra.Command, err error) {
	root := newRoot(a)
	cmd = root
	defer kernel.Recover(&err)
	return root.ExecuteContextC(ctx)
}

// drainOnSignal returns a context that ends at the first interrupt, for the
// command to drain. The second interrupt ends the process.
func drainOnSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		cancel()
		for first := time.Now(); ; { // one key press may come as two signals
			<-signals
			if time.Since(first) > time.Second {
				break
			}
		}
		fmt.Fprintln(os.Stderr, "alia: interrupted again: ended at once")
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}
