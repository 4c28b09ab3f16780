package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// Ledger is the part of the ledger that a relay uses.
type Ledger interface {
	Run(ctx context.Context, run block.Link) (ledger.RunState, bool, error)
	Settled(ctx context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error)
}

// Sender signs and submits transactions of one account.
type Sender interface {
	Send(ctx context.Context, body ledger.Body) (nonce uint64, err error)
	Confirm(ctx context.Context, nonce uint64) error
}

// Relay carries accepted work from a journal to the ledger, at least once: it
// sends what is not settled, then looks at what the ledger holds, and sends
// the rest again. With the ledger down it waits; nothing of the work waits
// for it. For a run it also proposes the run and commits the rounds' logs.
type Relay struct {
	Ledger  Ledger
	Sender  Sender
	Journal *journal.Journal
	// Run, when set, is proposed with a Budget in MFLOP, and its rounds are committed.
	// A unit is settled when its round is among those: until the round is combined, the
	// result of the unit may be voided. Then the journal forgets units of committed rounds
	// that were settled more than AuditWindow heights ago.
	Run         block.Link
	Budget      uint64
	Coordinator protocol.Account // who proposes Run: the account of Sender
	// Every is the pause between two looks at the ledger.
	Every  time.Duration
	Report Reporter
	Log    *slog.Logger

	// due and settled are set where the journal is a miner's, see claims: due says which
	// entries are sent, and the others are only looked up; settled is told each settlement.
	due     func(journal.Entry) bool
	settled func(ledger.Settlement)

	// Carry and Drain, which do not run together, use these.
	reported protocol.Reason      // why it waits, as last reported
	tried    map[journal.Key]bool // entries that the ledger did not settle, since all had their turn
	held     int                  // of those tried, units whose rounds are not combined
	refused  error                // why the ledger refused a batch of them
	trimmed  uint64               // the height of the last trim

	mu     sync.Mutex          // guards the rest
	rounds []ledger.RoundRoots // in order, from round first
	first  uint64
	known  uint64 // rounds that the ledger is known to have
	height uint64 // the highest of a settlement that was seen
}

const (
	// settleBatch is the entries of one transaction.
	settleBatch = ledger.MaxEntries
	// lookUps is the entries of a miner that are looked up at a time; each costs the
	// ledger one proof.
	lookUps = 64
	// AuditWindow is the number of heights for which a journal keeps settled units: the
	// time for which an audit may ask for them, where a height takes a second.
	AuditWindow = run.AuditTime / 1000
	// trimEvery is the number of heights between two trims.
	trimEvery = 60
)

// Committed notes a round whose log is to be committed: the rounds in their order.
func (r *Relay) Committed(round run.Round, log block.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	roots := ledger.RoundRoots{Params: round.After.Params, Log: log}
	number := uint64(round.Number)
	// A run that goes on in this process tells its past rounds again.
	if len(r.rounds) == 0 {
		r.first = number
	}
	if number == r.first+uint64(len(r.rounds)) {
		r.rounds = append(r.rounds, roots)
	}
}

// Carry sends accepted work to the ledger until ctx ends.
func (r *Relay) Carry(ctx context.Context) error {
	for {
		err := r.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.tell(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.Every):
		}
	}
}

// tell reports why the relay waits, once for each change of the reason, and that it
// goes on.
func (r *Relay) tell(err error) {
	if err == nil && len(r.tried) > 0 {
		return // other entries had their turn
	}
	code, detail := reasonOf(err)
	switch {
	case err != nil && code == protocol.Unspecified:
		r.Log.Warn("relay", "err", err)
	case err != nil && code != r.reported:
		r.Report(Waiting{Why: newWhy(code, detail)})
	case err == nil && r.reported == protocol.NotApproved:
		r.Report(Resumed{Text: "the validators have approved the run: its units are paid now"})
	case err == nil && r.reported == protocol.ChainUnreachable:
		r.Report(Resumed{Text: "the ledger answers again: accepted work is settled now"})
	}
	r.reported = code
}

