package swarm

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// Names of the processes, and of their homes below the swarm's.
const (
	ledgerName      = "ledger"
	coordinatorName = "coordinator"
	customerName    = "customer"
)

// member is a process's place in the swarm.
type member struct {
	name    string
	home    string
	account protocol.Account
	port    int // of its mesh, on loopback
}

func (m *member) listen() string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", m.port) }

// settle makes the homes of the named members below dir: keys, and a network
// file each. What is there from an earlier swarm stays; ports are new.
func settle(dir string, names []string) (map[string]*member, node.Network, error) {
	ports, err := freePorts(len(names) + 1)
	if err != nil {
		return nil, node.Network{}, err
	}
	members := map[string]*member{}
	for i, name := range names {
		m := &member{name: name, home: filepath.Join(dir, name), port: ports[i]}
		if err := idle(m.home); err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		if m.account, err = openAccount(m.home); err != nil {
			return nil, node.Network{}, fmt.Errorf("home of %s: %w", name, err)
		}
		members[name] = m
	}
	network, err := found(dir, members[ledgerName], ports[len(names)])
	if err != nil {
		return nil, node.Network{}, err
	}
	for _, name := range names {
		if err := network.Write(filepath.Join(members[name].home, "network.json")); err != nil {
			return nil, node.Network{}, err
		}
	}
	return members, network, nil
}

// found founds the network, or finds it founded.
func found(dir string, first *member, rpc int) (node.Network, error) {
	home := filepath.Join(first.home, "chain")
	genesis, err := chain.Init(home, filepath.Base(dir), ledger.DefaultParams())
	if errors.Is(err, fs.ErrExist) {
		genesis, err = chain.Genesis(home)
	}
	if err != nil {
		return node.Network{}, err
	}
	id, err := mesh.PeerOf(first.account)
	if err != nil {
		return node.Network{}, err
	}
	return node.Network{
		Name: filepath.Base(dir), Genesis: genesis,
		Bootstrap: []string{first.listen() + "/p2p/" + id.String()},
		Ledger:    []string{fmt.Sprintf("http://127.0.0.1:%d", rpc)},
	}, nil
}

// idle reports an error when a live process has the home's block store open:
// it belongs to another swarm.
func idle(home string) error {
	store, err := block.Open(filepath.Join(home, "blocks"))
	if err != nil {
		return err
	}
	return store.Close()
}

func openAccount(home string) (protocol.Account, error) {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return protocol.Account{}, err
	}
	path := filepath.Join(home, "wallet")
	w, err := wallet.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = wallet.Create(path)
	}
	if err != nil {
		return protocol.Account{}, err
	}
	return w.Account(), nil
}

// freePorts finds n ports of loopback that nobody listens at. All are held
// until all are found, so that they differ.
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
