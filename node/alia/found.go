package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// foundFlags is the flags of a new network's first node.
type foundFlags struct{ name, rpc, listen string }

func newLedgerInit(a *app) *cobra.Command {
	var f foundFlags
	cmd := &cobra.Command{
		Use:        "init",
		SuggestFor: []string{"new", "create", "found"},
		Short:      "Create a network, with this home as its first ledger node",
		Long: `Create a network, with this home as its first ledger node, and write the network
file that every member needs.

The file has two addresses that members dial: the ledger's (--rpc) and the
mesh's (--listen). The default addresses work on this machine only. For members
on other machines give a public address or a DNS name.`,
		Example: `  alia ledger init
  alia ledger init --name example --rpc ledger.example.org:26657 \
      --listen /dns4/ledger.example.org/tcp/4001`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return f.found(a) },
	}
	cmd.Flags().StringVar(&f.name, "name", "testnet", "`NAME` of the network, for people; 1 to 50 bytes")
	cmd.Flags().StringVar(&f.rpc, "rpc", "127.0.0.1:26657", "`HOST:PORT` under which members reach the ledger")
	cmd.Flags().StringVar(&f.listen, "listen", "/ip4/127.0.0.1/tcp/4001", "`ADDRESS` (multiaddress) under which members reach this node's mesh")
	return cmd
}

// found checks the flags, and founds the network.
func (f *foundFlags) found(a *app) error {
	if f.name == "" || len(f.name) > 50 {
		return usagef("--name: give a name of 1 to 50 bytes, not %d", len(f.name))
	}
	here, err := f.checkAddresses()
	if err != nil {
		return err
	}
	key, err := a.home.Key()
	if err != nil {
		return err
	}
	genesis, err := chain.Init(a.home.Chain(), f.name, ledger.DefaultParams())
	if err != nil {
		return fmt.Errorf("%w; its network file is %s. For another network choose another --home", err, a.home.Network())
	}
	id, err := mesh.PeerOf(protocol.AccountOf(key))
	if err != nil {
		return err
	}
	n := node.Network{
		Name: f.name, Genesis: genesis, Ledger: []string{"http://" + f.rpc},
		Bootstrap: []string{f.listen + "/p2p/" + id.String()},
	}
	if err := n.Check(); err != nil {
		return err
	}
	path := a.home.Network()
	if err := n.Write(path); err != nil {
		return err
	}
	return a.result(report.Founded{Network: n.Net().String(), File: path, Public: !here}, func(w io.Writer) {
		fmt.Fprintf(w, "network %s (%s)\nmembers join with %s\n", f.name, n.Net().Short(), path)
		if here {
			fmt.Fprintln(w, "members must be on this machine: for others found the network with --rpc and --listen, see `alia ledger init --help`")
		}
	})
}

// checkAddresses refuses addresses that no member could dial. It reports whether
// one of them works for this machine only.
func (f *foundFlags) checkAddresses() (here bool, err error) {
	host, port, err := net.SplitHostPort(f.rpc)
	if err != nil || host == "" || strings.Contains(f.rpc, "/") {
		return false, usagef("--rpc %q: want host:port, such as 198.51.100.7:26657", f.rpc)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, usagef("--rpc %q: want a port from 0 to 65535", f.rpc)
	}
	ip := net.ParseIP(host)
	if ip != nil && ip.IsUnspecified() {
		return false, usagef("--rpc %s: members cannot dial %s: give the address under which they reach this machine (`alia ledger start --rpc %s` listens at every address)", f.rpc, host, f.rpc)
	}
	here = host == "localhost" || ip != nil && ip.IsLoopback()

	if err := mesh.CheckAnnounce(f.listen); err != nil {
		return false, usagef("--listen %s: %v", f.listen, err)
	}
	return here || manet.IsIPLoopback(multiaddr.StringCast(f.listen)) || strings.HasPrefix(f.listen, "/dns4/localhost/"), nil
}

// portFree says clearly that a port cannot be listened at, before anything is
// started. flag is the flag by which another address can be given.
func portFree(flag, addr string) error {
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--%s %s: the port is in use: end the process that listens there, or choose another port", flag, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		_, port, _ := net.SplitHostPort(addr) // it was split to listen
		return fmt.Errorf("--%s %s: this machine has no such address: behind a router listen with --%s 0.0.0.0:%s, and with --listen for the mesh", flag, addr, flag, port)
	}
	return fmt.Errorf("--%s %s: cannot listen at this address, want host:port of this machine: %w", flag, addr, err)
}
