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

// parseEvent reads "join m1 mflops=100 inflight=1", "add a 500 order",
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
		return market.AddUnits{Units: units}
	case "drop":
		return market.DropUnits{Units: []block.Link{unit(args[1])}}
	case "join":
		return market.MinerJoined{Miner: account(args[1]), MFLOPS: num(2, "mflops="), InFlight: uint32(num(3, "inflight="))}
	case "leave":
		return market.MinerLeft{Miner: account(args[1])}
	case "progress":
		return market.UnitProgress{Miner: account(args[1]), Unit: unit(args[2]), DonePPM: uint32(num(3, ""))}
	case "done":
		return market.UnitDone{Miner: account(args[1]), Unit: unit(args[2])}
	case "fail":
		return market.UnitFailed{Miner: account(args[1]), Unit: unit(args[2])}
	case "tick":
		return market.Tick{}
	}
	t.Fatalf("unknown event %q", args)
	return nil
}

func describe(a market.Action, names map[block.Link]string) string {
	switch a := a.(type) {
	case market.IssueTicket:
		kind := "lease"
		if a.Copy {
			kind = "copy"
		}
		return fmt.Sprintf("%s %s to %s for %ds", kind, names[a.Unit], nameOf(a.Miner), a.Seconds)
	case market.CancelTicket:
		return fmt.Sprintf("cancel %s of %s: %s", names[a.Unit], nameOf(a.Miner), a.Code)
	case market.TellIdle:
		return fmt.Sprintf("idle %s: %s", nameOf(a.Miner), a.Code)
	}
	return fmt.Sprintf("%T", a)
}
