package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
)

// host is this process as the one that serves a home. Its own command opens the home,
// or none does. From then on commands of other processes of the home run here, too, as
// guests: with one store, one peer and one key.
type host struct {
	own   *app // of this process's own command
	began time.Time
	// ended is closed when the process is to end without waiting for its guests, as
	// stop has it.
	ended context.Context
	stop  context.CancelFunc

	mu     sync.Mutex // guards what follows; held while the home is opened
	dir    home.Dir   // absolute; a guest names its files so
	store  *block.Store
	server *daemon.Server
	peer   *node.Peer // nil until a command needs the network
	listen []string   // where the peer was told to listen
	miner  *node.Miner
	wallet *wallet.Wallet  // nil until a command needs the key
	tasks  map[string]bool // what runs in this home, and runs once at a time
}

func newHost(own *app) *host {
	h := &host{own: own, began: own.started, tasks: map[string]bool{}}
	h.ended, h.stop = context.WithCancel(context.Background())
	return h
}

// open makes this process the one that serves the home, unless it is, and returns the
// home's store. The error wraps [block.ErrInUse] if another process serves the home.
func (h *host) open(ctx context.Context, a *app) (*block.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		return h.store, nil
	}
	net, err := a.netOrNone()
	if err != nil {
		return nil, err
	}
	store, err := a.home.Store()
	if err != nil {
		return nil, err
	}
	if err := node.PinHome(ctx, a.home, net, store, a.log); err != nil {
		a.log.Warn("blocks of earlier processes are never deleted", "err", err)
	}
	dir, err := filepath.Abs(string(a.home))
	if err == nil {
		h.server, err = daemon.Serve(a.home.Socket(), h.run)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	h.store, h.dir = store, home.Dir(dir)
	return store, nil
}

// home is the home that this process serves.
func (h *host) home() home.Dir {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dir
}

// join returns the peer of the home. The first command that needs the network opens it,
// and says where it listens.
func (h *host) join(ctx context.Context, a *app, listen, announce []string) (*node.Peer, error) {
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	key, err := a.key(ctx)
	if err != nil {
		return nil, err
	}
	store, err := h.open(ctx, a)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer == nil {
		h.peer, err = node.OpenPeer(ctx, node.PeerConfig{
			Home: a.home, Network: network, Key: key, Store: store, Listen: listen, Announce: announce, Log: h.own.log,
		})
		h.listen = listen
		return h.peer, err
	}
	switch {
	case h.peer.Net != network.Net():
		return nil, fmt.Errorf("%s belongs to network %s, and the process that serves it is in another: choose another --home", a.home, network.Name)
	case (a.typed["listen"] || a.typed["announce"]) && !slices.Equal(listen, h.listen):
		return nil, usagef("--listen and --announce are for the process that serves the home, and process %d does already: leave them out, or end that process first", os.Getpid())
	}
	return h.peer, nil
}

// openWallet opens the home's wallet. The process does that once: a guest needs no
// password when another command has given it. The error wraps [fs.ErrNotExist] when the
// home has no wallet.
func (h *host) openWallet(ctx context.Context, a *app) (*wallet.Wallet, error) {
	h.mu.Lock()
	w := h.wallet
	h.mu.Unlock()
	if w != nil {
		return w, nil
	}
	w, err := wallet.Open(a.home.Wallet(), func() (string, error) { return a.password(ctx) })
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wallet = w
	return w, nil
}

// sender numbers the transactions of a key. There is one for the home's account in this
// process, because the ledger takes transactions in the sequence of their numbers.
func (h *host) sender(l *light.Client, key ed25519.PrivateKey) *light.Sender {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer != nil && h.peer.Net == l.Net() && h.peer.Account() == protocol.AccountOf(key) {
		return h.peer.Sender
	}
	return l.Sender(key)
}

// once notes that a task runs, which the home can have once at a time. The task is over
// when done is called.
func (h *host) once(task string) (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tasks[task] {
		return nil, fmt.Errorf("%s runs in this home already, in process %d: `alia node status` shows its commands", task, os.Getpid())
	}
	h.tasks[task] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tasks, task)
	}, nil
}

// mines notes the miner that runs in this process; nil is none.
func (h *host) mines(m *node.Miner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.miner = m
}

