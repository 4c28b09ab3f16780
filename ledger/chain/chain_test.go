package chain

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// childHome, when set, makes the test binary a ledger node to be killed.
const childHome = "ALIA_TEST_CHAIN_HOME"

func TestMain(m *testing.M) {
	if home := os.Getenv(childHome); home != "" {
		n, err := Start(context.Background(), quick(home))
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
	return Config{Home: home, RPCListen: "127.0.0.1:0", BlockInterval: 20 * time.Millisecond, ApproveRuns: true}
}

func initHome(t *testing.T) (home string, net protocol.Net) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "home")
	genesis, err := Init(home, "test", ledger.DefaultParams())
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
	deadline := time.After(20 * time.Second)
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
	client, err := rpchttp.New(rpc, "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.BroadcastTxSync(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	if res.Code != 0 {
		t.Fatalf("%T: %s", body, res.Log)
	}
}

func entry(t *testing.T, net protocol.Net, run, unit block.Link) ledger.SettleEntry {
	t.Helper()
	e := ledger.SettleEntry{
		Attestation: protocol.Attestation{Work: run, Unit: unit, Result: link("result"), Cost: 1000},
		Accept: protocol.Accept{
			Work: run, Unit: unit, Miner: protocol.AccountOf(key("miner")), Result: link("result"), Cost: 1000,
		},
	}
	if _, err := protocol.Sign(key("miner"), net, &e.Attestation); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.Sign(key("coordinator"), net, &e.Accept); err != nil {
		t.Fatal(err)
	}
	return e
}

// A node that is killed at any moment resumes. What it had settled is there once, and
// the books balance.
func TestKillAndRestart(t *testing.T) {
	home, net := initHome(t)
	run := link("run")
	var units []block.Link
	for life := range 6 {
		rpc, kill := spawn(t, home)
		if life == 0 {
			submit(t, rpc, net, "coordinator", ledger.RunPropose{Run: run, Budget: 1 << 40}, 0)
			waitFor(t, "approval", func() bool { return status(t, rpc, run) == ledger.Approved })
		}
		var settle ledger.Settle
		for i := range 20 {
			units = append(units, link(fmt.Sprint(life, i)))
			settle.Entries = append(settle.Entries, entry(t, net, run, units[len(units)-1]))
		}
		submit(t, rpc, net, "relay", settle, 0)
		waitFor(t, "settlement", func() bool { return found(t, rpc, "unit", units[len(units)-1].Bytes()) })
		for range 5 * life { // queries take time, so that each life ends at another step of a height
			status(t, rpc, run)
		}
		kill()
	}
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	waitFor(t, "state", func() bool { return n.State() != nil })
	s := n.State()
	totals, err := s.Audit()
	if err != nil {
		t.Fatal(err)
	}
	var paid uint64
	for _, u := range units {
		settled, ok := s.Settlement(u)
		if !ok {
			t.Errorf("unit %s is lost", u)
		}
		paid += settled.Paid
	}
	if got := s.Account(protocol.AccountOf(key("miner"))).Balance; got != paid || totals.Units != len(units) {
		t.Errorf("miner has %d for %d units, want %d for %d", got, totals.Units, paid, len(units))
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
func spawn(t *testing.T, home string) (rpc string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childHome+"="+home)
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
	client, err := rpchttp.New(rpc, "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.ABCIQuery(t.Context(), path, arg)
	if err != nil {
		t.Fatal(err)
	}
	return res.Response
}

func found(t *testing.T, rpc, path string, arg []byte) bool {
	t.Helper()
	return len(query(t, rpc, path, arg).Value) > 0
}

func status(t *testing.T, rpc string, run block.Link) ledger.RunStatus {
	t.Helper()
	var r ledger.RunState
	if value := query(t, rpc, "run", run.Bytes()).Value; len(value) > 0 {
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
