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

// scene is a scenario while it is played.
type scene struct {
	*testing.T
	book    market.Book
	out     strings.Builder
	names   map[block.Link]string
	tickets map[string]block.Link // the last of a miner for a unit, "miner unit"
	issued  int
	added   uint64
}

// play plays a scenario and returns it with the actions that came out.
func play(t *testing.T, script string) string {
	s := &scene{T: t, names: map[block.Link]string{}, tickets: map[string]block.Link{}}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "    ") {
			continue // an action; it is written anew
		}
		s.out.WriteString(line)
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		after, err := time.ParseDuration(at)
		if err != nil {
			continue // a remark
		}
		s.event(time.Unix(0, 0).Add(after), strings.Fields(rest))
	}
	return s.out.String()
}

// event applies the event of a line. "done" is two: the result is attested, and
// found to be right. With "times=N" at its end the event comes N times, and only the
// actions of the last are written.
func (s *scene) event(now time.Time, args []string) {
	if n, ok := strings.CutPrefix(args[len(args)-1], "times="); ok {
		times, err := strconv.Atoi(n)
		if err != nil {
			s.Fatal(err)
		}
		args = args[:len(args)-1]
		before := s.out.String()
		for range times - 1 {
			s.event(now, args)
		}
		s.out.Reset()
		s.out.WriteString(before)
	}
	if args[0] == "done" {
		if s.apply(now, s.parse([]string{"attest", args[1], args[2]})) {
			s.apply(now, s.parse([]string{"checked", args[1], args[2]}))
		}
		return
	}
	s.apply(now, s.parse(args))
}

// apply applies an event, writes the actions, and gives tickets their names. It
// reports whether a result is to be checked.
func (s *scene) apply(now time.Time, e market.Event) (check bool) {
	actions, err := s.book.Apply(now, e)
	if err != nil {
		var reason *protocol.Error
		if !errors.As(err, &reason) {
			s.Errorf("%T: no reason: %v", e, err)
		}
		fmt.Fprintf(&s.out, "    error: %s\n", protocol.ReasonOf(err))
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.CheckResult:
			check = true
		case market.IssueTicket:
			s.issued++
			ticket := s.link(fmt.Sprint("ticket ", s.issued))
			s.tickets[nameOf(a.Miner)+" "+s.names[a.Unit]] = ticket
			if _, err := s.book.Apply(now, market.TicketSigned{Miner: a.Miner, Unit: a.Unit, Ticket: ticket}); err != nil {
				s.Error(err)
			}
		}
		if text := s.describe(a); text != "" {
			fmt.Fprintf(&s.out, "    %s\n", text)
		}
	}
	return check
}

func (s *scene) link(name string) block.Link {
	l := block.Link{Cid: block.Sum(block.CBOR, []byte(name))}
	s.names[l] = name
	return l
}

func account(name string) (a protocol.Account) {
	copy(a[:], name)
	return a
}

func nameOf(a protocol.Account) string { return strings.TrimRight(string(a[:]), "\x00") }

// parse reads "join m1 mflops=100 inflight=1", "add a,b 500 order barred=m1",
// "attest m1 a", "checked m1 a malformed" and the like. Where a ticket is meant, it is the
// last that the miner has of the unit, or "ticket=N", the Nth of the scenario.
func (s *scene) parse(args []string) market.Event {
	s.Helper()
	num := func(i int, prefix string) uint64 {
		if i >= len(args) {
			return 0
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(args[i], prefix), 10, 64)
		if err != nil {
			s.Fatalf("%q: %v", args, err)
		}
		return n
	}
	var miner protocol.Account
	var unit, ticket block.Link
	if len(args) > 1 {
		miner = account(args[1])
	}
	if len(args) > 2 {
		unit, ticket = s.link(args[2]), s.tickets[args[1]+" "+args[2]]
		if last := args[len(args)-1]; strings.HasPrefix(last, "ticket=") {
			ticket = s.link("ticket " + strings.TrimPrefix(last, "ticket="))
		}
	}
	switch args[0] {
	case "add": // several units of one cost: add a,b,c 500 [order] [barred=m1]
		var units []market.Unit
		var barred []protocol.Account
		if last, ok := strings.CutPrefix(args[len(args)-1], "barred="); ok {
			barred, args = append(barred, account(last)), args[:len(args)-1]
		}
		for name := range strings.SplitSeq(args[1], ",") {
			s.added++
			units = append(units, market.Unit{ID: s.link(name), Cost: num(2, ""), Order: s.added + num(3, ""), Barred: barred})
		}
		return market.AddUnits{Units: units}
	case "join":
		return market.MinerJoined{Miner: miner, MFLOPS: num(2, "mflops="), InFlight: uint32(num(3, "inflight="))}
	case "leave":
		return market.MinerLeft{Miner: miner}
	case "show":
		return market.TicketShown{Miner: miner, Unit: unit, Ticket: ticket}
	case "progress":
		return market.UnitProgress{Miner: miner, Ticket: ticket, DonePPM: uint32(num(3, ""))}
	case "attest":
		return market.Attested{Miner: miner, Unit: unit, Ticket: ticket}
	case "checked": // checked m1 a [reason]
		e := market.Checked{Miner: miner, Unit: unit, Ticket: ticket}
		if len(args) > 3 {
			e.Err = protocol.Refuse(reason(s.T, args[3]), "the test says so")
		}
		return e
	case "fail":
		return market.UnitFailed{Miner: miner, Ticket: ticket}
	case "void":
		return market.ResultVoided{Miner: miner}
	case "end":
		return market.AllDone{}
	case "tick":
		return market.Tick{}
	}
	s.Fatalf("unknown event %q", args)
	return nil
}

// reason finds a reason by its code.
func reason(t *testing.T, code string) protocol.Reason {
	for r := range protocol.Reason(100) {
		if r.String() == code {
			return r
		}
	}
	t.Fatalf("no reason %q", code)
	return 0
}

// describe writes an action. A check, which follows from an attestation, is left out.
func (s *scene) describe(a market.Action) string {
	switch a := a.(type) {
	case market.IssueTicket:
		kind := "lease"
		if a.Copy {
			kind = "copy"
		}
		return fmt.Sprintf("%s %s to %s for %ds", kind, s.names[a.Unit], nameOf(a.Miner), a.Seconds)
	case market.CancelTicket:
		return fmt.Sprintf("cancel %s of %s: %s", s.names[a.Unit], nameOf(a.Miner), a.Code)
	case market.CheckResult:
		return ""
	case market.AcceptResult:
		return fmt.Sprintf("accept %s of %s", s.names[a.Unit], nameOf(a.Miner))
	case market.RefuseResult:
		return fmt.Sprintf("refuse %s of %s: %s", s.names[a.Unit], nameOf(a.Miner), protocol.ReasonOf(a.Err))
	case market.EndSession:
		return fmt.Sprintf("end the session of %s: %s", nameOf(a.Miner), protocol.ReasonOf(a.Err))
	case market.TellIdle:
		return fmt.Sprintf("idle %s: %s", nameOf(a.Miner), a.Code)
	case market.TellWaiting:
		return fmt.Sprintf("%d units wait: %s", a.Units, a.Code)
	}
	return fmt.Sprintf("%T", a)
}
