package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// books is a ledger that refuses the units of one miner.
type books struct {
	refuses protocol.Account
	settled map[block.Link]ledger.Settlement
	height  uint64
	rounds  uint64
	pending int // looks at the run before it is approved
	sent    int // transactions
	onSend  func()
}

func (b *books) Run(context.Context, block.Link) (ledger.RunState, bool, error) {
	if b.pending--; b.pending >= 0 {
		return ledger.RunState{Status: ledger.Proposed}, true, nil
	}
	return ledger.RunState{Status: ledger.Approved, Rounds: b.rounds}, true, nil
}

func (b *books) Settled(_ context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error) {
	found := map[block.Link]ledger.Settlement{}
	for _, u := range units {
		if s, ok := b.settled[u]; ok {
			found[u] = s
		}
	}
	return found, nil
}

// Send settles each unit once, like the ledger, and refuses a Settle of which it
// takes no entry.
func (b *books) Send(_ context.Context, body ledger.Body) (uint64, error) {
	b.sent++
	if b.onSend != nil {
		b.onSend()
	}
	b.height++
	switch tx := body.(type) {
	case ledger.RoundCommit:
		b.rounds += uint64(len(tx.Rounds))
	case ledger.Settle:
		taken := 0
		for _, e := range tx.Entries {
			a := e.Attestation
			if _, ok := b.settled[a.Unit]; ok || a.Account == b.refuses {
				continue
			}
			taken++
			b.settled[a.Unit] = ledger.Settlement{Unit: a.Unit, Miner: a.Account, Result: a.Result, Height: b.height}
		}
		if taken == 0 {
			return 0, fmt.Errorf("%w: the unit costs too much", ledger.OverBudget)
		}
	}
	return 0, nil
}

func (b *books) Confirm(context.Context, uint64) error { return nil }

// accepted is a line of a journal for a unit of that name, done by a miner.
func accepted(name string, slot uint32, miner byte) journal.Line {
	by := protocol.Account{miner}
	result := named(fmt.Sprint("result of ", name, " by ", miner))
	return journal.Line{
		Key: journal.Key{Unit: named(name), Slot: slot},
		Record: journal.Accepted{
			Attestation: protocol.Attestation{Work: named("run"), Unit: named(name), Result: result, Seal: protocol.Seal{Account: by}},
			Accept:      protocol.Accept{Work: named("run"), Unit: named(name), Miner: by, Result: result},
		},
	}
}

func newRelay(t *testing.T, o journal.Options) (*node.Relay, *books, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, protocol.Net{1}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	b := &books{settled: map[block.Link]ledger.Settlement{}, refuses: protocol.Account{13}}
	return &node.Relay{Ledger: b, Sender: b, Journal: j, Every: time.Millisecond, Report: func(n node.Notice) { t.Log(n) }, Log: quiet}, b, dir
}

func write(t *testing.T, r *node.Relay, lines ...journal.Line) {
	t.Helper()
	if err := r.Journal.Append(lines...); err != nil {
		t.Fatal(err)
	}
}

