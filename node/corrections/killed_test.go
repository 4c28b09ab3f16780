//go:build unix

package corrections_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

func TestMain(m *testing.M) {
	if at := os.Getenv("CORRECTIONS_KILL"); at != "" {
		if err := payAndDie(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mortal is a bank whose process is killed by kill -9 at a call.
type mortal struct {
	*light.Sender
	at string
}

func (m mortal) die(call string) {
	if m.at == call {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (m mortal) Prepare(ctx context.Context, body ledger.Body) (light.Prepared, error) {
	p, err := m.Sender.Prepare(ctx, body)
	m.die("prepared")
	return p, err
}

func (m mortal) Submit(ctx context.Context, p light.Prepared) error {
	m.die("before-submit")
	err := m.Sender.Submit(ctx, p)
	m.die("submitted")
	return err
}

func (m mortal) Fate(ctx context.Context, p light.Prepared) (ledger.Fate, ledger.Code, error) {
	f, code, err := m.Sender.Fate(ctx, p)
	if f == ledger.Taken {
		m.die("taken")
	}
	return f, code, err
}

// payAndDie pays from the home in the environment. It is a process of its own.
func payAndDie(at string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir := home.Dir(os.Getenv("CORRECTIONS_HOME"))
	p, l, err := poolOf(ctx, dir)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.Pay(ctx, mortal{l.Sender(p.Key), at}, corrections.NotLooked)
	return err
}

func poolOf(ctx context.Context, dir home.Dir) (*corrections.Pool, *light.Client, error) {
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return nil, nil, err
	}
	key, err := dir.Key()
	if err != nil {
		return nil, nil, err
	}
	m, err := memory.Open(dir.Memory(), memory.DefaultLimit)
	if err != nil {
		return nil, nil, err
	}
	p, err := corrections.Open(corrections.Config{Dir: dir.Corrections(), Net: network.Net(), Collector: protocol.AccountOf(key), Key: key, Memory: m})
	if err != nil {
		return nil, nil, err
	}
	l, err := light.Dial(ctx, light.Config{Addrs: network.Ledger, Genesis: network.Genesis})
	return p, l, err
}

// TestKilled: a process that pays on a real ledger, killed by kill -9 at each moment. The
// next process pays what is due, once.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network: go test without -short does")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	dir, err := n.Customer(ctx, "collector")
	if err != nil {
		t.Fatal(err)
	}
	p, l, err := poolOf(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Publish(protocol.Budget{Amount: 1000, PerAuthor: 1000, PerCorrection: 10, Votes: 1, Rules: corrections.Rules}); err != nil {
		t.Fatal(err)
	}
	// One author and one payment for each moment.
	moments := []string{"prepared", "before-submit", "submitted", "taken"}
	for i, at := range moments {
		author := key(byte(20 + i))
		d := draft(fmt.Sprint("Text ", at, "."), "", "Ein Text "+at+".")
		if err := p.Memory.Put(memory.Known{Settings: memory.Settings{From: "en", To: "de", Model: model.String(), How: how}, Source: d.Source, Target: "Die Text " + at + "."}); err != nil {
			t.Fatal(err)
		}
		d.Author, d.Payee = "key 1", protocol.AccountOf(author)
		e, err := p.Write(ctx, d)
		if err != nil || e.Due != 10 {
			t.Fatal(line(e), e.Reason, err)
		}
		run := func(at string) error {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), "CORRECTIONS_KILL="+at, "CORRECTIONS_HOME="+string(dir))
			out, err := cmd.CombinedOutput()
			if len(out) > 0 {
				t.Logf("%s: %s", at, out)
			}
			return err
		}
		var exit *exec.ExitError
		if err := run(at); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: the process was not killed: %v", at, err)
		}
		if err := run("never"); err != nil {
			t.Fatalf("%s: the next process: %v", at, err)
		}
		a, err := l.Account(ctx, protocol.AccountOf(author))
		if err != nil || a.Balance != 10 {
			t.Errorf("%s: the author has %d, want 10; %v", at, a.Balance, err)
		}
	}
	all, waiting, err := p.Transfers()
	if err != nil || len(all) != len(moments) || len(waiting) != 0 {
		t.Error(len(all), waiting, err)
	}
	if _, err := os.Stat(filepath.Join(dir.Corrections(), "corrections.1")); err != nil {
		t.Error(err)
	}
}
