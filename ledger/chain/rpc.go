package chain

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/node"
	rpccore "github.com/cometbft/cometbft/rpc/core"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"

	"github.com/alia-network/alia/ledger"
)

const (
	maxConns   = 900
	maxRequest = 3 * ledger.MaxTx // a transaction in base64 in JSON, with room
)

// served are the calls of CometBFT's RPC that light clients, and people with a
// browser, need.
var served = []string{
	"health", "status", "net_info", "genesis", "validators", "block", "header", "commit",
	"num_unconfirmed_txs", "abci_info", "abci_query", "broadcast_tx_sync",
}

// rpcServer answers light clients. CometBFT's own server would answer on open
// connections after the node has closed its files, and it would find a port in use
// only after the node has started.
type rpcServer struct {
	listener net.Listener
	http     http.Server
	done     chan struct{} // closed when http has stopped, nil before it starts
}

// listen takes the address, whose port may be 0.
func listen(addr string) (net.Listener, error) {
	if err := probe(addr); err != nil {
		return nil, err
	}
	return rpcserver.Listen("tcp://"+addr, maxConns)
}

// probe returns an error that names the address when the node cannot listen there.
func probe(addr string) error {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("address %s is in use by another process: %w", addr, err)
	}
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	return l.Close()
}

// serve starts to answer light clients from a node.
func (s *rpcServer) serve(comet *node.Node, log cometLogger) error {
	env, err := comet.ConfigureRPC()
	if err != nil {
		return err
	}
	all, routes := env.GetRoutes(), rpccore.RoutesMap{}
	for _, name := range served {
		routes[name] = all[name]
	}
	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, routes, log)
	s.http = http.Server{
		Handler:           rpcserver.RecoverAndLogHandler(http.MaxBytesHandler(mux, maxRequest), log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.http.Serve(s.listener)
	}()
	return nil
}

// close drops all connections and waits until none is accepted.
func (s *rpcServer) close() error {
	if s.done == nil {
		return s.listener.Close()
	}
	err := s.http.Close()
	<-s.done
	return err
}