// mining is the miner that runs in this process, or nil.
func (h *host) mining() *node.Miner {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.miner
}

// run runs the command of a guest.
func (h *host) run(ctx context.Context, g *daemon.Guest) int {
	a := &app{
		started: g.Began, args: g.Args, dir: g.Dir, env: environment(g.Env), stdin: g.Stdin,
		stdout: &output{to: g.Stdout}, host: h, guest: true,
	}
	t := &terminal{out: g.Stderr}
	if g.Columns > 0 {
		t.size = func() (columns, rows int) { return g.Columns, 24 }
	}
	a.stderr = t
	status := a.run(ctx)
	for _, dev := range a.devices { // this process goes on, without them
		if err := kernel.Close(dev); err != nil {
			h.own.log.Warn("device not closed", "device", dev.Name(), "err", err)
		}
	}
	return status
}

// leave closes the home when this process's own command has ended. It waits for the
// guests, unless the process is told to stop, or a supervisor waits for its end.
func (h *host) leave(i *interrupts) error {
	h.mu.Lock()
	store, server := h.store, h.server
	h.mu.Unlock()
	if store == nil {
		return nil
	}
	if h.own.events {
		h.stop()
	}
	if n := len(server.Guests()); n > 0 && h.ended.Err() == nil {
		fmt.Fprintf(h.own.stderr, "alia: other commands of this home run in this process, %d now: it ends when they are done; an interrupt ends them\n", n)
		i.then(h.stop)
	}
	errs := []error{server.Close(h.ended)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer != nil { // perhaps a guest has opened it meanwhile
		errs = append(errs, h.peer.Close())
	}
	return errors.Join(append(errs, store.Close())...)
}

// atHome runs f, a command that needs the home, in the process that serves the home: in
// this one if none does.
func (a *app) atHome(cmd *cobra.Command, f func(context.Context) error) error {
	ctx := cmd.Context()
	if a.guest {
		return f(ctx)
	}
	if err := a.visit(ctx, a.args, a.stdout); !errors.Is(err, daemon.ErrAbsent) {
		return err
	}
	err := f(ctx)
	// A process that begins to serve the home, or ends, does that in a moment.
	for began := time.Now(); errors.Is(err, block.ErrInUse) && time.Since(began) < changeover; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(changeover / 100):
		}
		if err := a.visit(ctx, a.args, a.stdout); !errors.Is(err, daemon.ErrAbsent) {
			return err
		}
		if _, err = a.host.open(ctx, a); err == nil {
			err = f(ctx)
		}
	}
	return err
}

// changeover is how long the home may be locked while nobody answers at its socket.
const changeover = 5 * time.Second

// visit has the process that serves the home run a command. The error is
// [daemon.ErrAbsent] if there is none, and a guestStatus if the command failed.
func (a *app) visit(ctx context.Context, args []string, stdout io.Writer) error {
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("the paths of the command are relative to a directory that is not known: %w", err)
	}
	c := daemon.Command{Args: args, Dir: dir, Env: slices.DeleteFunc(os.Environ(), func(v string) bool { return !ours(v) })}
	if t, ok := onTerminal(a.stderr); ok {
		c.Columns = t.width()
	}
	status, err := daemon.Visit(ctx, a.home.Socket(), c, a.stdin, stdout, a.stderr)
	switch {
	case errors.Is(err, daemon.ErrLost):
		return fmt.Errorf("%w: a training run or a translation goes on when the same command is given again", err)
	case err == nil && status != exitDone:
		return guestStatus(status)
	}
	return err
}

// guestStatus is the exit status of a guest that has said itself what is wrong.
type guestStatus int

func (s guestStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// ours reports whether this program reads a variable of the environment.
func ours(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return strings.HasPrefix(name, "ALIA_") || slices.Contains([]string{"HOME", "XDG_DATA_HOME", "TERM", "NO_COLOR"}, name)
}

// environment looks variables up in a list of NAME=VALUE.
func environment(list []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range list {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

// path is a path that the user typed, as this process finds it.
func (a *app) path(typed string) string {
	if a.dir == "" || typed == "" || filepath.IsAbs(typed) {
		return typed
	}
	return filepath.Join(a.dir, typed)
}
