package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// RunClaims is the claims of a coordinator: it proposes its run, claims each round when it
// is combined, and ends the run. What it claims is in the logs of the rounds, and in the
// journal with the miners' attestations. The coordinator attests itself what it computed.
type RunClaims struct {
	Ledger  Ledger
	Sender  Sender
	Journal *journal.Journal
	Store   block.Blocks // has the logs and the results
	Key     ed25519.PrivateKey
	Net     protocol.Net
	Report  Reporter

	run   block.Link
	slots *runSlots
	fresh bool // the home has no round of the run, of which it would tell
	trims trimmer

	asked    uint64 // the height before this process sent a proposal that no height is known to have; 0: it did not
	proposed uint64 // the height before a height had it; 0: none did
	refused  bool   // the validators have refused that proposal

	mu      sync.Mutex            // guards the rest
	records map[block.Link][]byte // of results that are not claimed yet, see Logged
	logs    []block.Link          // of the combined rounds, from round first
	first   uint32
	next    uint32     // the first round that the ledger is known not to have
	closing []run.Line // of the units after the last round
	trained bool       // closing is complete
	over    bool       // the ledger has all that can be claimed
}

const (
	// claimBytes bounds the bytes of the slots of one claim: half of a transaction's.
	claimBytes = ledger.MaxTx / 2
	// slotBytes is more than the bytes of a slot in a claim, without a result's record.
	slotBytes = 320
	// runSilence is the heights without a sign of life after which others may take a run
	// over: ten minutes, where a height takes a second.
	runSilence = 600
)

// Committed notes a round whose log is durable: the rounds in their order. A run that
// goes on in this process tells its past rounds again.
func (c *RunClaims) Committed(round run.Round, log block.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.logs) == 0 {
		c.first = round.Number
	}
	if round.Number == c.first+uint32(len(c.logs)) {
		c.logs = append(c.logs, log)
	}
}

// Trained notes that the run is at its end, with the lines of the units that follow its
// last round.
func (c *RunClaims) Trained(lines []run.Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing, c.trained = lines, true
}

// Left implements [Claimer].
func (c *RunClaims) Left() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := int(c.first) + len(c.logs) - int(c.next); {
	case c.over:
		return ""
	case len(c.logs) > 0 && n > 0:
		return english.Plural(n, "round", "")
	case c.trained:
		return "the end of the run"
	}
	return ""
}

// Step implements [Claimer].
func (c *RunClaims) Step(ctx context.Context) error {
	head, err := c.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	r, known, err := c.Ledger.Run(ctx, c.run, protocol.AccountOf(c.Key))
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	f, _, err := c.Ledger.Function(ctx, c.slots.Function)
	if err != nil {
		return fmt.Errorf("read rounds: %w", err)
	}
	if known {
		c.asked = 0
	}
	switch over := c.saw(f); {
	case over && !known && c.asked > 0 && head.Height <= c.asked+proposalHeights:
		return fmt.Errorf("a proposal of the run may be under way, to be taken back: %w", errNotApproved)
	case over && known && r.Status != ledger.Ended:
		if err := send(ctx, c.Sender, ledger.RunEnd{Run: c.run}); err != nil && !errors.Is(err, ledger.Already) {
			return fmt.Errorf("end run: %w", err)
		}
		fallthrough
	case over:
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
	case !known && c.nothingLeft(f): // such as a run that has ended and is started again
	case !known:
		return c.propose(ctx, head.Height)
	case r.Status == ledger.Ended:
		return fmt.Errorf("the run was ended on the ledger before it has ended here: it is proposed again soon: %w", errNotApproved)
	case r.Status != ledger.Approved:
		return fmt.Errorf("the run is %v: %w", r.Status, errNotApproved)
	default:
		if err := c.claim(ctx, f, r, head.Height); err != nil {
			return err
		}
	}
	return c.note(head.Height)
}

// look asks the ledger which rounds it has.
func (c *RunClaims) look(ctx context.Context) error {
	f, _, err := c.Ledger.Function(ctx, c.slots.Function)
	if err == nil {
		c.saw(f)
	}
	return err
}

// has reports whether the ledger has a round. No miner is paid for it again.
func (c *RunClaims) has(round uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return round < c.next
}

// saw notes how far the ledger is, and reports whether nothing is left to be claimed.
func (c *RunClaims) saw(f ledger.FunctionState) (over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = f.Next
	last := c.slots.Groups[len(c.slots.Groups)-1]
	return c.trained && len(c.logs) > 0 && f.Next >= c.first+uint32(len(c.logs)) && (f.Closing || last.Slots == 0)
}

