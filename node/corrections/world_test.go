package corrections_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

// The people of the tests.
var (
	collector = key(1)
	ada       = key(2)
	ben       = key(3)
	reviewer  = key(4)
	spammer   = key(5)
)

var (
	model = block.Link{Cid: block.Sum(block.Raw, []byte("model"))}
	how   = "beam 1, f32, sentences 1"
)

// world is a collector's home, and how others sign.
type world struct {
	t      testing.TB
	dir    string
	memory *memory.TM
	pool   *corrections.Pool
	now    time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.UnixMilli(1_700_000_000_000)}
	var err error
	if w.memory, err = memory.Open(filepath.Join(w.dir, "memory"), memory.DefaultLimit); err != nil {
		t.Fatal(err)
	}
	w.pool = w.open(collector)
	t.Cleanup(func() { w.memory.Close(); w.pool.Close() })
	return w
}

// open opens the collector's pool, with the key given for its.
func (w *world) open(k ed25519.PrivateKey) *corrections.Pool {
	w.t.Helper()
	p, err := corrections.Open(corrections.Config{
		Dir: filepath.Join(w.dir, "corrections"), Net: ledgertest.Net, Collector: protocol.AccountOf(collector), Key: k, Memory: w.memory, Now: func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// of is the home of somebody else.
func (w *world) of(k ed25519.PrivateKey) *corrections.Pool {
	w.t.Helper()
	p, err := corrections.Open(corrections.Config{Dir: w.t.TempDir(), Net: ledgertest.Net, Collector: protocol.AccountOf(k), Key: k, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.Close() })
	return p
}

// made puts what the model gave for a text into the collector's memory.
func (w *world) made(source, machine string) {
	w.t.Helper()
	if err := w.memory.Put(memory.Known{Settings: memory.Settings{From: "en", To: "de", Model: model.String(), How: how}, Source: source, Target: machine}); err != nil {
		w.t.Fatal(err)
	}
}

func draft(source, machine, human string) corrections.Draft {
	return corrections.Draft{From: "en", To: "de", Source: source, Machine: machine, Human: human, Model: model, How: how, Licence: "CC0-1.0"}
}

// hand has somebody sign a draft, and gives the line to the collector.
func (w *world) hand(k ed25519.PrivateKey, d corrections.Draft) (corrections.Item, error) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	line, err := w.of(k).Sign(d)
	if err != nil {
		return corrections.Item{}, err
	}
	return w.take(line)
}

func (w *world) vote(k ed25519.PrivateKey, id block.Link, b corrections.Choice) (corrections.Item, error) {
	w.t.Helper()
	line, err := w.of(k).SignVote(id, b)
	if err != nil {
		return corrections.Item{}, err
	}
	return w.take(line)
}

func (w *world) take(line []byte) (corrections.Item, error) {
	w.t.Helper()
	all, err := w.pool.Import(context.Background(), line)
	if err != nil || len(all) != 1 {
		w.t.Fatal(all, err)
	}
	return all[0].Item, all[0].Err
}

func (w *world) must(e corrections.Item, err error) corrections.Item {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) publish(b protocol.Budget) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	if b.Votes == 0 {
		b.Votes = 1
	}
	if _, err := w.pool.Publish(b); err != nil {
		w.t.Fatal(err)
	}
}

// wantError checks an error's text; "" wants none.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// line is a state for comparison.
func line(e corrections.Item) string {
	return fmt.Sprintf("%s by %.12s due %d paid %v %s", e.State, e.By, e.Due, e.Paid, e.Note)
}
