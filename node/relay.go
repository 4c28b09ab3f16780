package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// Ledger is the part of the ledger that relays read.
type Ledger interface {
	Head(ctx context.Context) (light.ChainHead, error)
	Run(ctx context.Context, run block.Link, coordinator protocol.Account) (ledger.RunState, bool, error)
	Function(ctx context.Context, function block.Link) (ledger.FunctionState, bool, error)
	Round(ctx context.Context, function block.Link, round uint32) (ledger.RoundState, bool, error)
	Escrow(ctx context.Context, customer protocol.Account, job block.Link) (ledger.Escrow, bool, error)
	Account(ctx context.Context, a protocol.Account) (ledger.AccountState, error)
	Payout(ctx context.Context, a protocol.Account) (ledger.Payout, bool, error)
}

// Sender signs and submits transactions of one account.
type Sender interface {
	Send(ctx context.Context, body ledger.Body) (nonce uint64, err error)
	Confirm(ctx context.Context, nonce uint64) error
}

// Relay carries accepted work to the ledger, at least once: it claims what the ledger does
// not have, then looks at what the ledger has, and claims the rest again. With the ledger
// down it waits; nothing of the work waits for it. [RunClaims] and [JobClaims] say what
// is claimed.
type Relay struct {
	Claims Claimer
	// Every is the pause between two looks at the ledger.
	Every  time.Duration
	Report Reporter
	Log    *slog.Logger

	reported protocol.Reason // why it waits, as last reported
	warned   string          // the last error without a reason
}

// Claimer claims accepted work on the ledger.
type Claimer interface {
	// Step brings the ledger one step nearer to the state of the journal.
	Step(ctx context.Context) error
	// Left says what is not on the ledger yet, in words; empty if nothing is left.
	Left() string
}

// Carry sends accepted work to the ledger until ctx ends.
func (r *Relay) Carry(ctx context.Context) error {
	for {
		err := r.Claims.Step(ctx)
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
	if protocol.ReasonOf(err) == protocol.Superseded {
		return // the coordinator's crew tells, see paidCrew
	}
	code, detail := reasonOf(err)
	switch {
	case err != nil && code == protocol.Unspecified:
		if text := err.Error(); text != r.warned { // it may come back for hours
			r.Log.Warn("relay", "err", err)
			r.warned = text
		}
	case err != nil && code != r.reported:
		r.Report(Waiting{Why: newWhy(code, detail)})
	case err == nil && r.reported == protocol.NotApproved:
		r.Report(Resumed{Text: "the validators have approved the run: its units are paid now"})
	case err == nil && r.reported == protocol.ChainUnreachable:
		r.Report(Resumed{Text: "the ledger answers again: accepted work is claimed now"})
	}
	r.reported = code
}

// reasonOf says why a relay waits, if it is for something that passes.
func reasonOf(err error) (code protocol.Reason, detail string) {
	switch {
	case errors.Is(err, light.ErrUnreachable):
		return protocol.ChainUnreachable, "work goes on and is claimed later"
	case errors.Is(err, errNotApproved), errors.Is(err, errRefused):
		return protocol.NotApproved, err.Error()
	case errors.Is(err, ledger.InsufficientFunds): // for the bond or the fee of a proposal
		return protocol.NotApproved, err.Error() + ": get ALIA from a miner (`alia wallet transfer`), and the run is proposed"
	}
	if reason := ledger.ReasonOf(err); reason != protocol.Unspecified {
		return reason, err.Error()
	}
	return protocol.Unspecified, ""
}

// final reports whether the ledger would refuse the same transaction again.
func final(err error) bool {
	var code ledger.Code
	switch {
	case errors.Is(err, errRefused), errors.Is(err, errNoResult):
		return true
	case !errors.As(err, &code):
		return false
	}
	switch code {
	case ledger.BadNonce, ledger.BadExpiry, ledger.Already, ledger.NotApproved, ledger.BadRound, ledger.Busy, ledger.FeeTooLow, ledger.NotDue:
		return false
	}
	return true
}

// errNotApproved is returned while a run may not mint.
var errNotApproved = errors.New("nothing is minted until the validators approve it")

// Drain sends accepted work to the ledger until all of it is claimed, the ledger
// refuses it for good, or ctx ends. The units of a round that is not combined
// stay in the journal.
func (r *Relay) Drain(ctx context.Context) error {
	for {
		err := r.Claims.Step(ctx)
		if final(err) {
			return err
		}
		if ctx.Err() == nil {
			r.tell(err)
		}
		left := r.Claims.Left()
		if err == nil && left == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = errors.New("the ledger does not have them yet")
			}
			return fmt.Errorf("%s: not claimed; the journal keeps them, and the same command claims them later: %w (%w)", left, err, ctx.Err())
		case <-time.After(r.Every):
		}
	}
}

// send submits a transaction and waits until the ledger's record says that a height took
// it.
func send(ctx context.Context, s Sender, body ledger.Body) error {
	nonce, err := s.Send(ctx, body)
	if err != nil {
		return err
	}
	return s.Confirm(ctx, nonce)
}

// AuditWindow is the number of heights for which a journal keeps claimed units: the
// time for which an audit may ask for them, where a height takes a second.
const (
	AuditWindow = run.AuditTime / 1000
	// trimEvery is the number of heights between two trims.
	trimEvery = 60
)

// trimmer has a journal forget what nobody needs.
type trimmer struct {
	journal *journal.Journal
	last    uint64 // the height of the last trim
}

func (t *trimmer) trim(height uint64) error {
	if height < t.last+trimEvery {
		return nil
	}
	t.last = height
	return t.journal.Trim(height - min(height, AuditWindow))
}
