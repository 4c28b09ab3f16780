package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

func newCorrections(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "corrections",
		Short: "Collect people's corrections: review, pay, train on them",
		Long: `Collect people's corrections of translations, pay for them, and make corpora of
them. Somebody proposes a correction. A second person, or the quality rules,
approves or rejects it. An approved one goes before every model's translation
from then on, is paid from the budget that this home has published, and stands
in the next version of the corpus, for alia train --from.`,
		Example: `  alia corrections budget --amount 5 --per-correction 0.01 --rules
  alia corrections propose --from en --to de --licence CC0-1.0 \\
      --source 'Good morning.' --human 'Guten Morgen.'
  alia corrections approve CID
  alia corrections pay
  alia corrections export --base corpus --out corpus-2
  alia train --local --from corpus-2`,
	}, newCorrectionsPropose(a), newCorrectionsImport(a), newCorrectionsList(a), newCorrectionsVote(a, true), newCorrectionsVote(a, false),
		newCorrectionsBudget(a), newCorrectionsPay(a), newCorrectionsExport(a))
}

// withCorrections opens the home's corrections for f, with the home's key if f signs.
func (a *app) withCorrections(ctx context.Context, signs bool, f func(p *corrections.Pool) error) error {
	net, err := a.netOrNone()
	if err != nil {
		return err
	}
	var key ed25519.PrivateKey
	var account protocol.Account
	if signs {
		if key, err = a.key(ctx); err != nil {
			return err
		}
		account = protocol.AccountOf(key)
	} else if account, _, err = a.inspectWallet(); err != nil {
		return err
	}
	m, err := a.openMemory()
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := corrections.Open(corrections.Config{Dir: a.home.Corrections(), Net: net, Collector: account, Key: key, Memory: m})
	if err != nil {
		return err
	}
	defer p.Close()
	return f(p)
}

// printCorrection prints a correction for people.
func printCorrection(w io.Writer, v corrections.View) {
	fmt.Fprintf(w, "%s %s", v.State, v.ID)
	switch {
	case v.Paid:
		fmt.Fprintf(w, ", %s ALIA paid", protocol.FormatAmount(v.Due))
	case v.Due > 0:
		fmt.Fprintf(w, ", %s ALIA due", protocol.FormatAmount(v.Due))
	case v.Note != "":
		fmt.Fprintf(w, ", not paid: %s", v.Note)
	}
	fmt.Fprintf(w, "\n  %s  %s\n", v.From, v.Source)
	if v.Machine != "" {
		fmt.Fprintf(w, "  was %s\n", v.Machine)
	}
	fmt.Fprintf(w, "  %s  %s\n  by %s, %s\n", v.To, v.Human, v.Author, v.Licence)
	if v.By != "" {
		fmt.Fprintf(w, "  %s by %s\n", v.State, v.By)
	}
	if v.Reason != "" {
		fmt.Fprintf(w, "  %s\n", v.Reason)
	}
}

// signedFile writes a line for another home.
func (a *app) signedFile(output string, line []byte, what string) error {
	if err := disk.WriteFile(disk.OS, a.path(output), line); err != nil {
		return err
	}
	return a.result(exchanged{Path: output, Entries: 1}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: the %s is signed; the collector takes it with `alia corrections import`\n", output, what)
	})
}

