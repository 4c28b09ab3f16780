package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/block"
)

func newNode(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "node",
		Short: "Start, stop and show the process that serves a home",
		Long: `Start, stop and show the process that serves a home. A home has one key and one
block store, so one process serves it: that of the first command that needs the
network, or the node that "alia node start" starts. Other commands of the home
run in that process, and print in their own terminals as ever.`,
	}, newNodeStart(a), newNodeStop(a), newNodeStatus(a))
}

func newNodeStart(a *app) *cobra.Command {
	var n peerFlags
	var foreground bool
	cmd := &cobra.Command{
		Use:        "start",
		SuggestFor: []string{"run", "up", "serve"},
		Short:      "Serve the home in the background, until it is stopped",
		Long: `Serve the home in the background, until "alia node stop" or a SIGTERM. The node
joins the network and runs the commands of the home: they start at once, and
their peers know them. It does nothing by itself, and its log is in the home.

A node is not needed: without one, each command that needs the network serves
the home while it runs.`,
		Example: `  alia node start
  alia miner run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if foreground {
				return a.drained(cmd.Context(), a.serveHome(cmd.Context(), &n))
			}
			return a.startNode(cmd.Context())
		},
	}
	n.flags(cmd)
	cmd.Flags().BoolVar(&foreground, "foreground", false, "serve in this process, as a service manager wants it")
	return cmd
}

// serveHome is the node: it opens the home, and is there for guests.
func (a *app) serveHome(ctx context.Context, n *peerFlags) error {
	peer, err := n.join(ctx, a)
	if errors.Is(err, block.ErrInUse) {
		return fmt.Errorf("%w: `alia node status` shows what runs there; end it first", err)
	} else if err != nil {
		return err
	}
	defer a.host.stop() // the guests end with the node
	if err := a.ready(report.Serving{
		Role: "node", Account: peer.Account().String(), Network: peer.Net.String(), Addresses: peer.Mesh.Addrs(),
	}); err != nil {
		return err
	}
	a.note("serves %s; Ctrl-C ends", a.home)
	return peer.Listen(ctx, nil)
}

// startNode starts a node that outlives this process, and waits until it serves the home.
func (a *app) startNode(ctx context.Context) error {
	s, err := a.nodeStatus(ctx)
	switch {
	case err == nil && s.Command == nodeCommand:
		return a.result(s, func(w io.Writer) { fmt.Fprintf(w, "the node runs already, as process %d\n", s.Process) })
	case err == nil:
		return fmt.Errorf("process %d serves the home as long as it runs `%s`: end it first, or leave it: other commands run there", s.Process, s.Command)
	case !errors.Is(err, daemon.ErrAbsent):
		return err
	}
	if err := a.home.Make(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	log, err := os.OpenFile(a.home.Log(), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	defer log.Close()
	end, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	child := exec.Command(program, append(a.args, "--foreground", "--json")...)
	if err := a.passPassword(ctx, child); err != nil {
		return err
	}
	child.SysProcAttr, child.Stderr = detached(), log
	out, err := child.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	var serving report.Serving // its first line, when it serves the home
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		err = errors.Join(child.Wait(), err)
		said, rerr := io.ReadAll(io.NewSectionReader(log, end, 64<<10))
		if text := lastError(said); rerr == nil && text != "" {
			return fmt.Errorf("the node does not start: %s", text)
		}
		return fmt.Errorf("the node does not start: %w: its log is %s", err, a.home.Log())
	}
	if s, err = a.nodeStatus(ctx); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	return a.result(s, func(w io.Writer) {
		fmt.Fprintf(w, "the node runs as process %d\nlog %s\n", s.Process, a.home.Log())
	})
}

// lastError is the error in what a process of this program wrote to its log.
func lastError(log []byte) string {
	for _, line := range bytes.Split(log, []byte("\n")) {
		if text, ok := bytes.CutPrefix(line, []byte("alia: ")); ok {
			return string(text)
		}
	}
	return ""
}

// nodeCommand is the command of a node that serves a home and does nothing else.
const nodeCommand = "alia node start"

func newNodeStop(a *app) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End the process that serves the home, in order",
		Long: `End the process that serves the home, in order: the commands that run there are
interrupted, as by Ctrl-C. What they do goes on when they are given again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if a.guest {
				a.host.stop()
				return nil
			}
			s, err := a.nodeStatus(ctx)
			if errors.Is(err, daemon.ErrAbsent) {
				return a.result(report.NodeStatus{}, func(w io.Writer) { fmt.Fprintln(w, "no process serves the home") })
			} else if err != nil {
				return err
			}
			if err := a.visit(ctx, a.args, a.stdout); err != nil && !errors.Is(err, daemon.ErrAbsent) && !errors.Is(err, daemon.ErrLost) {
				return err
			}
			for began := time.Now(); ; {
				used, err := a.home.InUse()
				if err != nil {
					return err
				}
				if !used {
					break
				}
				if time.Since(began) > timeout {
					return fmt.Errorf("process %d still ends after %v: it claims what was done; a second `alia node stop` waits again", s.Process, timeout)
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(changeover / 100):
				}
			}
			return a.result(report.NodeStatus{}, func(w io.Writer) { fmt.Fprintf(w, "process %d has ended\n", s.Process) })
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "`TIME` to wait for the process")
	return cmd
}

func newNodeStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the process that serves the home, and the commands in it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if a.guest {
				s := a.host.status(ctx, a)
				return a.result(s, func(w io.Writer) { printNode(w, s) })
			}
			err := a.visit(ctx, a.args, a.stdout)
			if errors.Is(err, daemon.ErrAbsent) {
				return a.result(report.NodeStatus{}, func(w io.Writer) { fmt.Fprintln(w, "no process serves the home") })
			}
			return err
		},
	}
}

// nodeStatus asks the process that serves the home, see visit.
func (a *app) nodeStatus(ctx context.Context) (s report.NodeStatus, err error) {
	var out bytes.Buffer
	if err := a.visit(ctx, []string{"node", "status", "--json"}, &out); err != nil {
		return s, err
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return s, fmt.Errorf("status of the node: %w", err)
	}
	return s, nil
}

// status is what this process does for the home, but for the guest that asks.
func (h *host) status(ctx context.Context, asks *app) report.NodeStatus {
	h.mu.Lock()
	server, peer := h.server, h.peer
	h.mu.Unlock()
	s := report.NodeStatus{Running: true, Process: os.Getpid(), Since: h.began.UTC(), Command: commandLine(h.own.args), Guests: []report.RunningCommand{}}
	if h.own.command == nodeCommand {
		s.Command = nodeCommand // without --foreground, which the user has not typed
	}
	for _, g := range server.Guests() {
		if g.Began.Equal(asks.started) {
			continue
		}
		s.Guests = append(s.Guests, report.RunningCommand{Command: commandLine(g.Args), Since: g.Began.UTC()})
	}
	if peer == nil {
		return s
	}
	s.Account, s.Network, s.Addresses, s.Peers = peer.Account().String(), peer.Network.Name, peer.Mesh.Addrs(), len(peer.Mesh.Peers())
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	if head, err := peer.Ledger.Head(ctx); err != nil {
		s.LedgerReason = err.Error()
	} else {
		s.Height = head.Height
	}
	return s
}

// statusPatience is how long a status waits for the ledger.
const statusPatience = 5 * time.Second

func commandLine(args []string) string { return strings.Join(append([]string{"alia"}, args...), " ") }

// printNode prints a status for people.
func printNode(w io.Writer, s report.NodeStatus) {
	fmt.Fprintf(w, "process %d serves the home since %s: %s\n", s.Process, s.Since.Local().Format(time.DateTime), s.Command)
	switch {
	case s.Account == "":
		fmt.Fprintln(w, "no command has needed the network yet")
	case s.LedgerReason != "":
		fmt.Fprintf(w, "network %s, %d peers; the ledger does not answer: %s\n", s.Network, s.Peers, s.LedgerReason)
	default:
		fmt.Fprintf(w, "network %s, %d peers, ledger at height %d\n", s.Network, s.Peers, s.Height)
	}
	for _, g := range s.Guests {
		fmt.Fprintf(w, "since %s: %s\n", g.Since.Local().Format(time.DateTime), g.Command)
	}
}
