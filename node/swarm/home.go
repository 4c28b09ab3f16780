package swarm

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// Names of the processes, and of their homes below the swarm's.
const (
	LedgerName      = "ledger" // the first validator's
	CoordinatorName = "coordinator"
	CustomerName    = "customer"
)

// ValidatorName is the name of the ledger node of the nth validator, from 1.
func ValidatorName(n int) string {
	if n == 1 {
		return LedgerName
	}
	return fmt.Sprintf("%s-%d", LedgerName, n)
}

// isValidator reports whether the name is that of a ledger node.
func isValidator(name string) bool {
	return name == LedgerName || strings.HasPrefix(name, LedgerName+"-")
}

// member is a participant of the swarm: its home, its account and its ports on 127.0.0.1.
type member struct {
	name      string
	home      home.Dir
	account   protocol.Account
	port      int // of its mesh
	rpc, peer int // of a ledger node: for those who ask it, and for the other ledger nodes
}

func (m *member) listen() string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", m.port) }

// makeHomes makes the homes of the named members below dir, each with a key and a
// network file. Files of an earlier swarm stay; ports are new.
func makeHomes(dir string, names []string) (map[string]*member, node.Network, error) {
	ports, err := machine.FreePorts(3 * len(names))
	if err != nil {
		return nil, node.Network{}, err
	}
	members := map[string]*member{}
	var validators []*member
	for i, name := range names {
		m := &member{name: name, home: home.Dir(filepath.Join(dir, name)), port: ports[3*i], rpc: ports[3*i+1], peer: ports[3*i+2]}
		if err := unused(m.home); err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		key, err := m.home.Key()
		if err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		m.account = protocol.AccountOf(key)
		members[name] = m
		if isValidator(name) {
			validators = append(validators, m)
		}
	}
	network, err := foundNetwork(dir, validators)
	if err != nil {
		return nil, node.Network{}, err
	}
	for _, name := range names {
		if err := network.Write(members[name].home.Network()); err != nil {
			return nil, node.Network{}, err
		}
	}
	return members, network, nil
}

// foundNetwork founds the network of some validators, unless an earlier swarm did.
func foundNetwork(swarm string, validators []*member) (node.Network, error) {
	n := node.Network{Name: filepath.Base(swarm)}
	var keys []chain.NodeKeys
	var others []protocol.Account
	for _, v := range validators {
		k, err := chain.Keys(v.home.Chain())
		if err != nil {
			return n, fmt.Errorf("home of %s: %w", v.name, err)
		}
		id, err := mesh.PeerOf(v.account)
		if err != nil {
			return n, err
		}
		if keys = append(keys, k); len(keys) > 1 {
			others = append(others, protocol.AccountOf(k.Validator))
		}
		n.Bootstrap = append(n.Bootstrap, v.listen()+"/p2p/"+id.String())
		n.Ledger = append(n.Ledger, fmt.Sprintf("http://127.0.0.1:%d", v.rpc))
		n.LedgerPeers = append(n.LedgerPeers, fmt.Sprintf("%s@127.0.0.1:%d", k.Peer, v.peer))
	}
	var err error
	first := validators[0].home.Chain()
	if n.Genesis, err = chain.Init(first, n.Name, ledger.LocalParams(), others...); errors.Is(err, fs.ErrExist) {
		n.Genesis, err = chain.Genesis(first)
	}
	if err != nil {
		return n, err
	}
	doc, err := genesis.Parse(n.Genesis)
	if err != nil {
		return n, err
	}
	if was := len(doc.Ledger.Validators); was != len(validators) {
		return n, fmt.Errorf("the swarm of %s was founded with %d validators, and not with %d: give --validators %d, or another --home", swarm, was, len(validators), was)
	}
	for _, v := range validators[1:] {
		if err := chain.Join(v.home.Chain(), n.Genesis); err != nil && !errors.Is(err, fs.ErrExist) {
			return n, fmt.Errorf("home of %s: %w", v.name, err)
		}
	}
	return n, n.Sign(keys[0].Validator)
}

// unused fails when a live process has the home's block store open, because that
// process belongs to another swarm.
func unused(h home.Dir) error {
	store, err := h.Store()
	if err != nil {
		return err
	}
	return store.Close()
}
