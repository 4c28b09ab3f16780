package views_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// trained trains a tiny run in a home, as alia train --local does, and calls each after
// each round.
func trained(t *testing.T, dir home.Dir, each func(plan *run.Plan)) (*run.Plan, *node.TrainingResult) {
	t.Helper()
	cfg, err := train.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pieces, cfg.Dim, cfg.FFN, cfg.Heads, cfg.Encoder, cfg.Decoder = 300, 16, 32, 2, 1, 1
	cfg.BatchTokens, cfg.Epochs, cfg.Units, cfg.Checkpoint = 128, 2, 4, 4
	c := &corpus.Corpus{Source: "en", Target: "de"}
	en := strings.Fields("one two three four five six seven eight nine")
	de := strings.Fields("eins zwei drei vier fünf sechs sieben acht neun")
	for i := range en {
		for j := range en {
			p := corpus.Pair{Source: en[i] + " and " + en[j], Target: de[i] + " und " + de[j]}
			if (i+j)%7 == 0 {
				c.Valid = append(c.Valid, p)
			} else {
				c.Train = append(c.Train, p)
			}
		}
	}
	store, err := dir.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	plan, err := run.New(t.Context(), run.Fresh(store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	at := dir.Run(plan.Link)
	if err := home.Dir(at).Make(); err != nil {
		t.Fatal(err)
	}
	track, err := curves.OpenTrack(t.Context(), store, plan, at)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: func() uint64 { return uint64(time.Now().UnixMilli()) }}
	coordinator := &node.Coordinator{Dir: at, Store: store, Plan: plan, Crew: crew, Home: crew, Report: func(n node.Notice) {
		if done, ok := n.(node.RoundDone); ok {
			if err := track.Add(done); err != nil {
				t.Error(err)
			}
			each(plan)
		}
	}}
	out, err := coordinator.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := track.Close(); err != nil {
		t.Fatal(err)
	}
	return plan, out
}

// TestRun: a run is seen while it is trained and when it is done, with its curves, the
// units of its logs, and the same sentences after each validation.
func TestRun(t *testing.T) {
	dir := home.Dir(t.TempDir())
	v := &views.Viewer{Homes: views.One(dir), Alone: "no network"}
	if runs, err := v.Runs(t.Context()); err != nil || len(runs) > 0 || runs == nil {
		t.Errorf("a home without runs has %v, %v", runs, err)
	}
	seen := 0
	plan, out := trained(t, dir, func(plan *run.Plan) {
		d, err := v.Run(t.Context(), plan.Link.String())
		if seen++; err != nil || d.Of.State != "stopped" || d.Of.Reason == "" || d.Of.Rounds != seen || len(d.Points) != seen || d.Points[seen-1].Round != seen {
			t.Errorf("after %d rounds it is %+v, %v", seen, d.Of, err)
		}
	})
	runs, err := v.Runs(t.Context())
	if err != nil || len(runs) != 1 || runs[0].State != "finished" || runs[0].Model != out.Model.String() || runs[0].Source != "en" || time.Since(runs[0].Last) > time.Minute {
		t.Fatalf("runs %+v, %v", runs, err)
	}
	d, err := v.Run(t.Context(), plan.Link.String())
	if err != nil {
		t.Fatal(err)
	}
	if d.Of != runs[0] || len(d.Points) != out.Rounds || d.Counted != out.Rounds || len(d.Contributors) != 1 {
		t.Errorf("details %+v", d)
	}
	blocks, err := block.OpenReadOnly(dir.Blocks())
	if err != nil {
		t.Fatal(err)
	}
	_, history, err := node.History(t.Context(), blocks, dir.Run(plan.Link))
	if err != nil {
		t.Fatal(err)
	}
	var units, validations int
	var gflop float64
	for _, r := range history {
		for _, l := range r.All() {
			units++
			gflop += float64(float64(l.Cost) / 1e9)
		}
		if len(r.Translated) > 0 {
			validations++
		}
	}
	if c := d.Contributors[0]; c.Account != "" || c.Units != units || math.Abs(c.GFLOP-gflop) > 1e-9 {
		t.Errorf("contributors %+v, want %d units of %v GFLOP", c, units, gflop)
	}
	if len(d.Samples) != validations || validations == 0 {
		t.Fatalf("%d samples of %d validations", len(d.Samples), validations)
	}
	for _, s := range d.Samples {
		if len(s.Texts) != 4 {
			t.Errorf("round %d has %d samples", s.Round, len(s.Texts))
		}
		for i, x := range s.Texts {
			at := slices.IndexFunc(plan.Corpus.Valid, func(p corpus.Pair) bool { return p.Source == x.Source && p.Target == x.Reference })
			if at < 0 || x.Source != d.Samples[0].Texts[i].Source {
				t.Errorf("round %d: sample %+v", s.Round, x)
			}
		}
	}
	var absent gateway.Absent
	if _, err := v.Run(t.Context(), out.Model.String()); !errors.As(err, &absent) {
		t.Errorf("a CID that is no run: %v", err)
	}
	if _, err := v.Nodes(t.Context()); !errors.As(err, &absent) || absent != "no network" {
		t.Errorf("without a network: %v", err)
	}
	if _, err := v.Ledger(t.Context(), ""); !errors.As(err, &absent) {
		t.Errorf("without a ledger: %v", err)
	}
	if err := v.Steer(t.Context(), "", "pause"); !errors.As(err, &absent) {
		t.Errorf("without a network it steers: %v", err)
	}
}

// served is a process that serves a home: its socket is real, what it answers is the
// test's.
func served(t *testing.T, dir home.Dir, answer func(args []string) (any, error)) (stop func()) {
	t.Helper()
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	s, err := daemon.Serve(dir.Socket(), func(_ context.Context, g *daemon.Guest) int {
		v, err := answer(g.Args)
		if err != nil {
			fmt.Fprintln(g.Stderr, "alia:", err)
			return 1
		}
		if text, ok := v.(string); ok {
			io.WriteString(g.Stdout, text)
		} else if err := json.NewEncoder(g.Stdout).Encode(v); err != nil {
			t.Error(err)
		}
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { s.Close(t.Context()) }
	return stop
}

// TestNodes: each home is asked at its socket; what cannot be known has a reason, and one
// home that answers badly does not hide the others.
func TestNodes(t *testing.T) {
	below := t.TempDir()
	t.Chdir(below) // as from `alia serve --home none`
	at := func(name string) views.Home { return views.Home{Name: name, Dir: home.Dir(filepath.Join(below, name))} }
	good, none, bad, long, down := at("good"), at("none"), at("bad"), at("long"), at("down")
	none.Dir = "none"
	down.Down = "killed by the fault script"
	snapshot := node.MinerSnapshot{
		State: node.MinerPaused, Reason: node.Why{Code: "paused", Text: "rests"}, Tasks: []node.TaskSnapshot{}, PassedOver: []node.PassedOver{},
		Devices: []node.DeviceSnapshot{{Name: "avx2", State: node.MinerPaused}},
	}
	var told []string
	served(t, good.Dir, func(args []string) (any, error) {
		switch told = append(told, strings.Join(args, " ")); args[0] {
		case "node":
			return report.NodeStatus{Running: true, Command: "alia --home /home/me/translate miner run --hold /home/me/secret", Peers: 3, Guests: []report.RunningCommand{
				{Command: "alia --json --network=n.json translate /home/me/letter.txt"}, {Command: "alia serve --listen 127.0.0.1:0"}, {Command: "alia --home"},
			}}, nil
		}
		return snapshot, nil
	})
	served(t, none.Dir, func(args []string) (any, error) {
		switch {
		case args[0] == "node":
			return report.NodeStatus{Running: true, Command: "alia node start"}, nil
		case args[1] == "status":
			return node.MinerSnapshot{State: node.MinerStopped, Reason: node.Why{Text: "no miner runs"}}, nil
		}
		return nil, errors.New("no miner runs in this home")
	})
	served(t, bad.Dir, func([]string) (any, error) { return "{", nil })
	served(t, long.Dir, func([]string) (any, error) { return strings.Repeat("x", 5<<20), nil })
	v := &views.Viewer{Homes: func() []views.Home { return []views.Home{good, none, bad, long, down} }, Notes: func() []string { return []string{"a note"} }, Network: "test"}
	all, err := v.Nodes(t.Context())
	if err != nil || len(all.Nodes) != 5 || !slices.Equal(all.Notes, []string{"a note"}) {
		t.Fatalf("%+v, %v", all, err)
	}
	n := all.Nodes
	if n[0].State != "running" || n[0].Peers != 3 || !slices.Equal(n[0].Commands, []string{"alia miner run", "alia translate", "alia serve", "alia"}) || n[0].Miner == nil || !reflect.DeepEqual(*n[0].Miner, snapshot) {
		t.Errorf("the good one: %+v", n[0])
	}
	if n[1].Miner != nil || n[1].MinerReason != "no miner runs" {
		t.Errorf("the one without a miner: %+v", n[1])
	}
	for i, want := range map[int]string{2: "unexpected end", 3: "too long", 4: "killed by the fault script"} {
		if n[i].State != "stopped" || !strings.Contains(n[i].Reason, want) {
			t.Errorf("%s: %+v, want %q", n[i].Name, n[i], want)
		}
	}
	for _, action := range []string{"pause", "resume", "finish"} {
		if err := v.Steer(t.Context(), "good", action); err != nil || told[len(told)-1] != "miner "+action+" --json" {
			t.Errorf("%s: told %q, %v", action, told[len(told)-1], err)
		}
	}
	var absent gateway.Absent
	for _, name := range []string{"none", "down", "nobody"} {
		if err := v.Steer(t.Context(), name, "pause"); !errors.As(err, &absent) {
			t.Errorf("%s is steered: %v", name, err)
		}
	}
}

// TestLedger: the view has what the ledger has, and says why when the ledger is gone.
func TestLedger(t *testing.T) {
	dir := t.TempDir()
	genesis, err := chain.Init(dir, "village", ledger.LocalParams())
	if err != nil {
		t.Fatal(err)
	}
	n, err := chain.Start(t.Context(), chain.Config{Home: dir, RPCListen: "127.0.0.1:0", BlockInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	client, err := light.Dial(t.Context(), light.Config{Addrs: []string{n.RPC()}, Genesis: genesis})
	if err != nil {
		t.Fatal(err)
	}
	v := &views.Viewer{Homes: views.One(home.Dir(t.TempDir())), Client: client, Network: "village"}
	var l gateway.LedgerView
	for l.Supply.Height == 0 { // until there is a height
		if l, err = v.Ledger(t.Context(), ""); err != nil && t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	who := l.Validators.Validators
	if l.Network != "village" || l.Height == 0 || time.Since(l.Time) > time.Minute || len(who) != 1 || l.Runs == nil || l.Account != nil {
		t.Errorf("%+v", l)
	}
	if l, err = v.Ledger(t.Context(), " "+who[0]+" "); err != nil || l.Account == nil || l.Account.Account != who[0] {
		t.Errorf("an account: %+v, %v", l.Account, err)
	}
	var absent gateway.Absent
	if _, err := v.Ledger(t.Context(), "alia1nonsense"); !errors.As(err, &absent) || !strings.Contains(err.Error(), "no such account") {
		t.Errorf("a wrong account: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Ledger(t.Context(), ""); !errors.As(err, &absent) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("the ledger is gone: %v", err)
	}
}
