package main

import (
	"fmt"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// foundNetwork founds a network on this machine, as `alia ledger init` does, but with
// payments and unlocks after a few heights: found HOME [LINES]. LINES is a file of lines
// of `alia ledger key`. The home's ledger node listens for others at free ports.
func foundNetwork(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: found HOME [LINES]")
	}
	dir := home.Dir(ts.MkAbs(args[0]))
	wallet, err := dir.Key()
	ts.Check(err)
	id, err := mesh.PeerOf(protocol.AccountOf(wallet))
	ts.Check(err)
	keys, err := chain.Keys(dir.Chain())
	ts.Check(err)
	n := node.Network{
		Name: "script", Bootstrap: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%s/p2p/%s", port(ts), id)},
		Ledger: []string{"http://127.0.0.1:" + port(ts)}, LedgerPeers: []string{keys.Peer + "@127.0.0.1:" + port(ts)},
	}
	f := foundFlags{ledgerAddresses: ledgerAddresses{p2p: "given"}}
	if len(args) == 2 {
		f.validators = ts.MkAbs(args[1])
	}
	others, err := f.readValidators()
	ts.Check(err)
	var accounts []protocol.Account
	for _, v := range others {
		accounts = append(accounts, v.account)
		n.LedgerPeers, n.Ledger = append(n.LedgerPeers, v.peer), append(n.Ledger, "http://"+v.rpc)
	}
	params := ledger.LocalParams()
	params.Unlock = 20
	n.Genesis, err = chain.Init(dir.Chain(), n.Name, params, accounts...)
	ts.Check(err)
	ts.Check(n.Sign(keys.Validator))
	ts.Check(n.Write(dir.Network()))
}

// port is a port of loopback that nobody listens at.
func port(ts *testscript.TestScript) string {
	ports, err := machine.FreePorts(1)
	ts.Check(err)
	return strconv.Itoa(ports[0])
}
