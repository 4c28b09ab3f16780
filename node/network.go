package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
)

// Network is the content of a network file, a JSON file with everything that a
// node needs to join a network.
type Network struct {
	Name string `json:"name"`
	// Genesis is the bytes of the ledger's genesis document. Their SHA-256 names
	// the network.
	Genesis []byte `json:"genesis"`
	// Bootstrap are multiaddresses, with peer ids, of the first nodes to connect to.
	Bootstrap []string `json:"bootstrap"`
	// Ledger are the RPC addresses of ledger nodes, such as http://198.51.100.7:26657.
	Ledger []string `json:"ledger"`
}

// Net is the network's id.
func (n Network) Net() protocol.Net { return protocol.Net(sha256.Sum256(n.Genesis)) }

// ReadNetwork reads a network file and checks it.
func ReadNetwork(path string) (Network, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Network{}, fmt.Errorf("network file: %w", err)
	}
	n, err := ParseNetwork(data)
	if err != nil {
		return Network{}, fmt.Errorf("network file %s: %w", path, err)
	}
	return n, nil
}

// networkKeys are the keys of a network file.
const networkKeys = "name, genesis, bootstrap and ledger"

// ParseNetwork reads the bytes of a network file and checks them.
func ParseNetwork(data []byte) (Network, error) {
	var n Network
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return Network{}, inWords(data, err)
	}
	if rest, _ := io.ReadAll(d.Buffered()); len(bytes.TrimSpace(rest)) > 0 {
		return Network{}, errors.New("more text follows the network: it is not a network file, or damaged")
	}
	return n, n.Check()
}

// inWords explains an error in the JSON of a network file.
func inWords(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var corrupt base64.CorruptInputError
	key, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("it is empty: get the file again")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut short: get the file again")
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d is not JSON: a network file is one JSON object with %s, as `alia ledger init` writes it",
			1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), networkKeys)
	case errors.As(err, &corrupt):
		return errors.New("its genesis is not base64: it is cut short or damaged, get the file again")
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("its key %q has a value of the wrong kind: name and genesis are texts, bootstrap and ledger lists of texts", kind.Field)
	case errors.As(err, &kind):
		return fmt.Errorf("it is not a JSON object with the keys %s", networkKeys)
	case unknown:
		return fmt.Errorf("no network file has the key %s: the keys are %s", key, networkKeys)
	}
	return err
}

// Check returns an error if n is not valid.
func (n Network) Check() error {
	switch {
	case len(n.Genesis) == 0:
		return errors.New("no genesis: get the file again, or ask who founded the network")
	case !json.Valid(n.Genesis):
		return errors.New("its genesis is cut short or damaged: get the file again")
	case len(n.Ledger) == 0:
		return errors.New("it names no ledger node: its key ledger needs an address such as http://198.51.100.7:26657")
	case len(n.Bootstrap) == 0:
		return errors.New("it names no node to meet first: its key bootstrap needs an address such as /ip4/198.51.100.7/tcp/4001/p2p/ID, where ID is a peer id")
	}
	if err := light.CheckGenesis(n.Genesis); err != nil {
		return err
	}
	for _, addr := range n.Ledger {
		if u, err := url.Parse(addr); err != nil || u.Hostname() == "" || u.Port() == "" {
			return fmt.Errorf("ledger %q: want an address such as http://198.51.100.7:26657", addr)
		}
	}
	for _, addr := range n.Bootstrap {
		if _, err := peer.AddrInfoFromString(addr); err != nil {
			return fmt.Errorf("bootstrap %q: want an address such as /ip4/198.51.100.7/tcp/4001/p2p/12D3...: %w", addr, err)
		}
	}
	return nil
}

// Write stores the network file at path, whole or not at all.
func (n Network) Write(path string) error {
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("network file: %w", err)
	}
	return WriteFile(path, append(data, '\n'))
}