func newCorrectionsPropose(a *app) *cobra.Command {
	var d corrections.Draft
	var model, payee, output string
	cmd := &cobra.Command{
		Use:   "propose --source TEXT --human TEXT",
		Short: "Propose a correction of a translation",
		Long: `Propose a correction of a translation. The machine's translation is found in the
translation memory of the home; where there is none, the text is your own, and
only a person can approve it. The licence says what others may do with your
text: ` + strings.Join(protocol.Licences(), ", ") + `. The correction, your
account and the licence are published with the corpus.

With --output the signed correction goes into a file, for the pool of another
home. --author names somebody who has no account, and is not paid.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"from": d.From, "to": d.To, "source": d.Source, "human": d.Human, "licence": d.Licence} {
				if value == "" {
					return usagef("--%s is missing", flag)
				}
			}
			var err error
			if model != "" {
				if d.Model, err = block.ParseLink(model); err != nil {
					return usagef("--model %q is not the CID of a model", model)
				}
			}
			if payee != "" {
				if d.Payee, err = parseAccount(payee); err != nil {
					return err
				}
			}
			d.Search = model == ""
			return a.atHome(cmd, func(ctx context.Context) error {
				return a.withCorrections(ctx, true, func(p *corrections.Pool) error {
					if output != "" {
						line, err := p.Sign(d)
						if err != nil {
							return err
						}
						return a.signedFile(output, line, "correction")
					}
					e, err := p.Write(ctx, d)
					if err != nil {
						return err
					}
					return a.result(e.View(), func(w io.Writer) { printCorrection(w, e.View()) })
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.From, "from", "", "`LANGUAGE` of the source; required")
	f.StringVar(&d.To, "to", "", "`LANGUAGE` of the translation; required")
	f.StringVar(&d.Source, "source", "", "`TEXT` that was translated: one sentence, or one line; required")
	f.StringVar(&d.Machine, "machine", "", "`TEXT` of the machine (default: the newest of the translation memory)")
	f.StringVar(&d.Human, "human", "", "`TEXT` as it should be; required")
	f.StringVar(&model, "model", "", "`CID` of the model that translated, with --how (default: that of the memory)")
	f.StringVar(&d.How, "how", "", "`WORDS` by which the translation memory says how the model was used, such as \"greedy, binary32, sentences 1\" (default: those of the memory)")
	f.StringVar(&d.Licence, "licence", "", "`LICENCE` of your text, by its SPDX name; required")
	f.StringVar(&d.Author, "author", "", "`NAME` of an author without an account (default: the home's account is the author)")
	f.StringVar(&payee, "payee", "", "`ACCOUNT` to pay (default: the author's)")
	f.StringVar(&output, "output", "", "`FILE` for the signed correction, for another home (default: it is proposed here)")
	complete(cmd, "licence", protocol.Licences())
	return cmd
}

// importedLine is what became of a line of a file.
type importedLine struct {
	Line  int    `json:"line"`
	ID    string `json:"id,omitempty"`
	State string `json:"state,omitempty"`
	Error string `json:"error,omitempty"`
}

func newCorrectionsImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Take signed corrections and votes of others",
		Long: `Take corrections and votes that others have signed, as alia corrections propose
and approve write them with --output: a line for each. A line that is refused is
named, and keeps no other out; the exit status is then 1.`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atHome(cmd, func(ctx context.Context) error {
				data, err := os.ReadFile(a.path(args[0]))
				if err != nil {
					return fmt.Errorf("import corrections: %w", err)
				}
				return a.withCorrections(ctx, true, func(p *corrections.Pool) error { return a.importCorrections(ctx, p, args[0], data) })
			})
		},
	}
}

func (a *app) importCorrections(ctx context.Context, p *corrections.Pool, name string, data []byte) error {
	all, err := p.Import(ctx, data)
	if err != nil {
		return err
	}
	out := struct {
		Lines  []importedLine `json:"lines"`
		Failed int            `json:"failed"`
	}{Lines: []importedLine{}}
	for _, i := range all {
		l := importedLine{Line: i.Line}
		if i.Err != nil {
			l.Error = i.Err.Error()
			out.Failed++
		} else {
			l.ID, l.State = i.Item.ID.String(), string(i.Item.State)
		}
		out.Lines = append(out.Lines, l)
	}
	if err := a.result(out, func(w io.Writer) {
		for i, l := range out.Lines {
			if l.Error != "" {
				fmt.Fprintf(w, "line %d is refused: %s\n", l.Line, strings.TrimPrefix(l.Error, fmt.Sprintf("line %d: ", l.Line)))
			} else {
				printCorrection(w, all[i].Item.View())
			}
		}
	}); err != nil {
		return err
	}
	if out.Failed > 0 {
		return fmt.Errorf("%s: %s refused", name, english.Plural(out.Failed, "line is", "lines are"))
	}
	return nil
}

func newCorrectionsList(a *app) *cobra.Command {
	var state string
	states := []string{string(corrections.Proposed), string(corrections.Approved), string(corrections.Rejected)}
	cmd := &cobra.Command{
		Use: "list", Short: "List corrections, with who made and who decided them",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" && !strings.Contains(" "+strings.Join(states, " ")+" ", " "+state+" ") {
				return usagef("--state %q: want %s", state, strings.Join(states, ", "))
			}
			return a.withCorrections(cmd.Context(), false, func(p *corrections.Pool) error {
				all, err := p.List(corrections.State(state))
				if err != nil {
					return err
				}
				out := struct {
					Corrections []corrections.View `json:"corrections"`
				}{[]corrections.View{}}
				for _, e := range all {
					out.Corrections = append(out.Corrections, e.View())
				}
				return a.result(out, func(w io.Writer) {
					for _, v := range out.Corrections {
						printCorrection(w, v)
					}
					fmt.Fprintln(w, english.Plural(len(all), "correction", ""))
				})
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only those in `STATE`: "+strings.Join(states, ", ")+" (default: all)")
	complete(cmd, "state", states)
	return cmd
}

func newCorrectionsVote(a *app, approve bool) *cobra.Command {
	var b corrections.Choice
	var output string
	cmd := &cobra.Command{
		Use: "reject CID --reason TEXT", Short: "Vote against a correction",
		Args: exactArgs("CID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := block.ParseLink(args[0])
			if err != nil {
				return usagef("%q is not the CID of a correction: `alia corrections list` prints those of the home", args[0])
			}
			if !approve && b.Reason == "" {
				return usagef("--reason is missing: the author learns why")
			}
			b.Approve = approve
			return a.atHome(cmd, func(ctx context.Context) error {
				return a.withCorrections(ctx, true, func(p *corrections.Pool) error {
					if output != "" {
						line, err := p.SignVote(id, b)
						if err != nil {
							return err
						}
						return a.signedFile(output, line, "vote")
					}
					e, err := p.Vote(id, b)
					if err != nil {
						return err
					}
					return a.result(e.View(), func(w io.Writer) { printCorrection(w, e.View()) })
				})
			})
		},
	}
	if approve {
		cmd.Use, cmd.Short = "approve CID", "Vote for a correction"
		cmd.Long = `Vote for a correction of somebody else. In the home that collects, the vote
counts at once. A reviewer whom the home's budget names votes in another home
with --output FILE, for alia corrections import. Each person has one vote.`
	}
	cmd.Flags().StringVar(&b.Reason, "reason", "", "`TEXT` for the author (default: none; a rejection needs one)")
	cmd.Flags().StringVar(&output, "output", "", "`FILE` for the signed vote, for another home (default: it is counted here)")
	return cmd
}
