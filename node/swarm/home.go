package swarm

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

// Names of the processes, and of their homes below the swarm's.
const (
	LedgerName      = "ledger"
	CoordinatorName = "coordinator"
	CustomerName    = "customer"
)

// member is a participant of the swarm: its home, its account and its port.
type member struct {
	name    string
	home    home.Dir
	account protocol.Account
	port    int // of its mesh, on 127.0.0.1
}

func (m *member) listen() string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", m.port) }

// makeHomes makes the homes of the named members below dir, each with a key and a
// network file. Files of an earlier swarm stay; ports are new.
func makeHomes(dir string, names []string) (map[string]*member, node.Network, error) {
	ports, err := freePorts(len(names) + 1)
	if err != nil {
		return nil, node.Network{}, err
	}
	members := map[string]*member{}
	for i, name := range names {
		m := &member{name: name, home: home.Dir(filepath.Join(dir, name)), port: ports[i]}
		if err := unused(m.home); err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		key, err := m.home.Key()
		if err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		m.account = protocol.AccountOf(key)
		members[name] = m
	}
	network, err := foundNetwork(dir, members[LedgerName], ports[len(names)])
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

// foundNetwork founds the network, unless an earlier swarm did.
func foundNetwork(swarm string, first *member, rpc int) (node.Network, error) {
	dir := first.home.Chain()
	genesis, err := chain.Init(dir, filepath.Base(swarm), ledger.DefaultParams())
	if errors.Is(err, fs.ErrExist) {
		genesis, err = chain.Genesis(dir)
	}
	if err != nil {
		return node.Network{}, err
	}
	id, err := mesh.PeerOf(first.account)
	if err != nil {
		return node.Network{}, err
	}
	return node.Network{
		Name: filepath.Base(swarm), Genesis: genesis,
		Bootstrap: []string{first.listen() + "/p2p/" + id.String()},
		Ledger:    []string{fmt.Sprintf("http://127.0.0.1:%d", rpc)},
	}, nil
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

// freePorts finds n ports of 127.0.0.1 at which nobody listens. All are open until
// all are found, so that they differ.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
