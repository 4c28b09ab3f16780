package views

import (
	"context"
	"errors"
	"slices"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Ledger implements [gateway.Views].
func (v *Viewer) Ledger(ctx context.Context, of string) (l gateway.LedgerView, err error) {
	if v.Client == nil {
		return l, gateway.Absent(v.Alone)
	}
	l, err = v.ledger(ctx, of)
	if errors.Is(err, light.ErrUnreachable) {
		err = gateway.Absent("The ledger does not answer: " + err.Error() + ". Work goes on without it, and is claimed later.")
	}
	return l, err
}

func (v *Viewer) ledger(ctx context.Context, of string) (l gateway.LedgerView, err error) {
	l.Network, l.Runs = v.Network, []report.LedgerRun{}
	head, err := v.Client.Head(ctx)
	if err != nil {
		return l, err
	}
	l.Height, l.Time = head.Height, head.Time
	if l.Supply, err = Supply(ctx, v.Client); err != nil {
		return l, err
	}
	if r, ok, err := Rates(ctx, v.Client, 0); err != nil {
		return l, err
	} else if ok {
		l.Rates = &r
	}
	if l.Validators, err = Council(ctx, v.Client); err != nil {
		return l, err
	}
	for _, h := range v.Homes() {
		if err := v.recorded(ctx, h, &l.Runs); err != nil {
			return l, err
		}
	}
	if of == "" {
		return l, nil
	}
	b, err := Balance(ctx, v.Client, of)
	l.Account = &b
	return l, err
}

// recorded adds what the ledger has of the runs of a home.
func (v *Viewer) recorded(ctx context.Context, h Home, all *[]report.LedgerRun) error {
	if h.Account == "" {
		return nil
	}
	a, err := account(h.Account)
	if err != nil {
		return err
	}
	links, err := home.Named(h.Dir.Runs())
	if err != nil {
		return err
	}
	for _, l := range links {
		if r, ok, err := Run(ctx, v.Client, l, a); err != nil {
			return err
		} else if ok {
			*all = append(*all, r)
		}
	}
	return nil
}

// Supply reads the books.
func Supply(ctx context.Context, c *light.Client) (report.Books, error) {
	s, height, err := c.Supply(ctx)
	return report.Books{
		Supply: s.Total(), Minted: s.Minted, Burned: s.Burned, Height: height, Accounts: s.Balances, Locked: s.Locked,
		Escrowed: s.Escrowed, Bonds: s.Bonds, Pool: s.Pool, SumOfBalances: s.Holdings(), Owed: s.Owed,
	}, err
}

// Rates reads the rates of pay at a height, 0 for the newest; ok is false where they are
// not published yet, or no longer kept.
func Rates(ctx context.Context, c *light.Client, height uint64) (r report.Rates, ok bool, err error) {
	s, ok, err := c.Schedule(ctx, height)
	return report.Rates{Height: s.Height, Training: s.Training, Translation: s.Translation, Budget: s.Budget, Cap: s.Cap}, ok, err
}

// Council reads who makes the heights, and who is voted on.
func Council(ctx context.Context, c *light.Client) (report.Council, error) {
	set, err := c.Validators(ctx)
	if err != nil {
		return report.Council{}, err
	}
	r := report.Council{Validators: texts(set.Members), Votes: []report.OpenVote{}, Left: []report.FormerValidator{}}
	for _, b := range set.Ballots {
		// Only the votes of those count who are validators now.
		yes := slices.DeleteFunc(slices.Clone(b.Yes), func(v protocol.Account) bool { return !slices.Contains(set.Members, v) })
		r.Votes = append(r.Votes, report.OpenVote{
			Account: b.Account.String(), Admit: b.Admit, Yes: texts(yes), Needed: 2*len(set.Members)/3 + 1, Expires: b.Expires,
		})
	}
	for _, f := range set.Left {
		r.Left = append(r.Left, report.FormerValidator{Account: f.Account.String(), Height: f.Height + 1})
	}
	return r, nil
}

// texts writes accounts.
func texts(accounts []protocol.Account) []string {
	all := make([]string, len(accounts))
	for i, a := range accounts {
		all[i] = a.String()
	}
	return all
}

// Run reads the ledger's record of a run; ok is false where it has none.
func Run(ctx context.Context, c *light.Client, link block.Link, coordinator protocol.Account) (r report.LedgerRun, ok bool, err error) {
	run, ok, err := c.Run(ctx, link, coordinator)
	if err != nil || !ok {
		return r, ok, err
	}
	f, _, err := c.Function(ctx, run.Plan.Function)
	if err != nil {
		return r, true, err
	}
	params := ""
	if f.Params.Defined() {
		params = f.Params.String()
	}
	return report.LedgerRun{
		Run: link.String(), Status: run.Status.String(), Coordinator: coordinator.String(), Function: run.Plan.Function.String(),
		Cost: run.Plan.Cost, Rounds: uint64(run.Plan.Groups - 1), Claimed: uint64(f.Next), Paid: uint64(f.Paid), Params: params,
		Bond: run.Bond, Active: run.Active,
	}, true, nil
}

// Balance reads what an account has.
func Balance(ctx context.Context, l *light.Client, of string) (report.Balance, error) {
	a, err := account(of)
	if err != nil {
		return report.Balance{}, err
	}
	r, err := l.Account(ctx, a)
	if err != nil {
		return report.Balance{}, err
	}
	payout, set, err := l.Payout(ctx, a)
	if err != nil {
		return report.Balance{}, err
	}
	head, err := l.Head(ctx)
	if err != nil {
		return report.Balance{}, err
	}
	b := report.Balance{
		Account: a.String(), Height: head.Height, Balance: r.Free(head.Height), Locked: r.Locked, Earned: r.Earned, Nonce: r.Nonce,
		Unlocking: []report.Freed{},
	}
	for _, u := range r.Unlocks {
		if u.Height >= head.Height {
			b.Unlocking = append(b.Unlocking, report.Freed{Amount: u.Amount, Height: u.Height + 1})
		}
	}
	if set {
		b.Payout, b.Replaced = payout.To.String(), payout.Final
	}
	return b, nil
}
