package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// saleResult is the outcome of the sale and of the translation.
type saleResult struct {
	seller      string
	amount      uint64
	translation report.Translated
	books       books
	err         error
}

// saleAmount is the amount that the customer buys, if the seller has twice as much.
const saleAmount = 5 * protocol.Coin

// seller returns the miner with the largest balance and the amount that it sells. A
// new network has no tokens but those that miners have earned.
func (s *swarm) seller() (name string, amount uint64) {
	var most uint64
	for _, m := range s.view.miners {
		if m.balance > most {
			name, most = m.name, m.balance
		}
	}
	return name, min(saleAmount, most/2)
}

// sell transfers an amount from the seller to the customer, and has the customer buy
// a translation.
func (s *swarm) sell(ctx context.Context, seller string, amount uint64) {
	r := saleResult{seller: seller, amount: amount}
	r.err = func() error {
		to := s.members[CustomerName].account.String()
		price := protocol.FormatAmount(amount)
		if _, err := s.command(ctx, seller, "wallet", "transfer", to, price, "--memo", "for a translation"); err != nil {
			return fmt.Errorf("sale: %w", err)
		}
		out, err := s.command(ctx, CustomerName, "translate", s.cfg.Document, "--model", s.trained.Model,
			"--from", s.cfg.Source, "--to", s.cfg.Target, "--budget", protocol.FormatAmount(max(1, amount/2)),
			"--listen", s.members[CustomerName].listen())
		if err != nil {
			return fmt.Errorf("translation: %w", err)
		}
		if err := json.Unmarshal(out, &r.translation); err != nil {
			return fmt.Errorf("translation: %w", err)
		}
		job, err := block.ParseLink(r.translation.Job)
		if err != nil {
			return fmt.Errorf("translation: %w", err)
		}
		r.books, err = s.settled(ctx, job)
		return err
	}()
	select {
	case s.sale <- r:
	case <-ctx.Done():
	}
}

// command runs one alia command as a member of the swarm and returns its answer.
func (s *swarm) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	m := s.members[name]
	args = append(args, "--home", string(m.home), "--network", m.home.Network(), "--json")
	cmd := exec.CommandContext(ctx, s.cfg.Program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &errs, attributes()
	cmd.Cancel = func() error { terminate(cmd); return nil }
	cmd.WaitDelay = 10 * time.Second
	done := make(chan error)
	s.children.starts <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		return nil, fmt.Errorf("%s (%w)", strings.TrimPrefix(lines[len(lines)-1], "alia: "), err)
	}
	return out.Bytes(), nil
}

// finish completes the result and passes it on.
func (s *swarm) finish(sale saleResult) error {
	if sale.err != nil {
		return sale.err
	}
	// The books of one height, and what the processes reported.
	r := &report.SwarmResult{Trained: *s.trained, Home: s.cfg.Home}
	s.view.ledger(sale.books)
	r.Height, r.Supply = sale.books.height, sale.books.supply.Total()
	r.Escrowed, r.Pool = sale.books.supply.Escrowed, sale.books.supply.Pool
	r.FirstMint, r.Seconds = seconds(s.firstMint), seconds(s.elapsed())
	r.Units = len(s.units) + sale.translation.Units
	r.Translation = sale.translation.Translation
	r.Receipt = report.SwarmReceipt{Path: sale.translation.Receipt, Job: sale.translation.Job, Paid: sale.translation.Paid}
	for _, m := range s.view.miners {
		r.Miners = append(r.Miners, sale.books.member(m.name, s.members[m.name].account, m.units))
	}
	r.Coordinator = sale.books.member(CoordinatorName, s.members[CoordinatorName].account, 0)
	r.Customer = sale.books.member(CustomerName, s.members[CustomerName].account, 0)
	// The last display, then the result below it.
	s.view.phase = "done"
	s.view.note(s.elapsed(), fmt.Sprintf("%s sold the customer %s ALIA, the translation cost %s", sale.seller,
		protocol.FormatAmount(sale.amount), protocol.FormatAmount(sale.translation.Paid)))
	s.cfg.Screen.show(&s.view, s.elapsed())
	s.cfg.Screen.close()
	if err := s.cfg.Done(r); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return node.WriteFile(filepath.Join(s.cfg.Home, "result.json"), append(data, '\n'))
}

// seconds is d in seconds, cut to milliseconds.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// books is the ledger's books and the members' accounts, or the error of reading them.
type books struct {
	height   uint64
	supply   ledger.Supply
	accounts map[protocol.Account]ledger.AccountState
	err      error
}

// balance is what an account is free to spend.
func (b books) balance(a protocol.Account) uint64 { return b.accounts[a].Free(b.height) }

// member is what a member has earned and has. A balance is less than the pay where the
// member has sold some.
func (b books) member(name string, a protocol.Account, units int) report.Member {
	return report.Member{Name: name, Account: a.String(), Units: units, Earned: b.accounts[a].Earned, Balance: b.balance(a)}
}

// check reports whether the books add up: the supply is what all hold, and the members
// have no more than all accounts. Members of an earlier swarm may have the rest.
func (b books) check() error {
	var free, locked uint64
	for _, a := range b.accounts {
		free += a.Balance
		locked += a.Locked
		for _, u := range a.Unlocks {
			locked += u.Amount
		}
	}
	switch s := b.supply; {
	case s.Holdings() != s.Total():
		return fmt.Errorf("at height %d the supply is %s ALIA, but %s ALIA are held", b.height, protocol.FormatAmount(s.Total()), protocol.FormatAmount(s.Holdings()))
	case free > s.Balances || locked > s.Locked:
		return fmt.Errorf("at height %d the accounts are %s ALIA in the books, but the members have %s ALIA",
			b.height, protocol.FormatAmount(s.Balances+s.Locked), protocol.FormatAmount(free+locked))
	}
	return nil
}

// pollEvery is the pause between two reads of the ledger's books.
const pollEvery = 500 * time.Millisecond

// poll reads the ledger's books again and again.
func (s *swarm) poll(ctx context.Context) {
	for {
		b := s.read(ctx)
		select {
		case s.books <- b:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return
		}
	}
}

// read reads the books and the members' accounts, each from the newest height.
func (s *swarm) read(ctx context.Context) books {
	b := books{accounts: map[protocol.Account]ledger.AccountState{}}
	if b.supply, b.height, b.err = s.client.Supply(ctx); b.err != nil {
		return b
	}
	for _, m := range s.members {
		if b.accounts[m.account], b.err = s.client.Account(ctx, m.account); b.err != nil {
			return b
		}
	}
	return b
}

// settleTime bounds the wait until all claims are paid.
const settleTime = 30 * time.Second

// settled reads the books when all work is paid, the run's bond is back, and no account
// changes any more.
func (s *swarm) settled(ctx context.Context, job block.Link) (books, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		b := s.read(ctx)
		e, _, err := s.client.Escrow(ctx, s.members[CustomerName].account, job)
		if err = errors.Join(b.err, err); err == nil && b.supply.Owed == 0 && b.supply.Bonds == 0 && e.Held == 0 {
			if again := s.read(ctx); again.err == nil && again.supply == b.supply {
				return b, b.check()
			}
		}
		select {
		case <-ctx.Done():
			return b, fmt.Errorf("not all work is paid: %w", errors.Join(ctx.Err(), err))
		case <-time.After(pollEvery):
		}
	}
}
