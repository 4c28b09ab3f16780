package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
)

// Policy says which offers a miner bids on. With the zero Policy a miner bids on every
// offer that the ledger pays for: of runs that the validators have approved, by the
// account that coordinates the run, and of jobs with an escrow.
type Policy struct {
	// PriceMin is the least price, an amount for a GFLOP. It is compared with the price of
	// a job, and with the ledger's rate for training.
	PriceMin uint64
	// Languages are the pairs of languages, from and to, of the documents to translate. If
	// there are none, all documents are.
	Languages [][2]string
	// WorkForFree has the miner bid on all work, paid or not. Then the ledger is not asked.
	WorkForFree bool
}

// refuses returns a reason that an offer itself gives not to bid on it, or an error
// that is nil.
func (p Policy) refuses(o market.Offer) error {
	switch {
	case !o.Run() && len(p.Languages) > 0 && !slices.Contains(p.Languages, o.Languages):
		return protocol.Refuse(protocol.OtherLanguage, "%s to %s", o.Languages[0], o.Languages[1])
	case p.WorkForFree || o.Run():
		return nil
	case o.Price == 0:
		return protocol.Refuse(protocol.Unpaid, "the offer promises nothing")
	case o.Price < p.PriceMin:
		return p.tooLow("the job", o.Price)
	}
	return nil
}

func (p Policy) tooLow(who string, price uint64) error {
	return protocol.Refuse(protocol.PriceTooHigh, "%s pays %s ALIA for a GFLOP, this miner asks %s",
		who, protocol.FormatAmount(price), protocol.FormatAmount(p.PriceMin))
}

// funding is the part of the ledger that says whether work is paid.
type funding interface {
	Run(ctx context.Context, run block.Link, coordinator protocol.Account) (ledger.RunState, bool, error)
	Function(ctx context.Context, function block.Link) (ledger.FunctionState, bool, error)
	Escrow(ctx context.Context, customer protocol.Account, job block.Link) (ledger.Escrow, bool, error)
	Schedule(ctx context.Context, height uint64) (ledger.Schedule, bool, error)
}

// paid asks the ledger whether it pays for the work of an offer.
func (p Policy) paid(ctx context.Context, l funding, o market.Offer) market.Verdict {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var v market.Verdict
	var err error
	if o.Run() {
		v.Plan, err = p.paidRun(ctx, l, o)
	} else {
		v.Most, v.Plan, err = p.paidJob(ctx, l, o)
	}
	if err != nil && protocol.ReasonOf(err) == protocol.Unspecified {
		err = protocol.Refuse(protocol.ChainUnreachable, "%w", err)
	}
	v.Reason, v.Text = protocol.ReasonOf(err), because(err)
	return v
}

// paidRun returns the units of a run that are paid, or an error whose reason says why
// nothing is paid.
func (p Policy) paidRun(ctx context.Context, l funding, o market.Offer) (plan market.PaidPlan, err error) {
	run, known, err := l.Run(ctx, o.Work, o.Publisher)
	switch {
	case err != nil:
		return plan, err
	case !known:
		return plan, protocol.Refuse(protocol.NotApproved, "the publisher has not proposed the run to the ledger")
	case run.Status != ledger.Approved:
		return plan, protocol.Refuse(protocol.NotApproved, "it is %v", run.Status)
	}
	f, _, err := l.Function(ctx, run.Plan.Function)
	if err != nil {
		return plan, err
	}
	of := run.Plan
	plan = market.PaidPlan{Function: of.Function, Root: of.Root, Groups: of.Groups, Next: f.Next, Closing: f.Closing}
	if p.PriceMin == 0 {
		return plan, nil
	}
	rates, known, err := l.Schedule(ctx, 0)
	if err == nil && !known {
		err = fmt.Errorf("the ledger publishes no rates yet")
	}
	if err != nil {
		return plan, err
	}
	if rate := rates.Training / 1e6; rate < p.PriceMin { // rates are in millionths of an amount
		return plan, p.tooLow("the ledger", rate)
	}
	return plan, nil
}

// paidJob returns the amount of the escrow of a job when it was opened and the units that
// it pays for, or an error whose reason says why nothing is paid.
func (p Policy) paidJob(ctx context.Context, l funding, o market.Offer) (most uint64, plan market.PaidPlan, err error) {
	escrow, open, err := l.Escrow(ctx, o.Publisher, o.Work)
	switch {
	case err != nil:
		return 0, plan, err
	case !open:
		return 0, plan, protocol.Refuse(protocol.Unpaid, "the ledger has none")
	// Who has claimed a unit gives its result again to a customer that has lost it.
	case escrow.Left == 0 && len(escrow.Claims) < int(escrow.Units.Slots):
		return 0, plan, protocol.Refuse(protocol.OverBudget, "the escrow is empty")
	case escrow.Price < o.Price:
		return 0, plan, protocol.Refuse(protocol.Unpaid, "the escrow pays %s ALIA for a GFLOP, the offer promises %s",
			protocol.FormatAmount(escrow.Price), protocol.FormatAmount(o.Price))
	}
	return escrow.Opened, market.PaidPlan{Job: escrow.Units, Escrow: escrow.Number}, nil
}

const (
	// judgeEvery is the longest pause between two looks for offers to ask the ledger about.
	judgeEvery = 250 * time.Millisecond
	// askTimeout bounds one question.
	askTimeout = 10 * time.Second
)

// judge asks the ledger about open offers until ctx ends. The board says about which
// ones and how often; what the ledger says stands on the board.
func (p Policy) judge(ctx context.Context, l funding, offers *Offers) error {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	wanted := func(o market.Offer) bool { return p.refuses(o) == nil }
	for {
		for ctx.Err() == nil {
			o, ok := offers.due(time.Now(), wanted)
			if !ok {
				break
			}
			v := p.paid(ctx, l, o)
			if ctx.Err() == nil {
				offers.judge(time.Now(), o, v)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-offers.fresh: // a customer waits for the first segment
		case <-tick.C:
		}
	}
}

// because is the text of an error for people, without the code of its reason.
func because(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), protocol.ReasonOf(err).String()+": ")
}

// admits says why a miner does not bid on an open offer. It returns false if the miner
// bids.
func (p Policy) admits(o market.OpenOffer) (why Why, over bool) {
	if err := p.refuses(o.Offer); err != nil {
		return newWhy(protocol.ReasonOf(err), because(err)), true
	}
	switch v := o.Verdict; {
	case p.WorkForFree || v.Paid():
		return Why{}, false
	case !v.Judged:
		return unjudged, true
	default:
		return newWhy(v.Reason, v.Text), true
	}
}

// unjudged is why a miner does not bid on an offer that has just come.
var unjudged = Why{Code: protocol.NotApproved.String(), Text: "the ledger has not been asked yet"}
