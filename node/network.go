// Package node is a running peer and its roles: miner, coordinator, relay.
//
// A role is a struct wired by hand with what it needs (a mesh, a block store,
// a worker, a ledger) and a Run(ctx) that owns its goroutines. A [Publisher]
// leases units to miners and is the crew of a training run; a [Coordinator]
// is a training run with a publisher and a [Relay]; a [Miner] does units for
// whoever offers them; the relay carries signed attestations to the ledger
// from a journal, at least once, and reconciles with what the ledger says.
//
//	m := &node.Miner{Mesh: mesh, Blocks: store, Workers: []*work.Worker{work.NewWorker(dev)}, ...}
//	err := m.Run(ctx)
package node

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/alia-network/alia/protocol"
)

// Network is what a node must know to join a network: a JSON file handed
// from one person to another.
type Network struct {
	Name string `json:"name"`
	// Genesis is the bytes of the ledger's first document; their SHA-256
	// names the network.
	Genesis []byte `json:"genesis"`
	// Bootstrap are multiaddresses, with peer ids, of nodes to meet first.
	Bootstrap []string `json:"bootstrap"`
	// Ledger are addresses of ledger nodes' RPC, such as tcp://127.0.0.1:26657.
	Ledger []string `json:"ledger"`
}

// Net is the network's id.
func (n Network) Net() protocol.Net { return protocol.Net(sha256.Sum256(n.Genesis)) }

// ReadNetwork reads a network file.
func ReadNetwork(path string) (Network, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Network{}, fmt.Errorf("network file: %w", err)
	}
	var n Network
	if err := json.Unmarshal(data, &n); err != nil {
		return Network{}, fmt.Errorf("network file %s: %w", path, err)
	}
	if len(n.Genesis) == 0 {
		return Network{}, fmt.Errorf("network file %s: %w", path, errors.New("no genesis"))
	}
	return n, nil
}

// Write stores the network file at path, whole or not at all.
func (n Network) Write(path string) error {
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("network file: %w", err)
	}
	return WriteFile(path, append(data, '\n'))
}
