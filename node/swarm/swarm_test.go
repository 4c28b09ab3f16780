package swarm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
)

// childScript, when set, makes the test binary a child of a swarm: a fake alia that
// behaves as the variable says.
const childScript = "ALIA_TEST_SWARM_CHILD"

func TestMain(m *testing.M) {
	if script := os.Getenv(childScript); script != "" {
		os.Exit(child(script, strings.Join(os.Args[1:], " ")))
	}
	os.Exit(m.Run())
}

// child is a fake alia: it says that it is ready, the coordinator ends two rounds, and
// everybody waits for SIGTERM. Files in its home say how far it came.
func child(script, args string) int {
	say := func(n node.Notice) {
		if data, err := node.EncodeNotice(n); err == nil {
			fmt.Println(string(data))
		}
	}
	_, home, _ := strings.Cut(args, "--home ")
	home, _, _ = strings.Cut(home, " ")
	mark := func(name string) { os.WriteFile(filepath.Join(home, name), nil, 0o600) }
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if script == "bad flag" && strings.HasPrefix(args, "miner run") {
		fmt.Fprintln(os.Stderr, "alia: unknown flag: --device")
		return 2
	}
	say(node.Ready{})
	mark("ready")
	if strings.HasPrefix(args, "train") {
		for !exists(filepath.Join(filepath.Dir(home), "miner-2", "ready")) {
			select {
			case <-stop:
				return 0
			case <-time.After(time.Millisecond):
			}
		}
		say(node.Planned{Rounds: 9, Text: "run bafyrun"})
		for r := range 2 {
			say(node.RoundDone{Round: r + 1, Rounds: 9, Loss: 3, Tokens: 10, Seconds: 1})
		}
	}
	<-stop
	mark("ended")
	return 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// watcher is a screen that calls seen when a text is printed.
type watcher struct {
	mu   sync.Mutex
	all  bytes.Buffer
	text string
	seen func()
}

func (w *watcher) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(data)
	if strings.Contains(w.all.String(), w.text) {
		w.seen()
	}
	return len(data), nil
}

func supervise(t *testing.T, child string, validators int, faults, until string) (printed, dir string, err error) {
	t.Helper()
	t.Setenv(childScript, child)
	steps, err := ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir = t.TempDir()
	screen := &watcher{text: until, seen: cancel}
	err = Run(ctx, Config{
		Program: os.Args[0], Home: dir, Validators: validators, Miners: 2, Source: "en", Target: "de", Faults: steps, Started: time.Now(),
		Screen: NewScreen(screen, nil, false),
	})
	return screen.all.String(), dir, err
}

// TestSupervisor: the fault script kills and starts processes, says which step never
// happens, and in the end every process that runs is asked to end.
func TestSupervisor(t *testing.T) {
	printed, dir, err := supervise(t, "good", 1, "round 1: kill miner-1; round 2: start miner-3; round 2: kill ledger; round 50: kill miner-2", "kill ledger")
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"run bafyrun: 9 rounds",
		"fault script: round 1: kill miner-1",
		"fault script: round 2: start miner-3",
		`fault script: "round 50: kill miner-2" never happens: the run has 9 rounds`,
	} {
		if strings.Count(printed, want) != 1 {
			t.Errorf("%q is not printed once:\n%s", want, printed)
		}
	}
	for name, want := range map[string]bool{"coordinator": true, "miner-2": true, "miner-1": false, "ledger": false} {
		if got := exists(filepath.Join(dir, name, "ended")); got != want {
			t.Errorf("%s was asked to end: %v, want %v", name, got, want)
		}
	}
}

// TestFirstStartFails: a process that cannot start ends the swarm, with its own error.
func TestFirstStartFails(t *testing.T) {
	_, dir, err := supervise(t, "bad flag", 1, "", "never")
	if err == nil || !strings.Contains(err.Error(), "ended: unknown flag: --device (its log is "+filepath.Join(dir, "miner-")) {
		t.Errorf("error %v", err)
	}
}

// TestMinerThatNeverRuns: a script that cannot be executed is refused before anything
// is made.
func TestMinerThatNeverRuns(t *testing.T) {
	_, dir, err := supervise(t, "good", 1, "5s: kill miner-9", "never")
	if err == nil || !strings.Contains(err.Error(), "no step starts miner-9") {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%v was made", entries)
	}
}

// TestValidators: each validator has a process, and a script can kill one.
func TestValidators(t *testing.T) {
	printed, dir, err := supervise(t, "good", 4, "round 1: kill ledger-3; round 2: kill miner-1", "kill miner-1")
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if want := "fault script: round 1: kill ledger-3"; strings.Count(printed, want) != 1 {
		t.Errorf("%q is not printed once:\n%s", want, printed)
	}
	for name, want := range map[string]bool{"ledger": true, "ledger-2": true, "ledger-3": false, "ledger-4": true} {
		if got := exists(filepath.Join(dir, name, "ended")); got != want {
			t.Errorf("%s was asked to end: %v, want %v", name, got, want)
		}
	}
}

// TestNetworkOfValidators: the network file has all ledger nodes, the genesis has all
// validators, and a swarm keeps its validators.
func TestNetworkOfValidators(t *testing.T) {
	dir := t.TempDir()
	names := []string{LedgerName, ValidatorName(2), ValidatorName(3), "miner-1"}
	members, network, err := makeHomes(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(network.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	if len(network.Ledger) != 3 || len(network.LedgerPeers) != 3 || len(network.Bootstrap) != 3 || len(doc.Ledger.Validators) != 3 {
		t.Errorf("the network of three validators is %+v of %v", network, doc.Ledger.Validators)
	}
	for i, name := range names {
		read, err := node.ReadNetwork(members[name].home.Network())
		if err != nil || !bytes.Equal(read.Genesis, network.Genesis) {
			t.Errorf("network file of %s: %v", name, err)
		}
		keys, err := chain.Keys(members[name].home.Chain())
		if err != nil {
			t.Fatal(err)
		}
		if at := slices.Index(doc.Ledger.Validators, protocol.AccountOf(keys.Validator)); at != i && i < 3 || i == 3 && at >= 0 {
			t.Errorf("%s is validator %d of the genesis", name, at)
		}
	}
	if _, again, err := makeHomes(dir, names); err != nil || !bytes.Equal(again.Genesis, network.Genesis) {
		t.Errorf("the same swarm again: %v", err)
	}
	if _, _, err := makeHomes(dir, names[:1]); err == nil || !strings.Contains(err.Error(), "give --validators 3") {
		t.Errorf("the swarm with one validator: %v", err)
	}
}