// reasonOf says why the relay waits, if it is for something that passes.
func reasonOf(err error) (code protocol.Reason, detail string) {
	switch {
	case errors.Is(err, light.ErrUnreachable):
		return protocol.ChainUnreachable, "work goes on and is settled later"
	case errors.Is(err, errNotApproved), errors.Is(err, errRefused):
		return protocol.NotApproved, err.Error()
	case errors.Is(err, errTaken):
		return protocol.WrongAccount, err.Error()
	}
	if reason := ledger.ReasonOf(err); reason != protocol.Unspecified {
		return reason, err.Error()
	}
	return protocol.Unspecified, ""
}

// errRefused is returned when the validators have voted against a run.
var errRefused = errors.New("the validators have refused the run: nothing is ever minted for it")

// errTaken is returned when another account has proposed the run before. Miners then
// pass over the offers of this one, unless they work for free.
var errTaken = errors.New("another account coordinates this run, and the ledger pays for its accepted units alone: change the seed, or ask for miners with --work-for-free")

// final reports whether the ledger would refuse the same transaction again.
func final(err error) bool {
	if errors.Is(err, errRefused) || errors.Is(err, errTaken) {
		return true
	}
	var code ledger.Code
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case ledger.BadNonce, ledger.BadExpiry, ledger.Already, ledger.NotApproved, ledger.BadRound, ledger.Busy:
		return false
	}
	return true
}

// errNotApproved is returned while a run may not mint.
var errNotApproved = errors.New("nothing is minted until the validators approve it")

// Drain sends accepted work to the ledger until all of it is settled, the ledger
// refuses the rest for good, or ctx ends. The units of a round that is not combined
// stay in the journal.
func (r *Relay) Drain(ctx context.Context) error {
	r.tried, r.held = nil, 0
	for {
		err := r.step(ctx)
		if final(err) {
			return err
		}
		if ctx.Err() == nil {
			r.tell(err)
		}
		if err == nil && r.Journal.Count(journal.Pending) == r.held && r.uncommitted() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			pending := r.Journal.Count(journal.Pending)
			if err == nil {
				err = errors.New("the ledger has not settled them yet")
			}
			return fmt.Errorf("%s and %s are not settled; the journal keeps them, and the same command settles them later: %w (%w)",
				english.Plural(pending, "unit", ""), english.Plural(r.uncommitted(), "round", ""), err, ctx.Err())
		case <-time.After(r.Every):
		}
	}
}

// step brings the ledger one step nearer to the state of the journal.
func (r *Relay) step(ctx context.Context) error {
	if r.Run.Defined() {
		if err := r.propose(ctx); err != nil {
			return err
		}
		if err := r.commit(ctx); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// propose sees to it that the ledger knows the run, and that the run may mint.
func (r *Relay) propose(ctx context.Context) error {
	run, known, err := r.Ledger.Run(ctx, r.Run)
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	if !known {
		return r.send(ctx, ledger.RunPropose{Run: r.Run, Budget: r.Budget})
	}
	r.mu.Lock()
	r.known = run.Rounds
	r.mu.Unlock()
	if run.Coordinator != r.Coordinator {
		return fmt.Errorf("run %s of %s: %w", r.Run, run.Coordinator.Short(), errTaken)
	}
	if run.Status == ledger.Refused {
		return fmt.Errorf("run %s: %w", r.Run, errRefused)
	}
	if run.Status != ledger.Approved {
		return fmt.Errorf("the run is %v: %w", run.Status, errNotApproved)
	}
	return nil
}

// commit sends the logs of rounds the ledger lacks.
func (r *Relay) commit(ctx context.Context) error {
	r.mu.Lock()
	c := ledger.RoundCommit{Run: r.Run, Round: r.known}
	if at := int(r.known) - int(r.first); at >= 0 && at < len(r.rounds) {
		c.Rounds = r.rounds[at:min(at+ledger.MaxRounds, len(r.rounds))]
	}
	r.mu.Unlock()
	if len(c.Rounds) == 0 {
		return nil
	}
	if err := r.send(ctx, c); err != nil && !errors.Is(err, ledger.Already) {
		return fmt.Errorf("commit rounds from %d: %w", c.Round, err)
	}
	r.mu.Lock()
	r.known = max(r.known, c.Round+uint64(len(c.Rounds)))
	r.mu.Unlock()
	return nil
}

// uncommitted is the number of rounds that the ledger is not known to have.
func (r *Relay) uncommitted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rounds) == 0 {
		return 0
	}
	return max(0, int(r.first)+len(r.rounds)-int(r.known))
}

