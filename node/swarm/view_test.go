package swarm

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// busy is the view of a swarm in the middle of a run: one miner works, one is idle,
// one was killed, and one is not started yet.
func busy() *view {
	accounts := map[string]*member{}
	order := []string{LedgerName, CoordinatorName, "miner-1", "miner-2", "miner-3", "miner-4"}
	for i, name := range order {
		accounts[name] = &member{name: name, account: protocol.Account{byte(i + 1)}}
	}
	v := newView(node.Network{Name: "village", Genesis: []byte("genesis")},
		Config{Source: "en", Target: "de", Devices: []string{"avx512", "portable"}}, accounts, order)
	at := func(s int) time.Duration { return time.Duration(s) * time.Second }
	v.notice(at(1), CoordinatorName, node.Planned{Rounds: 405, Text: "run bafyreih4ty4jfcvcg7yasgsv74rvggvr6b5d426jlj2t6kiuwfeodmopee"})
	v.notice(at(2), CoordinatorName, node.MinerJoined{Miner: accounts["miner-1"].account, Text: "avx2 on a processor, 2 threads"})
	for r := 1; r <= 212; r++ {
		e := node.RoundDone{Round: r, Rounds: 405, Epoch: 1 + r/100, Loss: 7 / (1 + float64(r)/40), Tokens: 1000, Seconds: 0.5}
		if r == 100 || r == 200 {
			e.Valid, e.BLEU = 5.5/(1+float64(r)/40), float64(r)/8
		}
		v.notice(at(2)+time.Duration(r)*250*time.Millisecond, CoordinatorName, e)
	}
	for range 140 {
		v.notice(at(50), CoordinatorName, node.UnitDone{Miner: accounts["miner-1"].account})
	}
	v.notice(at(50), "miner-1", node.UnitDone{})
	v.notice(at(50), "miner-1", node.UnitProgress{Task: "gradient", Done: 0.55})
	v.notice(at(51), "miner-2", node.MinerIdle{Why: node.Why{Code: "no-open-units", Text: "every open unit is leased"}})
	v.state("miner-3", down, "killed by the fault script")
	v.state("miner-4", later, "the fault script starts it")
	v.note(at(53), "fault script: round 200: kill miner-3")
	v.ledger(books{height: 41, supply: ledger.Supply{Minted: 231_400_000, Burned: 400_000},
		accounts: map[protocol.Account]ledger.AccountState{accounts["miner-1"].account: {Balance: 110_250_000}}})
	return &v
}

// crowded is the view of a swarm of 64 miners.
func crowded() *view {
	v := busy()
	for n := 5; n <= maxMiners; n++ {
		m := minerView{name: MinerName(n), device: "portable"}
		if n%3 == 0 {
			m.state = working
		}
		v.miners = append(v.miners, m)
	}
	return v
}

// council is the view of a swarm of four validators, one of which is down.
func council() *view {
	v := busy()
	v.others = []string{LedgerName, ValidatorName(2), ValidatorName(3), ValidatorName(4), CoordinatorName}
	v.state(ValidatorName(3), down, "killed by the fault script")
	return v
}

// finished is the view of a swarm that was started again after its run had ended.
func finished() *view {
	v := busy()
	again := newView(node.Network{Name: "village"}, Config{Source: "en", Target: "de"}, nil, nil)
	again.miners = v.miners[:2]
	again.notice(time.Second, CoordinatorName, node.Planned{Round: 40, Rounds: 40, Text: "run bafyrun"})
	again.trained(2*time.Second, &report.Trained{Rounds: 40, TrainLoss: 1.5, ValidLoss: 1.75})
	return &again
}

func TestRender(t *testing.T) {
	v := busy()
	unreachable := busy()
	unreachable.ledger(books{err: light.ErrUnreachable})
	unreachable.state(LedgerName, down, "killed by the fault script")
	early := newView(node.Network{Name: "village"}, Config{Source: "en", Target: "de"}, nil, nil)
	for name, lines := range map[string][]string{
		"80x24":    render(v, 55*time.Second, 79, 23, false),
		"100x30":   render(v, 55*time.Second, 99, 29, false),
		"160x50":   render(v, 55*time.Second, 159, 49, false),
		"narrow":   render(v, 55*time.Second, 44, 23, false),
		"colour":   render(v, 55*time.Second, 80, 23, true),
		"down":     render(unreachable, 61*time.Minute, 90, 23, false),
		"council":  render(council(), 55*time.Second, 99, 23, false),
		"crowded":  render(crowded(), 55*time.Second, 79, 23, false),
		"finished": render(finished(), 2*time.Second, 79, 23, false),
		"early":    render(&early, 0, 80, 23, false),
		"status":   {status(v, 55*time.Second), status(&early, 0)},
	} {
		got := []byte(strings.ReplaceAll(strings.Join(lines, "\n"), "\x1b", "ESC") + "\n")
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// TestRenderFits: no line is wider than the terminal, and there are not more lines
// than it has rows, however small it is.
func TestRenderFits(t *testing.T) {
	for _, v := range []*view{busy(), council(), crowded(), finished()} {
		for columns := 1; columns < 130; columns++ {
			rows := columns/3 + 1
			lines := render(v, time.Hour, columns, rows, false)
			if len(lines) > rows {
				t.Fatalf("%d rows: %d lines", rows, len(lines))
			}
			for i, l := range lines {
				if n := utf8.RuneCountInString(l); n > columns {
					t.Fatalf("width %d: line %d has %d columns: %q", columns, i, n, l)
				}
			}
		}
	}
}

func TestBarAndSparkline(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{bar(0, 10, 5), "░░░░░"},
		{bar(1, 80, 5), "░░░░░"},
		{bar(1, 40, 5), "▏░░░░"},
		{bar(3, 10, 5), "█▌░░░"},
		{bar(10, 10, 5), "█████"},
		{bar(11, 10, 5), "█████"},
		{bar(0, 0, 3), "░░░"},
		{sparkline(nil, 5), ""},
		{sparkline([]float64{1}, 5), "▁"},
		{sparkline([]float64{2, 2, 2}, 5), "▁▁▁"},
		{sparkline([]float64{7, 6, 5, 4, 3, 2, 1, 0}, 8), "█▇▆▅▄▃▂▁"},
		{sparkline([]float64{8, 6, 4, 2}, 2), "█▁"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestScreenDraws: a display is drawn over the one before, and nothing else moves the
// cursor up.
func TestScreenDraws(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, func() (int, int) { return 80, 24 }, false)
	v := busy()
	s.show(v, 0)
	first := b.Len()
	if strings.Contains(b.String(), "A\r") {
		t.Error("the first frame moves up")
	}
	n := len(render(v, 0, 79, 23, false))
	s.show(v, time.Second)
	if up := "\x1b[" + strconv.Itoa(n) + "A"; !strings.Contains(b.String()[first:], up) {
		t.Errorf("the second frame does not move up by %d lines", n)
	}
	s.close()
	if !strings.HasSuffix(b.String(), "\x1b[?25h") {
		t.Error("close does not show the cursor")
	}
}

// TestScreenPrints: without a terminal each note is printed once.
func TestScreenPrints(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b, nil, true)
	v := busy()
	s.show(v, time.Second)
	s.show(v, 2*time.Second)
	v.note(3*time.Second, "news")
	s.show(v, 3*time.Second)
	for text, want := range map[string]int{"miner-1 joined": 1, "news": 1, "| units:": 1, "\x1b": 0} {
		if got := strings.Count(b.String(), text); got != want {
			t.Errorf("%q is printed %d times, want %d:\n%s", text, got, want, b.String())
		}
	}
}
