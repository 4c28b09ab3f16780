package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
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

// The ports of a ledger node, unless others are given.
const (
	rpcPort  = "26657"
	peerPort = "26656"
	meshPort = "4001"
)

// ledgerAddresses is the flags with the addresses of a ledger node in the network
// file.
type ledgerAddresses struct{ host, rpc, p2p string }

func (l *ledgerAddresses) define(cmd *cobra.Command, rpc, p2p string) {
	f := cmd.Flags()
	f.StringVar(&l.host, "host", "", "IP address or DNS `NAME` under which others reach this machine (default: each address by itself)")
	f.StringVar(&l.rpc, "rpc", "", "`HOST:PORT` under which members reach the ledger (default: port "+rpcPort+" of --host, or "+rpc+")")
	f.StringVar(&l.p2p, "p2p", "", "`HOST:PORT` under which other ledger nodes reach this one (default: port "+peerPort+" of --host, or "+p2p+")")
}

// complete takes the addresses that were not given from --host, and refuses those that
// nobody could dial.
func (l *ledgerAddresses) complete() error {
	if l.host != "" {
		if err := checkHost(l.host); err != nil {
			return usagef("--host %s: %v", l.host, err)
		}
		l.rpc = cmp.Or(l.rpc, net.JoinHostPort(l.host, rpcPort))
		l.p2p = cmp.Or(l.p2p, net.JoinHostPort(l.host, peerPort))
	}
	for _, f := range []struct{ flag, addr string }{{"rpc", l.rpc}, {"p2p", l.p2p}} {
		if f.addr == "" {
			continue
		}
		if err := checkAddress(f.addr); err != nil {
			return usagef("--%s %s: %v", f.flag, f.addr, err)
		}
	}
	return nil
}

// checkAddress refuses a text that is no host:port which others could dial.
func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || strings.Contains(addr, "/") {
		return errors.New("want host:port, such as 198.51.100.7:" + rpcPort)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("want a port from 0 to 65535")
	}
	return checkHost(host)
}

// checkHost refuses a host that others could not dial.
func checkHost(host string) error {
	ip := net.ParseIP(host)
	switch {
	case ip == nil && strings.ContainsAny(host, ":/@, "):
		return errors.New("want an IP address or a DNS name")
	case ip != nil && ip.IsUnspecified():
		return fmt.Errorf("members cannot dial %s: give the address under which they reach this machine (`alia ledger start` has options to listen at every address)", host)
	}
	return nil
}

// foundFlags is the flags of a new network's first node.
type foundFlags struct {
	ledgerAddresses
	name, listen, validators string
	finality                 uint64
	wallet                   walletFlags
}

