package proof

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// Judge checks a receipt and the files that are given with it; a nil file is not compared.
// It is [Verify], [Verified.Files] and [Verified.Report] in one, with a refusal as an answer.
func Judge(n node.Network, receipt, in, out []byte) report.CheckedDocumentReceipt {
	c, err := Verify(n, receipt)
	if err != nil {
		return report.CheckedDocumentReceipt{Error: err.Error(), Jobs: []report.PaidJob{}, Compared: []string{}}
	}
	err = c.Files(in, out)
	r := c.Report(n.Name)
	if err != nil {
		r.Good, r.Error = false, err.Error()
	}
	return r
}

// Report is the answer for a receipt that holds, on the ledger of a network.
func (c *Verified) Report(network string) report.CheckedDocumentReceipt {
	file := func(f FileRecord) report.ReceiptFile {
		return report.ReceiptFile{Name: f.Name, Bytes: f.Size, SHA256: hex.EncodeToString(f.Hash[:])}
	}
	s := c.Statement
	r := report.CheckedDocumentReceipt{
		Good: true, Document: file(s.Document), Translation: file(s.Translation), Format: s.Format, From: s.From, To: s.To,
		Texts: len(c.Texts), Others: c.Others, Recomputed: c.again, Recomputable: c.Recomputable(),
		Network: network, Status: c.status(), Jobs: []report.PaidJob{}, Compared: append([]string{}, c.compared...),
	}
	if s.Model.Defined() {
		r.Model = s.Model.String()
	}
	for _, p := range c.Jobs {
		j := report.PaidJob{
			Job: p.Link.String(), Customer: p.Receipt.Account.String(), Units: len(p.Receipt.Units), Miners: []string{},
			Status: string(p.Status), Missing: p.Missing, Paid: p.Paid, Due: p.Due, Height: p.Height,
		}
		for _, u := range p.Receipt.Units {
			if m := u.Miner.String(); !slices.Contains(j.Miners, m) {
				j.Miners = append(j.Miners, m)
			}
		}
		r.Paid += p.Paid
		r.Jobs = append(r.Jobs, j)
	}
	for _, t := range c.Texts {
		switch t.Origin {
		case Bought:
			r.Bought++
			r.Jobs[t.Job].Texts++
		case Computed:
			r.Computed++
		case Human:
			r.Human++
		}
	}
	return r
}

// The status of a document beside those of its jobs.
const (
	mixed = "mixed" // its jobs have several
	none  = "none"  // it has no job: nobody is paid
)

// status is that of all jobs.
func (c *Verified) status() string {
	if len(c.Jobs) == 0 {
		return none
	}
	all := c.Jobs[0].Status
	for _, p := range c.Jobs {
		if p.Status != all {
			return mixed
		}
	}
	return string(all)
}

// Explain says in plain words what a receipt that holds proves, in the sequence in which a
// person asks.
func Explain(w io.Writer, r report.CheckedDocumentReceipt) {
	fmt.Fprintln(w, "the receipt is good")
	fmt.Fprintf(w, "what was translated: %s, %s, from %s to %s\n", named(r.Document, "a document"), r.Format, or(r.From, "a language that it does not name"), or(r.To, "one that it does not name"))
	fmt.Fprintf(w, "  %s\n", compared(r, "document", r.Document))
	fmt.Fprintf(w, "into what: %s\n", named(r.Translation, "a file"))
	fmt.Fprintf(w, "  %s\n", compared(r, "translation", r.Translation))
	explainWho(w, r)
	explainPay(w, r)
	fmt.Fprintln(w, "what that proves:")
	if r.Bought > 0 {
		fmt.Fprintln(w, "  the miners have signed these translations, and the customer has accepted them")
	}
	if slices.Contains(r.Compared, "translation") && slices.Contains(r.Compared, "document") {
		fmt.Fprintln(w, "  the translation is the document with these texts in it, byte for byte")
	}
	switch {
	case r.Recomputable == 0:
	case r.Recomputed > 0:
		fmt.Fprintf(w, "  %s of %s computed again with the model: all the same\n", humanize.Comma(int64(r.Recomputed)), english.Plural(r.Recomputable, "text", ""))
	default:
		fmt.Fprintln(w, "  it does not prove that the model gives these translations: --recompute computes them again")
	}
	if n := r.Computed; n > 0 && r.Recomputed < r.Recomputable {
		fmt.Fprintf(w, "  it does not prove who computed the %s without a receipt\n", english.PluralWord(n, "text", ""))
	}
	if r.Human > 0 {
		fmt.Fprintln(w, "  it does not prove that a person wrote what it says a person wrote")
	}
	fmt.Fprintln(w, "  it does not prove that the translation is good: only a reader finds that")
	fmt.Fprintf(w, "who has the file can read all %s", english.Plural(r.Texts, "text", ""))
	if r.Others > 0 {
		fmt.Fprintf(w, ", and %s of other documents", english.Plural(r.Others, "sentence", ""))
	}
	fmt.Fprintln(w)
}

