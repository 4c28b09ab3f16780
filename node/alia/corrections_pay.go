package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func printTerms(w io.Writer, b corrections.Pricing) {
	if b.Budget == "" {
		fmt.Fprintln(w, "no budget is published: corrections are not paid, and only this home's owner approves them")
		return
	}
	fmt.Fprintf(w, "budget %s\n%s ALIA, %s set aside for approved corrections, %s of it paid, %s left\n", b.Budget,
		protocol.FormatAmount(b.Amount), protocol.FormatAmount(b.SetAside), protocol.FormatAmount(b.Paid), protocol.FormatAmount(b.Left))
	fmt.Fprintf(w, "%s ALIA for a correction, %s for each character of its source, at most %s for an author\n",
		protocol.FormatAmount(b.PerCorrection), protocol.FormatAmount(b.PerCharacter), protocol.FormatAmount(b.PerAuthor))
	fmt.Fprintf(w, "approved by %s", english.Plural(b.Votes, "person", ""))
	if b.Rules > 0 {
		fmt.Fprintf(w, ", or by the quality rules of version %d alone", b.Rules)
	}
	fmt.Fprintln(w)
	for _, r := range b.Reviewers {
		fmt.Fprintf(w, "reviewer %s\n", r)
	}
}

func newCorrectionsBudget(a *app) *cobra.Command {
	var amount, perAuthor, perCorrection, perCharacter string
	var votes uint16
	var rules bool
	var reviewers []string
	cmd := &cobra.Command{
		Use:   "budget [--amount ALIA]",
		Short: "Show or publish what this home pays for corrections",
		Long: `Show what this home pays for corrections, or publish a new budget with --amount.
A correction's pay is set aside when it is approved, by the budget of that
moment. When the budget is spent, later corrections are approved without pay,
and say so. What an earlier budget owes stays owed. The budget is signed:
--json prints its bytes, to be put where authors see them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := func(t corrections.Terms, err error) error {
				if err != nil {
					return err
				}
				return a.result(t.Pricing(), func(w io.Writer) { printTerms(w, t.Pricing()) })
			}
			if amount == "" {
				if err := a.goesWith("with --amount, which publishes a budget", "per-author", "per-correction", "per-character", "votes", "rules", "reviewer"); err != nil {
					return err
				}
				return a.withCorrections(cmd.Context(), false, func(p *corrections.Pool) error { return show(p.Terms()) })
			}
			if perAuthor == "" {
				perAuthor = amount
			}
			var amounts [4]uint64
			for i, text := range []string{amount, perAuthor, perCorrection, perCharacter} {
				var err error
				if amounts[i], err = parseAmount(text); err != nil {
					return err
				}
			}
			b := protocol.Budget{Amount: amounts[0], PerAuthor: amounts[1], PerCorrection: amounts[2], PerCharacter: amounts[3], Votes: votes}
			if rules {
				b.Rules = corrections.Rules
			}
			for _, r := range reviewers {
				account, err := parseAccount(r)
				if err != nil {
					return err
				}
				b.Reviewers = append(b.Reviewers, account)
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				return a.withCorrections(ctx, true, func(p *corrections.Pool) error { return show(p.Publish(b)) })
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&amount, "amount", "", "`ALIA` to pay in all: it publishes a budget (default: the budget is shown)")
	f.StringVar(&perAuthor, "per-author", "", "`ALIA` that one author gets at most (default: all)")
	f.StringVar(&perCorrection, "per-correction", "0", "`ALIA` for a correction")
	f.StringVar(&perCharacter, "per-character", "0", "`ALIA` for each character of the source text")
	f.Uint16Var(&votes, "votes", 1, "`PERSONS` who have to approve")
	f.BoolVar(&rules, "rules", false, "let the quality rules approve corrections of this home's translations alone")
	f.StringSliceVar(&reviewers, "reviewer", nil, "`ACCOUNT` whose votes count besides this home's; may be given several times (default: none)")
	return cmd
}

// paidCorrections is the answer of alia corrections pay.
type paidCorrections struct {
	Payments    []corrections.Payment `json:"payments"`
	Corrections int                   `json:"corrections"`
	Amount      uint64                `json:"amount"`
	Left        uint64                `json:"left"` // of the budget
}

func newCorrectionsPay(a *app) *cobra.Command {
	var t action
	var held string
	cmd := &cobra.Command{
		Use:   "pay",
		Short: "Pay what is due for approved corrections",
		Long: `Pay what is due for approved corrections from the home's account: one transfer
for up to 200 corrections of one author, whose memo is the CID of their list. A
transfer is noted before it is sent, so the command can be stopped or killed at
any moment: the next one finds out what became of it, and pays nothing twice.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, ok := map[string]corrections.Found{"": corrections.NotLooked, "paid": corrections.WasPaid, "unpaid": corrections.WasNotPaid}[held]
			if !ok {
				return usagef("--held %q: want paid or unpaid", held)
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, t.timeout)
				defer cancel()
				return a.withCorrections(ctx, true, func(p *corrections.Pool) error { return a.payCorrections(ctx, p, found) })
			})
		},
	}
	t.flags(cmd)
	cmd.Flags().Lookup("timeout").DefValue = "10m0s"
	t.timeout = 10 * time.Minute
	cmd.Flags().StringVar(&held, "held", "", "paid or unpaid: what you `FOUND` of a transfer that the ledger no longer tells about (default: the command asks)")
	return cmd
}

