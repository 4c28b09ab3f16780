package market_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
)

// TestBoardScenarios plays testdata/board/*.txt. A line is "TIME EVENT ARGUMENTS...";
// the lines below it, indented, say what came of it: a refusal, and each offer that is
// open now and was not ("+") or was and is not ("-"). Other lines are remarks.
func TestBoardScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/board/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newBoardGame(t).play(string(want))
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

// boardGame is a board under test.
type boardGame struct {
	t      *testing.T
	board  *market.Board
	start  time.Time
	names  map[block.Link]string
	shown  map[string]bool // what is open, as last written
	fresh  int             // accounts that floods made up
	out    strings.Builder
	posted map[string]market.Offer
}

func newBoardGame(t *testing.T) *boardGame {
	return &boardGame{
		t: t, board: market.NewBoard(), start: time.Unix(1_000_000_000, 0),
		names: map[block.Link]string{}, shown: map[string]bool{}, posted: map[string]market.Offer{},
	}
}

func (g *boardGame) play(script string) string {
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		g.out.WriteString(line)
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		after, err := time.ParseDuration(at)
		if err != nil {
			continue // a remark
		}
		now := g.start.Add(after)
		g.event(now, strings.Fields(rest))
		g.show(now)
	}
	return g.out.String()
}

// show writes how the open offers differ from those shown last. Those of floods are
// counted.
func (g *boardGame) show(now time.Time) {
	open := map[string]bool{}
	for _, l := range g.board.Open(now) {
		open[g.names[l.Work]+" of "+nameOf(l.Publisher)] = true
	}
	for _, sign := range []string{"-", "+"} {
		old, new := g.shown, open
		if sign == "-" {
			old, new = open, g.shown
		}
		made := 0
		for _, name := range slices.Sorted(maps.Keys(new)) {
			switch {
			case old[name]:
			case strings.Contains(name, "fresh"):
				made++
			default:
				fmt.Fprintf(&g.out, "    %s %s\n", sign, name)
			}
		}
		if made > 0 {
			fmt.Fprintf(&g.out, "    %s %d of fresh accounts\n", sign, made)
		}
	}
	g.shown = open
}

func (g *boardGame) refused(err error) {
	if err != nil {
		fmt.Fprintf(&g.out, "    refused: %s\n", protocol.ReasonOf(err))
	}
}

// option is the value of "key=value" among the arguments, or the other.
func option(args []string, key, other string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, key+"="); ok {
			return v
		}
	}
	return other
}

// offer makes an offer of work w by account a. Its price stands for all that differs
// between two offers of the same time.
func (g *boardGame) offer(w, a string, at time.Time, price uint64) market.Offer {
	l := block.Link{Cid: block.Sum(block.CBOR, []byte(w))}
	g.names[l] = w
	body := fmt.Appendf(nil, "%s %s %d %d", w, a, at.UnixMilli(), price)
	o := market.Offer{
		OfferKey: market.OfferKey{Work: l, Publisher: account(a)}, Time: at, Price: price,
		Encoded: protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: body},
	}
	g.posted[w+" of "+a] = o
	return o
}

// bring has a peer bring an offer, as a node takes it.
func (g *boardGame) bring(now time.Time, from string, o market.Offer) error {
	if g.board.Known(o.Encoded.Body) {
		return nil
	}
	if from != market.Self {
		if err := g.board.Admit(now, from); err != nil {
			return err
		}
	}
	_, err := g.board.Add(now, from, o)
	return err
}

