package swarm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// saleResult is the outcome of the sale and of the translation.
type saleResult struct {
	seller      string
	amount      uint64
	translation report.Translated
	listing     ledger.Listing
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
			"--src", s.cfg.Source, "--tgt", s.cfg.Target, "--budget", protocol.FormatAmount(max(1, amount/2)),
			"--listen", s.members[CustomerName].listen())
		if err != nil {
			return fmt.Errorf("translation: %w", err)
		}
		if err := json.Unmarshal(out, &r.translation); err != nil {
			return fmt.Errorf("translation: %w", err)
		}
		r.listing, err = s.listing(ctx)
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
	s.view.ledger(sale.listing, nil)
	r.Height, r.Supply = sale.listing.Height, sale.listing.Supply.Total()
	r.Escrowed, r.Pool = sale.listing.Supply.Escrowed, sale.listing.Supply.Pool
	r.FirstMint, r.Seconds = seconds(s.firstMint), seconds(s.elapsed())
	r.Units = len(s.units) + sale.translation.Units
	r.Translation = sale.translation.Translation
	r.Receipt = report.SwarmReceipt{Path: sale.translation.Receipt, Job: sale.translation.Job, Paid: sale.translation.Paid}
	// A miner's balance is its pay, less the amount that the seller sold.
	for _, m := range s.view.miners {
		e := report.Member{Name: m.name, Account: s.members[m.name].account.String(), Units: m.units, Earned: m.balance, Balance: m.balance}
		if m.name == sale.seller {
			e.Earned += sale.amount
		}
		r.Miners = append(r.Miners, e)
	}
	customer := s.members[CustomerName].account
	r.Customer = report.Member{Name: CustomerName, Account: customer.String(), Balance: balanceOf(sale.listing, customer)}
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

func balanceOf(l ledger.Listing, a protocol.Account) uint64 {
	for _, h := range l.Accounts {
		if h.Account == a {
			return h.Balance
		}
	}
	return 0
}

// books is the answer of the ledger, or the error of asking it.
type books struct {
	listing ledger.Listing
	err     error
}

// pollEvery is the pause between two reads of the ledger's books.
const pollEvery = 500 * time.Millisecond

// poll reads the ledger's books again and again.
func (s *swarm) poll(ctx context.Context) {
	for {
		var b books
		b.listing, b.err = s.listing(ctx)
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

// listing returns all accounts and the books of one height, which must add up.
func (s *swarm) listing(ctx context.Context) (ledger.Listing, error) {
	l, err := s.client.Accounts(ctx)
	if err != nil {
		return ledger.Listing{}, err
	}
	return l, l.Check()
}
