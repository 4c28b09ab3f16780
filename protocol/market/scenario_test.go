package market_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
)

var update = flag.Bool("update", false, "rewrite the scenarios' expected actions")

// TestScenarios plays testdata/*.txt. A line is "TIME EVENT ARGUMENTS..."; the
// lines below it, indented, are the actions it brought about. Other lines are
// remarks.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("played:\n%s", got)
			}
		})
	}
}

// play plays a scenario and returns it with the actions that came out.
func play(t *testing.T, script string) string {
	var book market.Book
	names := map[block.Link]string{}
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "    ") {
			continue // an action; it is written anew
		}
		out.WriteString(line)
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		after, err := time.ParseDuration(at)
		if err != nil {
			continue // a remark
		}
		actions, err := book.Apply(time.Unix(0, 0).Add(after), parseEvent(t, strings.Fields(rest), names))
		if err != nil {
			var e *protocol.Error
			if !errors.As(err, &e) {
				t.Errorf("%s: no reason: %v", line, err)
			}
			fmt.Fprintf(&out, "    refused: %s\n", protocol.ReasonOf(err))
		}
		for _, a := range actions {
			fmt.Fprintf(&out, "    %s\n", describe(a, names))
		}
	}
	return out.String()
}

func account(name string) (a protocol.Account) {
	copy(a[:], name)
	return a
}

func nameOf(a protocol.Account) string { return strings.TrimRight(string(a[:]), "\x00") }

// parseEvent reads "join m1 mflops=100 inflight=1 price=0", "add a 500 order",
// "done m1 a" and the like.
func parseEvent(t *testing.T, args []string, names map[block.Link]string) market.Event {
	t.Helper()
	num := func(i int, prefix string) uint64 {
		if i >= len(args) {
			return 0
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(args[i], prefix), 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return n
	}
	unit := func(name string) block.Link {
		l := block.Link{Cid: block.Sum(block.CBOR, []byte(name))}
		names[l] = name
		return l
	}
	switch args[0] {
	case "add": // several units of one cost: add a,b,c 500 [order]
		var units []market.Unit
		for name := range strings.SplitSeq(args[1], ",") {
			units = append(units, market.Unit{ID: unit(name), Cost: num(2, ""), Order: uint64(len(names)) + num(3, "")})
		}
		return market.Add{Units: units}
	case "drop":
		return market.Drop{Units: []block.Link{unit(args[1])}}
	case "join":
		return market.Join{Miner: account(args[1]), MFLOPS: num(2, "mflops="), InFlight: uint32(num(3, "inflight=")), Price: num(4, "price=")}
	case "credit":
		return market.Credit{Miner: account(args[1]), InFlight: uint32(num(2, ""))}
	case "leave":
		return market.Leave{Miner: account(args[1])}
	case "progress":
		return market.Progress{Miner: account(args[1]), Unit: unit(args[2]), DonePPM: uint32(num(3, ""))}
	case "done":
		return market.Done{Miner: account(args[1]), Unit: unit(args[2])}
	case "fail":
		return market.Fail{Miner: account(args[1]), Unit: unit(args[2])}
	case "tick":
		return market.Tick{}
	}
	t.Fatalf("unknown event %q", args)
	return nil
}

func describe(a market.Action, names map[block.Link]string) string {
	switch a := a.(type) {
	case market.Lease:
		kind := "lease"
		if a.Copy {
			kind = "copy"
		}
		return fmt.Sprintf("%s %s to %s for %ds", kind, names[a.Unit], nameOf(a.Miner), a.Seconds)
	case market.Cancel:
		return fmt.Sprintf("cancel %s of %s: %s", names[a.Unit], nameOf(a.Miner), a.Code)
	case market.Idle:
		return fmt.Sprintf("idle %s: %s", nameOf(a.Miner), a.Code)
	}
	return fmt.Sprintf("%T", a)
}

// TestMaxPrice: a bid above what the work pays is not served.
func TestMaxPrice(t *testing.T) {
	book := market.Book{MaxPrice: 5}
	id := block.Link{Cid: block.Sum(block.CBOR, nil)}
	if _, err := book.Apply(time.Time{}, market.Add{Units: []market.Unit{{ID: id, Cost: 1}}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		price uint64
		want  market.Action
	}{
		{6, market.Idle{Miner: account("m"), Code: protocol.PriceTooHigh}},
		{5, market.Lease{Miner: account("m"), Unit: id, Seconds: 10}},
	} {
		actions, err := book.Apply(time.Time{}, market.Join{Miner: account("m"), MFLOPS: 1, InFlight: 1, Price: c.price})
		if err != nil || len(actions) != 1 || actions[0] != c.want {
			t.Errorf("at price %d: %v, %v", c.price, actions, err)
		}
	}
}