func (a *app) payCorrections(ctx context.Context, p *corrections.Pool, found corrections.Found) error {
	l, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	payments, payErr := p.Pay(ctx, a.host.sender(l, p.Key), found)
	terms, err := p.Terms()
	if err != nil {
		return errors.Join(payErr, err)
	}
	out := paidCorrections{Payments: append([]corrections.Payment{}, payments...)}
	if terms.Published {
		out.Left = terms.Left()
	}
	for _, t := range payments {
		out.Corrections += len(t.Corrections)
		out.Amount += t.Amount
	}
	if err := a.result(out, func(w io.Writer) {
		for _, t := range payments {
			fmt.Fprintf(w, "%s ALIA to %s for %s\n", protocol.FormatAmount(t.Amount), t.Payee, english.Plural(len(t.Corrections), "correction", ""))
		}
		fmt.Fprintf(w, "%s ALIA paid for %s", protocol.FormatAmount(out.Amount), english.Plural(out.Corrections, "correction", ""))
		if terms.Published {
			fmt.Fprintf(w, ", %s ALIA of the budget are left", protocol.FormatAmount(out.Left))
		}
		fmt.Fprintln(w)
	}); err != nil {
		return errors.Join(payErr, err)
	}
	return payErr
}

func newCorrectionsExport(a *app) *cobra.Command {
	var out, base, src, tgt string
	cmd := &cobra.Command{
		Use:   "export --out DIR [--base CORPUS]",
		Short: "Make a version of a corpus with the approved corrections",
		Long: `Make a version of a corpus: the texts of --base, which is a corpus or an earlier
version, and the approved corrections of its languages. Corrections whose source
is in the validation or a test text are left out. The version has a CID, and
names its parent, its authors and their licences in version.json; the signed
corrections are in corrections.txt. The same base and the same corrections give
the same CID everywhere. alia train --from DIR or CID trains on it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("--out is missing: give the directory to write")
			}
			if base != "" {
				var err error
				if base, err = a.versionDir(base); err != nil {
					return err
				}
			}
			return a.withCorrections(cmd.Context(), false, func(p *corrections.Pool) error {
				if _, err := p.Learn(cmd.Context()); err != nil {
					return err
				}
				x, err := p.Export(cmd.Context(), a.path(out), base, src, tgt)
				if err != nil {
					return err
				}
				return a.result(x, func(w io.Writer) {
					fmt.Fprintf(w, "corpus version %s\n%s: %s to %s, %s, %d of them new\n", x.Version, x.Dir, x.Source, x.Target, english.Plural(x.Corrected, "correction", ""), x.Added)
					for _, l := range x.LeftOut {
						fmt.Fprintf(w, "left out %s: %s\n", l.ID, l.Why)
					}
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "`DIR` to write")
	f.StringVar(&base, "base", "", "`CORPUS` to add to: a directory, a TSV file, or the CID of a version of this home (default: corrections alone)")
	f.StringVar(&src, "src", "", "source `LANGUAGE`, where there are several")
	f.StringVar(&tgt, "tgt", "", "target `LANGUAGE`, where there are several")
	return cmd
}

// versionDir is the directory of a corpus that is named by its path, or by the CID of a
// version that the home has exported.
func (a *app) versionDir(name string) (string, error) {
	if _, err := os.Stat(a.path(name)); err == nil {
		return a.path(name), nil
	}
	l, err := block.ParseLink(name)
	if err != nil {
		return "", fmt.Errorf("no corpus %s: it is neither a directory nor the CID of a version: `alia corrections export` makes versions", name)
	}
	dir, err := corrections.Where(a.home.Corrections(), l)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("corpus version %s was in %s, and is there no more: give its directory", name, filepath.Clean(dir))
	}
	return dir, nil
}

// readVersion checks the corpus version that --from names. It returns its directory and
// languages.
func (a *app) readVersion(ctx context.Context, name string) (dir string, m corrections.Description, err error) {
	if dir, err = a.versionDir(name); err != nil {
		return "", m, err
	}
	if m, _, err = corrections.ReadVersion(ctx, dir); err != nil {
		return "", m, err
	}
	if l, err := block.ParseLink(name); err == nil && l.String() != m.Version {
		return "", m, fmt.Errorf("%s has corpus version %s now, and not %s", dir, m.Version, name)
	}
	return dir, m, nil
}
