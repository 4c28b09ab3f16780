package chain

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/cometbft/cometbft/config"

	"github.com/alia-network/alia/ledger"
)

// anyPort is where a node without an address for peers listens: it dials them.
const anyPort = "127.0.0.1:0"

// redial is the longest pause between two attempts to reach a peer of Config.Peers.
const redial = 30 * time.Second

// configure completes CometBFT's configuration, which names the files of the home, for
// the node with the given ID. CometBFT indexes nothing and serves no metrics, because
// clients read proven records instead.
func configure(cfg *config.Config, c Config, id string) error {
	cfg.RPC.ListenAddress = "" // see rpcServer
	cfg.TxIndex.Indexer = "null"
	cfg.Storage.DiscardABCIResponses = true
	cfg.Mempool.MaxTxBytes = ledger.MaxTx
	cfg.Mempool.Size = maxWaiting
	cfg.Mempool.MaxTxsBytes = maxWaitingBytes

	// With short intervals, the nodes also wait less for one another.
	interval := cmp.Or(c.BlockInterval, time.Second)
	cfg.Consensus.TimeoutCommit = interval
	cfg.Consensus.TimeoutPropose = min(cfg.Consensus.TimeoutPropose, max(3*interval, 500*time.Millisecond))
	cfg.Consensus.PeerGossipSleepDuration = min(cfg.Consensus.PeerGossipSleepDuration, max(interval/10, 10*time.Millisecond))

	return configurePeers(cfg.P2P, c, id)
}

// configurePeers sets the addresses of the node and of its peers.
func configurePeers(cfg *config.P2PConfig, c Config, id string) error {
	listen := cmp.Or(c.PeerListen, anyPort)
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("address for peers %q: %w", listen, err)
	}
	cfg.ListenAddress = "tcp://" + listen
	cfg.ExternalAddress = c.PeerAddress
	// On loopback all peers have one IP address and know one another from Config.Peers.
	// Elsewhere nodes tell one another the addresses of further nodes, and an IP address
	// has one connection, so that one host does not take all of them.
	local := isLoopback(host)
	cfg.PexReactor, cfg.AllowDuplicateIP = !local, local
	if announced, _, err := net.SplitHostPort(cmp.Or(c.PeerAddress, listen)); err == nil {
		cfg.AddrBookStrict = !isPrivate(announced) // strict: believe in public addresses only
	}

	var peers, ids []string
	for _, peer := range c.Peers {
		of, _, found := strings.Cut(peer, "@")
		if !found {
			return fmt.Errorf("peer %q: want ID@host:port", peer)
		}
		if of != id {
			peers, ids = append(peers, peer), append(ids, of)
		}
	}
	cfg.PersistentPeers = strings.Join(peers, ",")
	cfg.UnconditionalPeerIDs = strings.Join(ids, ",") // strangers do not take their places
	cfg.PersistentPeersMaxDialPeriod = redial
	return nil
}

// isLoopback reports whether a host is this machine only.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// isPrivate reports whether a host is an IP address that only its own network reaches.
func isPrivate(host string) bool {
	ip, err := netip.ParseAddr(host)
	return isLoopback(host) || err == nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast())
}
