package chain

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// childConfig, when set, makes the test binary a ledger node to be killed. It is a [child]
// in JSON.
const childConfig = "ALIA_TEST_CHAIN_CONFIG"

// child is the part of a [Config] that a process of its own needs.
type child struct {
	Home, RPCListen, PeerListen string
	Peers                       []string
	BlockInterval               time.Duration
}

func TestMain(m *testing.M) {
	if data := os.Getenv(childConfig); data != "" {
		var c child
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		n, err := Start(context.Background(), Config{
			Home: c.Home, RPCListen: c.RPCListen, PeerListen: c.PeerListen, Peers: c.Peers, BlockInterval: c.BlockInterval, Approve: trust,
		})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("rpc", n.RPC())
		fmt.Println("stopped", n.Wait())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func quick(home string) Config {
	return Config{Home: home, RPCListen: "127.0.0.1:0", BlockInterval: 20 * time.Millisecond, Approve: trust}
}

func initHome(t *testing.T) (home string, net protocol.Net) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "home")
	genesis, err := Init(home, "test", ledger.LocalParams())
	if err != nil {
		t.Fatal(err)
	}
	return home, Net(genesis)
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// waitFor asks a node again and again until ok says true.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not in time", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// submit signs and submits a transaction; the nonce is the time's.
func submit(t *testing.T, rpc string, net protocol.Net, who string, body ledger.Body, height uint64) {
	t.Helper()
	tx, err := ledger.Sign(key(who), net, ledger.Tx{
		Nonce: uint64(time.Now().UnixNano()), ExpHeight: height + 1000, Body: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := dial(t, rpc).BroadcastTxSync(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	if res.Code != 0 {
		t.Fatalf("%T: %s", body, res.Log)
	}
}

// clients are those of all tests by address: a node bounds the connections of a host.
var clients sync.Map

func dial(t *testing.T, rpc string) *rpchttp.HTTP {
	t.Helper()
	client, err := rpchttp.New(rpc, "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := clients.LoadOrStore(rpc, client)
	return first.(*rpchttp.HTTP)
}

// A node that is killed at any moment resumes. What it had claimed is paid once, and
// the books balance.
func TestKillAndRestart(t *testing.T) {
	const lives, slots = 6, 20
	home, net := initHome(t)
	run := newRun("run", lives, slots)
	function := run.plan().Function
	claimed := func(rpc string) (f ledger.FunctionState) {
		t.Helper()
		if value := query(t, rpc, "function", function.Bytes()).Value; len(value) > 0 {
			if err := block.Decode(value, &f); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
	for life := range lives {
		rpc, kill := spawn(t, quick(home))
		if life == 0 {
			submit(t, rpc, net, "coordinator", run.propose(), 0)
			waitFor(t, "approval", func() bool { return status(t, rpc, "coordinator", "run") == ledger.Approved })
		}
		submit(t, rpc, net, "coordinator", run.claim(t, net, life, "coordinator", "miner"), 0)
		waitFor(t, "claim", func() bool { return claimed(rpc).Next == uint32(life+1) })
		for range 5 * life { // queries take time, so that each life ends at another step of a height
			status(t, rpc, "coordinator", "run")
		}
		kill()
	}
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	waitFor(t, "pay", func() bool {
		if n.State() == nil {
			return false
		}
		f, _ := n.State().Function(function)
		return f.Paid == lives
	})
	s := n.State()
	if _, err := s.Audit(); err != nil {
		t.Fatal(err)
	}
	miner := s.Account(protocol.AccountOf(key("miner")))
	if supply := s.Supply(); miner.Balance == 0 || miner.Balance != miner.Earned || supply.Minted != miner.Earned || supply.Owed != 0 {
		t.Errorf("the miner has %d and has earned %d, %d are minted, %d owed", miner.Balance, miner.Earned, supply.Minted, supply.Owed)
	}
	// The rates rise a little from height to height.
	if least := uint64(lives * slots * 100_000); miner.Earned < least || miner.Earned > 2*least {
		t.Errorf("%d for %d slots of a GFLOP, want about %d", miner.Earned, lives*slots, least)
	}
	height := s.Height()
	waitFor(t, "another height", func() bool { return n.State().Height() > height })
	n.app.mu.Lock() // the chain goes on while the test looks
	states := slices.Clone(n.app.states)
	n.app.mu.Unlock()
	for _, s := range states {
		if _, err := s.Audit(); err != nil {
			t.Error(err)
		}
	}
}

// spawn starts a node in a process of its own and returns its RPC address and
// what kills it.
func spawn(t *testing.T, c Config) (rpc string, kill func()) {
	t.Helper()
	data, err := json.Marshal(child{c.Home, c.RPCListen, c.PeerListen, c.Peers, c.BlockInterval})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childConfig+"="+string(data))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	rpc, ok := strings.CutPrefix(strings.TrimSpace(line), "rpc ")
	if !ok {
		t.Fatalf("node says %q", line)
	}
	return rpc, kill
}

func query(t *testing.T, rpc, path string, arg []byte) abci.ResponseQuery {
	t.Helper()
	res, err := dial(t, rpc).ABCIQuery(t.Context(), path, arg)
	if err != nil {
		t.Fatal(err)
	}
	return res.Response
}

func status(t *testing.T, rpc, coordinator, run string) ledger.RunStatus {
	t.Helper()
	var r ledger.RunState
	who := protocol.AccountOf(key(coordinator))
	if value := query(t, rpc, "run", append(link(run).Bytes(), who[:]...)).Value; len(value) > 0 {
		if err := block.Decode(value, &r); err != nil {
			t.Fatal(err)
		}
	}
	return r.Status
}

func TestStartRefuses(t *testing.T) {
	home, _ := initHome(t)
	if _, err := Init(home, "test", ledger.DefaultParams()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Init: %v, want ErrExist", err)
	}
	if _, err := Start(t.Context(), quick(t.TempDir())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no home: %v, want ErrNotExist", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := quick(home)
	taken.RPCListen = l.Addr().String()
	if _, err := Start(t.Context(), taken); err == nil || !strings.Contains(err.Error(), "RPC: address "+l.Addr().String()+" is in use") {
		t.Errorf("port in use: %v", err)
	}
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), quick(home)); err == nil || !strings.Contains(err.Error(), "in use by a live process") {
		t.Errorf("home in use: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Wait(); err != nil {
		t.Errorf("closed node: %v", err)
	}
}

func TestStartRefusesDamage(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"config/genesis.json", "{", "genesis.json"},
		{"config/priv_validator_key.json", "", "is damaged"},
		{"data/priv_validator_state.json", "[]", "is damaged"},
		{"config/node_key.json", "x", "node_key.json"},
	} {
		home, _ := initHome(t)
		if err := os.WriteFile(filepath.Join(home, c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(t.Context(), quick(home)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s damaged: %v", c.file, err)
		}
	}
}

// A home does not start with another network's genesis document.
func TestStartRefusesAnotherGenesis(t *testing.T) {
	home, _ := initHome(t)
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	other, _ := initHome(t)
	genesis, err := Genesis(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "config", "genesis.json"), genesis, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), quick(home)); err == nil || !strings.Contains(err.Error(), "holds network") {
		t.Errorf("another genesis: %v", err)
	}
}

func TestInitRefusesBadParameters(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if _, err := Init(home, "test", ledger.Params{}); err == nil {
		t.Error("no rates: taken")
	}
	if _, err := Init(home, "", ledger.DefaultParams()); err == nil {
		t.Error("no name: taken")
	}
	if _, err := Init(home, "test", ledger.DefaultParams()); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}