// TestRelayPassesOver: units that the ledger refuses do not keep it from the others,
// however many they are.
func TestRelayPassesOver(t *testing.T) {
	r, b, _ := newRelay(t, journal.Options{})
	for i := range 3 * ledger.MaxEntries { // the oldest batches are refused whole, the next in part
		miner := byte(13)
		if i > 2*ledger.MaxEntries && i%2 == 0 {
			miner = 1
		}
		write(t, r, accepted(fmt.Sprint(i), 0, miner))
	}
	waiting := 0
	r.Report = func(n node.Notice) {
		if _, ok := n.(node.Waiting); ok {
			waiting++
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Drain(ctx); !errors.Is(err, ledger.OverBudget) {
		t.Fatalf("Drain = %v, want the ledger's refusal", err)
	}
	const good = ledger.MaxEntries/2 - 1
	if len(b.settled) != good || r.Journal.Count(journal.Paid) != good {
		t.Errorf("%d units are settled, %d in the journal, want %d", len(b.settled), r.Journal.Count(journal.Paid), good)
	}
	// While the relay carries, it says once why it waits.
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.sent, b.onSend = 0, func() {
		if b.sent == 12 { // all had their turn several times
			cancel()
		}
	}
	if err := r.Carry(ctx); err != nil || b.sent < 12 || waiting != 1 {
		t.Errorf("Carry = %v, in %d transactions, with %d notices", err, b.sent, waiting)
	}
}

// TestRelayOtherMiner: of two results of one unit the ledger settles one, and the
// other is not sent again.
func TestRelayOtherMiner(t *testing.T) {
	r, b, _ := newRelay(t, journal.Options{})
	write(t, r, accepted("a", 0, 1), accepted("a", 1, 2))
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.sent != 1 || r.Journal.Count(journal.Paid) != 1 || r.Journal.Count(journal.Void) != 1 {
		t.Errorf("%d transactions, %d paid, %d void", b.sent, r.Journal.Count(journal.Paid), r.Journal.Count(journal.Void))
	}
	got, settled, err := r.Journal.Accepted(named("a"))
	if err != nil || !settled || got.Attestation.Account != (protocol.Account{1}) {
		t.Errorf("the acceptance is %+v, settled %v, %v", got, settled, err)
	}
}

// TestRelayHolds: a unit is settled when its round is combined, and no sooner, for
// until then its result may be voided.
func TestRelayHolds(t *testing.T) {
	r, b, _ := newRelay(t, journal.Options{})
	r.Run = named("run")
	for n := range uint32(3) {
		for i := range ledger.MaxEntries {
			write(t, r, inRound(n, accepted(fmt.Sprint(n, " ", i), 0, 1)))
		}
	}
	for n := range 3 {
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.settled) != n*ledger.MaxEntries {
			t.Errorf("with %d rounds combined, %d units are settled", n, len(b.settled))
		}
		r.Committed(run.Round{Number: uint32(n)}, named("log"))
	}
}

// inRound is a line about a unit of that round.
func inRound(n uint32, l journal.Line) journal.Line {
	a := l.Record.(journal.Accepted)
	a.Round = n
	l.Record = a
	return l
}

// TestRelayTrims: units that were settled long ago leave the journal, if their round
// is committed.
func TestRelayTrims(t *testing.T) {
	r, b, dir := newRelay(t, journal.Options{Segment: 10_000})
	r.Run = named("run")
	files := func() int {
		segments, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(segments)
	}
	round := func(n int, committed bool) {
		for i := range 20 {
			write(t, r, inRound(uint32(n), accepted(fmt.Sprint(n, " ", i), 0, 1)))
		}
		if committed { // a second time is no news
			r.Committed(run.Round{Number: uint32(n)}, named("log"))
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 10 {
		round(n, true)
	}
	before := files()
	b.height += node.AuditWindow / 2
	round(10, true)
	if files() < before {
		t.Errorf("within the window the journal shrank from %d to %d segments", before, files())
	}
	b.height += node.AuditWindow
	round(11, true)
	if n := files(); n > before/2 || r.Journal.Count(journal.Paid) > 60 {
		t.Errorf("after the window there are %d segments of %d, %d units", n, before, r.Journal.Count(journal.Paid))
	}
	// The open round stays, however old its units are.
	round(13, false)
	for range 5 {
		b.height += node.AuditWindow
		round(12, true)
	}
	if a, settled, err := r.Journal.Accepted(named("13 7")); err != nil || settled || a == nil {
		t.Errorf("a unit of a round that is not committed left the journal: %v", err)
	}
}

// TestOldJournal: a journal of a development version is refused, with what to do.
func TestOldJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := node.WriteFile(path, []byte("\x00\x00\x02\x10")); err != nil {
		t.Fatal(err)
	}
	if _, err := (&node.Peer{}).OpenJournal(path); err == nil || !strings.Contains(err.Error(), "Move the file away") {
		t.Errorf("OpenJournal of an old journal = %v", err)
	}
}

// TestRelayOfAnothersRun: a coordinator whose run another account has proposed before
// hears why nothing of it is paid, and does not wait for ever.
func TestRelayOfAnothersRun(t *testing.T) {
	r, b, _ := newRelay(t, journal.Options{})
	r.Run, r.Coordinator = named("run"), protocol.Account{7}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := r.Drain(ctx)
	if err == nil || !strings.Contains(err.Error(), "another account coordinates this run") || b.sent > 0 {
		t.Errorf("Drain = %v after %d transactions", err, b.sent)
	}
	var said []node.Notice
	r.Report = func(n node.Notice) { said = append(said, n); cancel() }
	if err := r.Carry(ctx); err != nil {
		t.Fatal(err)
	}
	if len(said) == 0 {
		t.Fatal("the coordinator hears nothing")
	}
	if w, ok := said[0].(node.Waiting); !ok || w.Code != protocol.WrongAccount.String() {
		t.Errorf("the coordinator hears %v", said)
	}
}

// TestRelayResumes: a user who was told that a run waits for its approval is told of the
// approval, once.
func TestRelayResumes(t *testing.T) {
	r, b, _ := newRelay(t, journal.Options{})
	r.Run, b.pending = named("run"), 3
	var told []string
	r.Report = func(n node.Notice) { told = append(told, n.Kind()) }
	for range 2 {
		r.Committed(run.Round{Number: uint32(len(told))}, named("log"))
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"waiting", "resumed"}; !slices.Equal(told, want) {
		t.Errorf("the user was told %v, want %v", told, want)
	}
}