// settle sends a batch of accepted work and notes what the ledger then has. Entries
// that the ledger does not settle are sent again when all others had their turn.
func (r *Relay) settle(ctx context.Context) error {
	most := settleBatch
	if r.due != nil {
		most = lookUps
	}
	batch, err := r.Journal.List(journal.Pending, most, func(k journal.Key) bool { return r.tried[k] })
	if err != nil {
		return err
	}
	if len(batch) == 0 {
		err := r.refused
		r.tried, r.held, r.refused = nil, 0, nil
		return err
	}
	if batch = r.combined(batch); len(batch) == 0 {
		return nil
	}
	body := ledger.Settle{}
	units := make([]block.Link, len(batch))
	for i, e := range batch {
		units[i] = e.Unit
		if at, accept, ok := e.Agreed(); ok && (r.due == nil || r.due(e)) {
			body.Entries = append(body.Entries, ledger.SettleEntry{Attestation: at, Accept: accept})
		}
	}
	if len(body.Entries) > 0 {
		if err := r.send(ctx, body); err != nil && !errors.Is(err, ledger.Already) {
			if err = fmt.Errorf("settle: %w", err); !final(err) {
				return err
			}
			r.refused = cmp.Or(r.refused, err)
		}
	}
	settled, err := r.Ledger.Settled(ctx, units)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return r.note(batch, settled)
}

// combined leaves out of a batch the units whose rounds are not combined.
func (r *Relay) combined(batch []journal.Entry) []journal.Entry {
	if !r.Run.Defined() {
		return batch
	}
	r.mu.Lock()
	rounds := r.first + uint64(len(r.rounds))
	r.mu.Unlock()
	return slices.DeleteFunc(batch, func(e journal.Entry) bool {
		wait := uint64(e.Accepted.Round) >= rounds
		if wait {
			r.pass(e.Key)
			r.held++
		}
		return wait
	})
}

// pass notes that an entry is not to be settled before all others had their turn.
func (r *Relay) pass(k journal.Key) {
	if r.tried == nil {
		r.tried = map[journal.Key]bool{}
	}
	r.tried[k] = true
}

// note writes to the journal what the ledger has of a batch.
func (r *Relay) note(batch []journal.Entry, settled map[block.Link]ledger.Settlement) error {
	var lines []journal.Line
	var paid []ledger.Settlement
	height := uint64(0)
	for _, e := range batch {
		s, ok := settled[e.Unit]
		at, _, _ := e.Agreed()
		switch {
		case !ok:
			r.pass(e.Key)
			continue
		case s.Miner == at.Account && s.Result == at.Result:
			lines = append(lines, journal.Line{Key: e.Key, Record: journal.Settled{Height: s.Height}})
			paid = append(paid, s)
		default: // the ledger settles a unit once
			lines = append(lines, journal.Line{Key: e.Key, Record: journal.NewVoided(protocol.Superseded, "the ledger has settled the unit for another miner", s.Height)})
		}
		height = max(height, s.Height)
	}
	if err := r.Journal.Append(lines...); err != nil {
		return err
	}
	if r.settled != nil {
		for _, s := range paid {
			r.settled(s)
		}
	} else if len(paid) > 0 {
		r.Report(UnitsSettled{Units: len(paid)})
	}
	return r.trim(height)
}

// trim has the journal of a run forget what nobody needs. A coordinator that starts
// again needs the units of the rounds after its head, and those are not settled.
func (r *Relay) trim(height uint64) error {
	r.mu.Lock()
	r.height = max(r.height, height)
	now := r.height
	r.mu.Unlock()
	if !r.Run.Defined() || now < r.trimmed+trimEvery {
		return nil
	}
	r.trimmed = now
	return r.Journal.Trim(now - min(now, AuditWindow))
}

// send submits a transaction and waits until it is in a block.
func (r *Relay) send(ctx context.Context, body ledger.Body) error {
	nonce, err := r.Sender.Send(ctx, body)
	if err != nil {
		return err
	}
	return r.Sender.Confirm(ctx, nonce)
}
