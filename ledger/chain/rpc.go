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
	maxRequest     = 2 * ledger.MaxTx // bytes of a request: a transaction in base64 in JSON, with room
	maxHeader      = 8 << 10          // bytes of a request's HTTP header
	maxBatch       = 1                // calls of a request: a limit on requests is a limit on calls
	requestTime    = 10 * time.Second // to read a request, and to write its answer
	connectionRest = 10 * time.Second // until a connection without a request is closed
)

// served are the calls of CometBFT's RPC that light clients and nodes that join
// need, and status, for people. Each has a short answer.
var served = []string{"status", "commit", "validators", "consensus_params", "abci_query", "broadcast_tx_sync"}

// rpcServer answers light clients. CometBFT's own server would answer on open
// connections after the node has closed its files, and it would find a port in use
// only after the node has started.
type rpcServer struct {
	listener *limiter
	http     http.Server
	done     chan struct{} // closed when http has stopped, nil before it starts
}

// listen takes the address, whose port may be 0.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address %s is in use by another process: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	return l, nil
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
	limits := &rpcserver.Config{MaxBodyBytes: maxRequest, MaxRequestBatchSize: maxBatch}
	s.http = http.Server{
		Handler:           rpcserver.RecoverAndLogHandler(s.listener.handler(rpcserver.PreChecksHandler(mux, limits)), log),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       connectionRest,
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