// nothingLeft reports whether the ledger has every round of the plan.
func (c *RunClaims) nothingLeft(f ledger.FunctionState) bool {
	last := len(c.slots.Groups) - 1
	return int(f.Next) >= last && (f.Closing || c.slots.Groups[last].Slots == 0)
}

// proposalHeights is more heights than pass until one has a proposal that was sent.
const proposalHeights = 6

// errRefused is returned when the validators have refused the run.
var errRefused = errors.New("the validators have refused the run: nothing of it is minted, and the bond is burned; ask them why, and start the run again to propose it again")

// propose proposes the run. It does so once more when the validators did not decide in
// time, and never again when they refused: each refusal burns a bond.
func (c *RunClaims) propose(ctx context.Context, height uint64) error {
	if c.proposed > 0 && height <= c.proposed+ledger.ProposalLife {
		c.refused = true
	}
	if c.refused {
		return errRefused
	}
	c.asked = height
	if err := send(ctx, c.Sender, ledger.RunPropose{Run: c.run, Plan: c.slots.plan(), Silence: runSilence}); err != nil {
		return fmt.Errorf("propose run: %w", err)
	}
	c.proposed = height
	return fmt.Errorf("the run is proposed: %w", errNotApproved)
}

// claim claims rounds that the ledger does not have, and after the last what follows it.
// Where there is nothing to claim for long, it tells the ledger that the run goes on.
func (c *RunClaims) claim(ctx context.Context, f ledger.FunctionState, r ledger.RunState, height uint64) error {
	c.mu.Lock()
	logs, first, trained := c.logs, c.first, c.trained
	c.mu.Unlock()
	done := first + uint32(len(logs)) // rounds that are combined
	last := uint32(len(c.slots.Groups) - 1)
	if (c.fresh || len(logs) > 0) && f.Next > done && !trained {
		// A coordinator that has claimed rounds to catch up with is alive, too.
		if err := c.live(ctx, r, height); err != nil {
			return err
		}
		return protocol.Refuse(protocol.Superseded, "%s of this run are claimed on the ledger, and this coordinator has done %d: no miner is paid for a round again",
			english.Plural(int(f.Next), "round", ""), done)
	}
	body := ledger.Claim{Run: c.run}
	bytes := 0
	for r := f.Next; r < done && r >= first && r < last && bytes < claimBytes; r++ {
		claim, size, err := c.round(ctx, r, logs[r-first])
		if err != nil {
			return err
		}
		if bytes += size; len(body.Rounds) > 0 && bytes > claimBytes {
			break
		}
		body.Rounds = append(body.Rounds, claim)
	}
	if len(body.Rounds) == 0 && trained && f.Next >= done {
		claim, _, err := c.lines(ctx, last, c.closing, f.Params, f.Log)
		if err != nil {
			return err
		}
		body.Rounds = append(body.Rounds, claim)
	}
	if len(body.Rounds) == 0 {
		return c.live(ctx, r, height)
	}
	if err := send(ctx, c.Sender, body); errors.Is(err, ledger.Already) {
		return nil // somebody else was faster: the next step sees how far the ledger is
	} else if err != nil {
		return fmt.Errorf("claim rounds from %d: %w", body.Rounds[0].Round, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := body.Rounds[len(body.Rounds)-1].Round; n < last {
		c.next = n + 1
	}
	for _, r := range body.Rounds {
		for _, s := range r.Slots {
			for _, w := range s.Work {
				delete(c.records, w.Result)
			}
		}
	}
	return nil
}

// live tells the ledger that the coordinator is alive, when a round takes long.
func (c *RunClaims) live(ctx context.Context, r ledger.RunState, height uint64) error {
	if height < r.Active+r.Silence/3 {
		return nil
	}
	if err := send(ctx, c.Sender, ledger.Heartbeat{Run: c.run}); err != nil && !errors.Is(err, ledger.Already) {
		return fmt.Errorf("tell the ledger that the run goes on: %w", err)
	}
	return nil
}

// round makes the claim of a round from its log.
func (c *RunClaims) round(ctx context.Context, number uint32, log block.Link) (ledger.RoundClaim, int, error) {
	r, err := run.ReadRound(ctx, c.Store, log)
	if err != nil {
		return ledger.RoundClaim{}, 0, err
	}
	lines := r.All()
	return c.lines(ctx, number, lines[:len(lines)-len(r.Final)], r.After.Params, log)
}

// lines makes the claim of a round of the lines of its units. A unit whose attestation is
// not in the journal is claimed for nobody.
func (c *RunClaims) lines(ctx context.Context, number uint32, lines []run.Line, params, log block.Link) (ledger.RoundClaim, int, error) {
	slots, path, err := c.slots.of(ctx, number)
	if err != nil {
		return ledger.RoundClaim{}, 0, err
	}
	type place struct {
		kind  uint16
		index uint32
	}
	by := map[place]run.Line{}
	for _, l := range lines {
		by[place{uint16(l.Kind), l.Index}] = l
	}
	claim := ledger.RoundClaim{Round: number, Path: protocol.Bytes(path), Params: params, Log: log}
	bytes := 100 + len(claim.Path)
	for _, s := range slots {
		sc := ledger.SlotClaim{Slot: s}
		if l, ok := by[place{s.Kind, s.Index}]; ok {
			if sc.Work, err = c.work(ctx, number, s, l); err != nil {
				return claim, 0, err
			}
		}
		bytes += slotBytes
		for _, w := range sc.Work {
			bytes += len(w.Record)
		}
		claim.Slots = append(claim.Slots, sc)
	}
	return claim, bytes, nil
}

// work is what the journal has of a unit, or this node's own attestation.
func (c *RunClaims) work(ctx context.Context, round uint32, s protocol.Slot, l run.Line) ([]ledger.SlotWork, error) {
	me := protocol.AccountOf(c.Key)
	at := protocol.Attestation{
		Work: c.run, Publisher: me, Place: protocol.Place{Round: round, Kind: s.Kind, Index: s.Index}, Unit: l.Unit, Result: l.Result,
	}
	if l.Miner == [32]byte{} || protocol.Account(l.Miner) == me {
		if _, err := protocol.Sign(c.Key, c.Net, &at); err != nil {
			return nil, err
		}
	} else {
		a, _, err := c.Journal.Accepted(l.Unit)
		if err != nil {
			return nil, err
		}
		if a == nil || a.Attestation.Result != l.Result || a.Attestation.Place != at.Place || a.Attestation.Publisher != me {
			return nil, nil
		}
		at = a.Attestation
	}
	c.mu.Lock()
	record := c.records[at.Result]
	c.mu.Unlock()
	if len(record) > 0 && ledger.Measured(at.Place.Kind) {
		w := slotWork(at)
		w.Record = record
		return []ledger.SlotWork{w}, nil
	}
	return claimed(ctx, c.Store, at)
}

// Logged keeps the records of results that a claim has to show, until they are claimed.
func (c *RunClaims) Logged(lines []run.Line) error {
	for _, l := range lines {
		if !ledger.Measured(uint16(l.Kind)) {
			continue
		}
		record, err := c.Store.Get(context.Background(), l.Result.Cid)
		if errors.Is(err, block.ErrNotFound) {
			continue // such as of a unit that was done before: its miner claims it
		} else if err != nil {
			return fmt.Errorf("result of unit %s: %w", l.Unit, err)
		}
		c.mu.Lock()
		if c.records == nil {
			c.records = map[block.Link][]byte{}
		}
		c.records[l.Result] = record
		c.mu.Unlock()
	}
	return nil
}

// slotWork is an attestation as a claim has it.
func slotWork(at protocol.Attestation) ledger.SlotWork {
	return ledger.SlotWork{Unit: at.Unit, Result: at.Result, Ticket: at.Ticket, Account: at.Account, Sig: at.Sig}
}

// claimed is an attestation as a claim has it, with the record of the result where the
// cost depends on it. There is none if the record is not here any more.
func claimed(ctx context.Context, store block.Blocks, at protocol.Attestation) ([]ledger.SlotWork, error) {
	w := slotWork(at)
	if ledger.Measured(at.Place.Kind) {
		var err error
		if w.Record, err = store.Get(ctx, at.Result.Cid); errors.Is(err, block.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("result of unit %s: %w", at.Unit, err)
		}
	}
	return []ledger.SlotWork{w}, nil
}

// noteBatch is the entries of the journal that are noted as claimed at a time.
const noteBatch = 4096

// note writes to the journal which units are claimed.
func (c *RunClaims) note(height uint64) error {
	c.mu.Lock()
	next := c.next
	if c.over {
		next = ^uint32(0)
	}
	c.mu.Unlock()
	batch, err := c.Journal.List(journal.Pending, noteBatch, nil)
	if err != nil {
		return err
	}
	var lines []journal.Line
	for _, e := range batch {
		if e.Accepted != nil && e.Accepted.Round < next {
			lines = append(lines, journal.Line{Key: e.Key, Record: journal.Settled{Height: height}})
		}
	}
	if len(lines) > 0 {
		if err := c.Journal.Append(lines...); err != nil {
			return err
		}
		c.Report(UnitsSettled{Units: len(lines)})
	}
	return c.trims.trim(height)
}

// lineOf is the line of a unit that was done beside the rounds.
func lineOf(u unit.Unit, o unit.Outcome) run.Line {
	return run.Line{Miner: o.Miner, Effort: o.Effort}.Of(u, o.Link, o.Result)
}