// explainWho says where the translations come from.
func explainWho(w io.Writer, r report.CheckedDocumentReceipt) {
	fmt.Fprintf(w, "by whom: %s\n", english.Plural(r.Texts, "text", ""))
	if r.Model != "" && r.Bought+r.Computed > 0 {
		fmt.Fprintf(w, "  model %s\n", r.Model)
	}
	for _, j := range r.Jobs {
		fmt.Fprintf(w, "  %s by %s, for customer %s\n", humanize.Comma(int64(j.Texts)), english.Plural(len(j.Miners), "miner", ""), j.Customer)
		for _, m := range j.Miners {
			fmt.Fprintf(w, "    miner %s\n", m)
		}
	}
	if r.Computed > 0 {
		fmt.Fprintf(w, "  %s by the model, without the receipt of a miner\n", humanize.Comma(int64(r.Computed)))
	}
	if r.Human > 0 {
		fmt.Fprintf(w, "  %s by a person, as the receipt says\n", humanize.Comma(int64(r.Human)))
	}
}

// explainPay says what was paid, or will be.
func explainPay(w io.Writer, r report.CheckedDocumentReceipt) {
	if len(r.Jobs) == 0 {
		fmt.Fprintln(w, "what was paid: nothing, and nobody asks for pay")
		return
	}
	fmt.Fprintln(w, "what was paid:")
	for _, j := range r.Jobs {
		fmt.Fprintf(w, "  job %s\n    %s\n", j.Job, PayInWords(r.Network, client.Status(j.Status), j.Paid, j.Due, j.Missing))
		if j.Height > 0 {
			fmt.Fprintf(w, "    as it was after height %d\n", j.Height)
		}
	}
	if len(r.Jobs) > 1 {
		fmt.Fprintf(w, "  together %s ALIA (%s); a job may have texts of other documents too\n", protocol.FormatAmount(r.Paid), r.Status)
	}
}

// PayInWords says what the ledger of a network pays for the work of a job.
func PayInWords(network string, s client.Status, paid, due uint64, missing string) string {
	amount := protocol.FormatAmount(paid)
	switch {
	case s == client.Paid:
		return fmt.Sprintf("paid: %s ALIA to miners on the ledger of %s", amount, network)
	case s == client.Claimed:
		return fmt.Sprintf("claimed: %s ALIA to miners, paid at height %d of the ledger of %s", amount, due, network)
	case paid > 0:
		return fmt.Sprintf("unpaid: %s; %s ALIA to miners for the rest", missing, amount)
	}
	return "unpaid: " + missing
}

// named is a file for people.
func named(f report.ReceiptFile, without string) string {
	return fmt.Sprintf("%s (%s bytes)", or(f.Name, without), humanize.Comma(int64(f.Bytes)))
}

// compared says whether a file was compared.
func compared(r report.CheckedDocumentReceipt, what string, f report.ReceiptFile) string {
	if slices.Contains(r.Compared, what) {
		return "the file that was given is this one, byte for byte"
	}
	return fmt.Sprintf("not compared: give the file with --%s (its SHA-256 is %s)", what, f.SHA256)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
