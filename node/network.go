package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Network is the content of a network file, a JSON file with everything that a
// node needs to join a network. Its founder signs it.
type Network struct {
	_    struct{} `cbor:",toarray" json:"-"`
	Name string   `json:"name"`
	// Genesis is the bytes of the ledger's genesis document. Their SHA-256 names
	// the network.
	Genesis []byte `json:"genesis"`
	// Bootstrap are multiaddresses, with peer ids, of the first nodes to connect to.
	Bootstrap []string `json:"bootstrap"`
	// Ledger are the RPC addresses of ledger nodes, such as http://198.51.100.7:26657.
	Ledger []string `json:"ledger"`
	// LedgerPeers are the addresses at which the same ledger nodes, in the same
	// sequence, reach one another: ID@host:port. There are none when the network's
	// ledger node takes no others.
	LedgerPeers []string `json:"ledger_peers"`
	// Founder is the validator of the genesis document that signed the file.
	Founder protocol.Account `json:"founder"`
	// Sig is 64 bytes, see [Network.Sign].
	Sig []byte `json:"sig"`
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
const networkKeys = "name, genesis, bootstrap, ledger, ledger_peers, founder and sig"

// maxNetworkFile is the most bytes of a network file.
const maxNetworkFile = 1 << 20

// ParseNetwork reads the bytes of a network file, and checks them and the founder's
// signature.
func ParseNetwork(data []byte) (Network, error) {
	n, err := ParseUnsigned(data)
	if err != nil {
		return n, err
	}
	return n, n.verify()
}

// ParseUnsigned is ParseNetwork for a file that was changed and is to be signed: it
// does not look at the signature.
func ParseUnsigned(data []byte) (Network, error) {
	if len(data) > maxNetworkFile {
		return Network{}, fmt.Errorf("it has %d bytes: no network file has more than %d", len(data), maxNetworkFile)
	}
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

// Sign signs the file with the key of a validator of the genesis document. The
// signature is over n as a signed record of type 18 (PROTOCOL.md, section 3.2).
func (n *Network) Sign(key ed25519.PrivateKey) error {
	n.Founder = protocol.AccountOf(key)
	message, err := n.message()
	if err != nil {
		return err
	}
	n.Sig = ed25519.Sign(key, message)
	return n.verify()
}

// message returns what is signed.
func (n Network) message() ([]byte, error) {
	n.Sig = nil
	record, err := block.Encode(n)
	if err != nil {
		return nil, fmt.Errorf("network file: %w", err)
	}
	return protocol.Digest(n.Net(), protocol.TypeNetwork, record), nil
}

// verify checks the signature, and that its account may sign.
func (n Network) verify() error {
	const remedy = "get the file again, or have it signed by a validator of its genesis with `alia ledger sign FILE`"
	if len(n.Sig) == 0 {
		return errors.New("it is not signed: " + remedy)
	}
	doc, err := genesis.Parse(n.Genesis)
	if err != nil {
		return err
	}
	if !slices.Contains(doc.Ledger.Validators, n.Founder) {
		return fmt.Errorf("%s, who signed it, is no validator of its genesis: %s", n.Founder, remedy)
	}
	message, err := n.message()
	if err != nil {
		return err
	}
	if !n.Founder.Verify(message, n.Sig) {
		return fmt.Errorf("it was changed after %s signed it: %s", n.Founder, remedy)
	}
	return nil
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
		return errors.New("its genesis or sig is not base64: it is cut short or damaged, get the file again")
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("its key %q has a value of the wrong kind: bootstrap, ledger and ledger_peers are lists of texts, the others texts", kind.Field)
	case errors.As(err, &kind):
		return fmt.Errorf("it is not a JSON object with the keys %s", networkKeys)
	case unknown:
		return fmt.Errorf("no network file has the key %s: the keys are %s", key, networkKeys)
	}
	return err
}

// Check returns an error if n is not valid. It does not look at the signature.
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
	doc, err := genesis.Parse(n.Genesis)
	if err != nil {
		return err
	}
	if n.Name != doc.Ledger.Network {
		return fmt.Errorf("its name is %q, but that of its genesis is %q: get the file again", n.Name, doc.Ledger.Network)
	}
	if len(n.LedgerPeers) > 0 && len(n.LedgerPeers) != len(n.Ledger) {
		return fmt.Errorf("it has %d ledger_peers and %d ledger addresses: each ledger node has one of both, in the same sequence", len(n.LedgerPeers), len(n.Ledger))
	}
	for _, addr := range n.Ledger {
		if u, err := url.Parse(addr); err != nil || u.Hostname() == "" || u.Port() == "" {
			return fmt.Errorf("ledger %q: want an address such as http://198.51.100.7:26657", addr)
		}
	}
	for _, peer := range n.LedgerPeers {
		if _, _, err := SplitLedgerPeer(peer); err != nil {
			return fmt.Errorf("ledger_peers: %w", err)
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

// SplitLedgerPeer returns the ID and the address of a text ID@host:port, which names a
// ledger node to others.
func SplitLedgerPeer(peer string) (id, addr string, err error) {
	id, addr, _ = strings.Cut(peer, "@")
	bytes, err := hex.DecodeString(id)
	if err == nil {
		err = checkHostPort(addr)
	}
	if err != nil || len(bytes) != 20 {
		return "", "", fmt.Errorf("%q: want ID@host:port, where ID has 40 hexadecimal digits, as `alia ledger key` prints it", peer)
	}
	return id, addr, nil
}

// checkHostPort returns an error if addr is not a host and a port that can be dialled.
func checkHostPort(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return fmt.Errorf("port %q: want 1 to 65535", port)
	}
	if host == "" || strings.ContainsAny(host, ", /@") {
		return fmt.Errorf("host %q: want an IP address or a name", host)
	}
	return nil
}