func (g *boardGame) event(now time.Time, args []string) {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			g.t.Fatalf("%q: %v", args, err)
		}
		return n
	}
	signed := func(i int) time.Time {
		at := option(args, "signed", "")
		if at == "" {
			return now.Add(time.Duration(i) * time.Millisecond)
		}
		after, err := time.ParseDuration(at)
		if err != nil {
			g.t.Fatalf("%q: %v", args, err)
		}
		return g.start.Add(after + time.Duration(i)*time.Millisecond)
	}
	switch args[0] {
	case "offer": // offer WORK ACCOUNT [by=PEER] [signed=TIME] [price=N]
		from := option(args, "by", args[2])
		if from == "self" {
			from = market.Self
		}
		g.refused(g.bring(now, from, g.offer(args[1], args[2], signed(0), uint64(number(option(args, "price", "0"))))))
	case "flood": // flood N by=PEER [work=WORK] [account=ACCOUNT] [size=BYTES]: N offers of fresh accounts, or of one
		reasons := map[string]int{}
		for i := range number(args[1]) {
			g.fresh++
			name := fmt.Sprint("fresh", g.fresh)
			o := g.offer(option(args, "work", name), option(args, "account", name), signed(i%1000), 0)
			o.Encoded.Body = append(o.Encoded.Body, make([]byte, number(option(args, "size", "0")))...)
			if err := g.bring(now, option(args, "by", ""), o); err != nil {
				reasons[protocol.ReasonOf(err).String()]++
			}
		}
		for _, code := range slices.Sorted(maps.Keys(reasons)) {
			fmt.Fprintf(&g.out, "    refused: %d for %s\n", reasons[code], code)
		}
	case "end": // end WORK ACCOUNT
		g.board.End(now, g.posted[args[1]+" of "+args[2]].OfferKey)
	case "judge": // judge WORK ACCOUNT REASON
		reason := map[string]protocol.Reason{"paid": protocol.Unspecified, "unpaid": protocol.NotApproved, "away": protocol.ChainUnreachable}[args[3]]
		g.board.Judge(now, g.posted[args[1]+" of "+args[2]], market.Verdict{Reason: reason})
	case "verdict": // verdict WORK ACCOUNT
		for _, l := range g.board.Open(now) {
			if g.names[l.Work] == args[1] && nameOf(l.Publisher) == args[2] {
				fmt.Fprintf(&g.out, "    judged %v, paid %v, %s\n", l.Verdict.Judged, l.Verdict.Paid(), l.Verdict.Reason)
			}
		}
	case "due": // due [N]: the next N offers to ask the ledger about
		for i := range number(args[1]) {
			o, ok := g.board.Due(now, func(market.Offer) bool { return true })
			if !ok {
				fmt.Fprintf(&g.out, "    nothing after %d\n", i)
				break
			}
			if option(args, "judge", "") != "" {
				g.board.Judge(now, o, market.Verdict{Reason: protocol.NotApproved})
			}
			if name := nameOf(o.Publisher); !strings.HasPrefix(name, "fresh") {
				fmt.Fprintf(&g.out, "    ask about %s of %s\n", g.names[o.Work], name)
			}
			if option(args, "judge", "") == "" {
				break
			}
		}
	case "pages": // pages: what a peer reads that asks for all pages
		pages, offers, cursor := 0, 0, uint64(0)
		for {
			page := g.board.Page(now, cursor)
			pages++
			offers += len(page.Offers)
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
		fmt.Fprintf(&g.out, "    %d offers on %d pages\n", offers, pages)
	case "tick":
	default:
		g.t.Fatalf("unknown event %q", args)
	}
}

// BenchmarkBoard measures a full board: an offer of a fresh account that comes by a peer
// of a flood, the renewal of an offer, the choice of the next question to the ledger, the
// list of open offers and a page.
func BenchmarkBoard(b *testing.B) {
	now := time.Unix(1_000_000_000, 0)
	offer := func(i int, at time.Time) market.Offer {
		name := fmt.Sprint(i)
		return market.Offer{
			OfferKey: market.OfferKey{Work: block.Link{Cid: block.Sum(block.CBOR, []byte(name))}, Publisher: account(name)}, Time: at,
			Encoded: protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: fmt.Appendf(nil, "%s %d", name, at.UnixNano())},
		}
	}
	full := func() *market.Board {
		board := market.NewBoard()
		for i := range 2048 {
			if _, err := board.Add(now, fmt.Sprint("peer ", i%64), offer(i, now)); err != nil {
				b.Fatal(err)
			}
		}
		return board
	}
	any := func(market.Offer) bool { return true }
	for name, do := range map[string]func(*market.Board, int){
		"fresh": func(board *market.Board, i int) {
			at := now.Add(time.Duration(i%20_000) * 2 * time.Millisecond)
			_, _ = board.Add(at, "flood", offer(10_000+i, at))
		},
		"renew": func(board *market.Board, i int) {
			_, _ = board.Add(now, "peer", offer(i%2048, now.Add(time.Duration(i))))
		},
		"ask":   func(board *market.Board, i int) { board.Due(now.Add(time.Duration(i)*time.Second), any) },
		"open":  func(board *market.Board, i int) { board.Open(now) },
		"page":  func(board *market.Board, i int) { board.Page(now, 1024) },
		"admit": func(board *market.Board, i int) { _ = board.Admit(now, "flood") },
	} {
		b.Run(name, func(b *testing.B) {
			board := full()
			for i := 0; b.Loop(); i++ {
				do(board, i)
			}
		})
	}
}
