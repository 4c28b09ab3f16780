// Command alia trains translation models in a peer-to-peer network and
// translates with them: one binary for every role.
//
//	alia swarm      a whole network on this machine
//	alia init       identity and configuration of a node
//	alia miner      join a network and earn
//	alia train      train a model, alone or by a network
//	alia translate  translate files, alone or through a network
//	alia serve      answer HTTP requests for translations
//	alia node       start, stop and show the process that serves a home
//	alia ledger     run a ledger node; look up what the ledger has; vote on validators
//	alia wallet     key, recovery phrase, balance, transfer, lock, payout
//	alia verify     recompute a unit, a round or a run, and say what differs
//	alia model      list, evaluate, export model files
//	alia document   check what a document keeps
//	alia corpus     check which pairs of a corpus training takes
//	alia memory     show, exchange and clear the translation memory
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
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/protocol/block"
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

// runProcess is the process; it began at started. Its command may serve a home, and then
// runs other commands of the home, too.
func runProcess(started time.Time) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	next := onInterrupt(func() { cancel(nil) })
	a := &app{
		started: started, args: os.Args[1:], env: os.LookupEnv,
		stdin: os.Stdin, stdout: &output{to: os.Stdout}, stderr: newTerminal(os.Stderr),
	}
	a.host = newHost(a)
	context.AfterFunc(a.host.ended, func() { cancel(daemon.ErrStopped) })
	status := a.run(ctx)
	if err := a.host.leave(next); err != nil {
		fmt.Fprintf(a.stderr, "alia: %v\n", err)
		return max(status, exitFailed)
	}
	return status
}

// run runs the app's command, says what is wrong, and returns the exit status.
func (a *app) run(ctx context.Context) int {
	cmd, err := execute(ctx, a)
	if out, ok := a.stdout.(*output); err == nil && ok {
		err = out.failed()
	}
	var usage usageError
	var visited guestStatus
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &visited):
		return int(visited)
	case ctx.Err() != nil || errors.As(err, new(interruption)):
		a.interrupted(ctx, cmd, err)
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
	case errors.Is(err, block.ErrInUse):
		return ": end that process first, such as with `alia node stop`"
	case errors.Is(err, light.ErrUnreachable):
		return ": is a ledger node running (alia ledger start), and does the network file have its address?"
	}
	return ""
}

// execute runs the command. A device that breaks down is its error.
func execute(ctx context.Context, a *app) (cmd *cobra.Command, err error) {
	root := newRoot(a)
	root.SetArgs(a.args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd = root
	defer kernel.Recover(&err)
	return root.ExecuteContextC(ctx)
}

// interrupts is what the next interrupts of this process do, the first first.
type interrupts struct {
	mu sync.Mutex // guards do
	do []func()
}

// then has the interrupt after those before do something.
func (i *interrupts) then(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.do = append(i.do, f)
}

// onInterrupt has the first interrupt do something. An interrupt for which there is
// nothing to do ends the process at once.
func onInterrupt(first func()) *interrupts {
	next := &interrupts{do: []func(){first}}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var last time.Time
		for range signals {
			if time.Since(last) < time.Second { // one key press may come as two signals
				continue
			}
			last = time.Now()
			next.mu.Lock()
			if len(next.do) == 0 {
				fmt.Fprintln(os.Stderr, "alia: interrupted again: ended at once")
				os.Exit(exitInterrupted)
			}
			do := next.do[0]
			next.do = next.do[1:]
			next.mu.Unlock()
			do()
		}
	}()
	return next
}