func newLedgerInit(a *app) *cobra.Command {
	var f foundFlags
	cmd := &cobra.Command{
		Use:        "init",
		SuggestFor: []string{"new", "create", "found"},
		Short:      "Create a network, with this home as its first ledger node",
		Long: `Create a network, with this home as its first ledger node, and write the network
file that every member needs.

The file has the addresses under which members reach this machine: those of the
ledger's queries (--rpc) and of the mesh (--listen), and of this ledger node for
other ledger nodes (--p2p). --host stands for all three. Without them the
network is for this machine only.

A network can have several validators. Each further one runs alia ledger key,
which prints a line. Give the file of these lines with --validators. The network
makes heights while more than two thirds of the validators run.

Work is paid some heights after it is claimed (--finality), so that a miner who
was left out of a claim can speak up. It is five heights on one machine, and ten
minutes' heights among several.`,
		Example: `  alia ledger init
  alia ledger init --name example --host ledger.example.org
  alia ledger init --name example --host 198.51.100.7 --validators lines.txt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.found(cmd.Context(), a) },
	}
	cmd.Flags().StringVar(&f.name, "name", "testnet", fmt.Sprintf("`NAME` of the network, for people; 1 to %d bytes", ledger.MaxName))
	f.define(cmd, "127.0.0.1:"+rpcPort, "none: other ledger nodes cannot join")
	cmd.Flags().StringVar(&f.listen, "listen", "", "`ADDRESS` (multiaddress) under which members reach this node's mesh (default: port "+meshPort+" of --host, or /ip4/127.0.0.1/tcp/"+meshPort+")")
	cmd.Flags().StringVar(&f.validators, "validators", "", "`FILE` with a line of alia ledger key for each further validator (default: this home is the only one)")
	cmd.Flags().Uint64Var(&f.finality, "finality", 0, "`HEIGHTS` from a claim of work to its payment (default: 5 on this machine only, else 600)")
	f.wallet.flags(cmd)
	return cmd
}

// found checks the flags, and founds the network.
func (f *foundFlags) found(ctx context.Context, a *app) error {
	if err := ledger.CheckName(f.name); err != nil {
		return usagef("--name: %v", err)
	}
	if err := f.complete(); err != nil {
		return err
	}
	f.rpc = cmp.Or(f.rpc, "127.0.0.1:"+rpcPort)
	f.listen = cmp.Or(f.listen, meshAddress(cmp.Or(f.host, "127.0.0.1")))
	if err := mesh.CheckAnnounce(f.listen); err != nil {
		return usagef("--listen %s: %v", f.listen, err)
	}
	others, err := f.readValidators()
	if err != nil {
		return err
	}
	account, err := f.wallet.ensure(ctx, a)
	if err != nil {
		return err
	}
	id, err := mesh.PeerOf(account)
	if err != nil {
		return err
	}
	keys, err := chain.Keys(a.home.Chain())
	if err != nil {
		return err
	}
	n := node.Network{
		Name: f.name, Ledger: []string{"http://" + f.rpc}, Bootstrap: []string{f.listen + "/p2p/" + id.String()},
	}
	if f.p2p != "" {
		n.LedgerPeers = []string{keys.Peer + "@" + f.p2p}
	}
	var accounts []protocol.Account
	for _, v := range others {
		accounts = append(accounts, v.account)
		n.LedgerPeers, n.Ledger = append(n.LedgerPeers, v.peer), append(n.Ledger, "http://"+v.rpc)
	}
	params := ledger.DefaultParams()
	if forThisMachine(n) {
		params = ledger.LocalParams()
	}
	params.Finality = cmp.Or(f.finality, params.Finality)
	if err := params.Check(); err != nil {
		return usagef("--finality: %v", err)
	}
	if n.Genesis, err = chain.Init(a.home.Chain(), f.name, params, accounts...); err != nil {
		return fmt.Errorf("%w; its network file is %s. For another network choose another --home", err, a.home.Network())
	}
	return a.signNetwork(n, keys, a.home.Network())
}

// meshAddress is the multiaddress of the mesh at a host.
func meshAddress(host string) string {
	kind := "dns4"
	if ip := net.ParseIP(host); ip.To4() != nil {
		kind = "ip4"
	} else if ip != nil {
		kind = "ip6"
	}
	return "/" + kind + "/" + host + "/tcp/" + meshPort
}

// validator is a line of `alia ledger key`.
type validator struct {
	account   protocol.Account
	peer, rpc string // ID@host:port, host:port
}

// readValidators reads the file of --validators.
func (f *foundFlags) readValidators() ([]validator, error) {
	if f.validators == "" {
		return nil, nil
	}
	if f.p2p == "" {
		return nil, usagef("--validators: the other validators must reach this node: give --host or --p2p")
	}
	data, err := os.ReadFile(f.validators)
	if err != nil {
		return nil, fmt.Errorf("--validators: %w", err)
	}
	var all []validator
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		v, err := parseValidator(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", f.validators, i+1, err)
		}
		all = append(all, v)
	}
	return all, nil
}

func parseValidator(line string) (v validator, err error) {
	words := strings.Fields(line)
	if len(words) != 3 {
		return v, fmt.Errorf("%d words, want the three that `alia ledger key` prints", len(words))
	}
	if v.account, err = protocol.ParseAccount(words[0]); err != nil {
		return v, err
	}
	v.peer, v.rpc = words[1], words[2]
	_, addr, err := node.SplitLedgerPeer(v.peer)
	if err == nil {
		err = checkAddress(addr)
	}
	if err == nil {
		err = checkAddress(v.rpc)
	}
	return v, err
}

// signNetwork signs a network with the key of the home's validator, writes its file
// and says how members join.
func (a *app) signNetwork(n node.Network, keys chain.NodeKeys, path string) error {
	if err := n.Sign(keys.Validator); err != nil {
		return err
	}
	if err := n.Check(); err != nil {
		return err
	}
	if err := n.Write(path); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cid := node.NetworkCID(data).String()
	public := !forThisMachine(n)
	return a.result(report.NetworkFile{Network: n.Net().String(), File: path, CID: cid, Public: public}, func(w io.Writer) {
		fmt.Fprintf(w, "network %s (%s)\nmembers join with %s\n", n.Name, n.Net().Short(), path)
		if !public {
			fmt.Fprintln(w, "members must be on this machine: with --host others can join, see `alia ledger init --help`")
			return
		}
		fmt.Fprintf(w, "or, when the file is on a web server, with alia init --network 'https://HOST/network.json|%s'\n", cid)
	})
}

// forThisMachine reports whether a network file has an address that other machines
// cannot dial.
func forThisMachine(n node.Network) bool {
	for _, addr := range n.Ledger {
		if u, err := url.Parse(addr); err == nil && isLoopback(u.Hostname()) {
			return true
		}
	}
	for _, peer := range n.LedgerPeers {
		if _, addr, err := node.SplitLedgerPeer(peer); err == nil {
			if host, _, err := net.SplitHostPort(addr); err == nil && isLoopback(host) {
				return true
			}
		}
	}
	return slices.ContainsFunc(n.Bootstrap, func(addr string) bool {
		return manet.IsIPLoopback(multiaddr.StringCast(addr)) || strings.HasPrefix(addr, "/dns4/localhost/")
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
