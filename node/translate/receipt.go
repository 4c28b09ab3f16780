package translate

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/unit"
)

// prove makes the receipt of a document that was translated into out, and keeps it. r gets
// its file.
func (w *work) prove(ctx context.Context, data, out []byte, output string, r *report.TranslatedFile) error {
	if w.Receipts.Dir == "" && w.Receipt == "" {
		return nil
	}
	d := proof.Draft{
		Name: w.name, Output: output, In: data, Out: out, Format: w.document.Format, From: w.settings.From, To: w.settings.To,
		Model: w.chosen.Link, Decoding: w.Decoding,
	}
	if w.Glossary != nil {
		d.Terms = w.Glossary.Lines()
	}
	if d.Decoding == (unit.Decoding{}) {
		d.Decoding = unit.Greedy
	}
	if len(w.texts) > 0 {
		var err error
		if d.Arithmetic, err = w.arithmetic(ctx, w.chosen.Link); err != nil {
			return err
		}
	}
	for _, t := range w.texts {
		d.Texts = append(d.Texts, proof.DraftText{Source: t, Target: w.known[t], Job: w.from[t].job, Human: w.from[t].human})
	}
	receipt, others, err := proof.Make(w.Receipts, d)
	if err != nil {
		return fmt.Errorf("%s is translated: %w", w.name, err)
	}
	if w.Receipt == "" {
		r.Receipt, err = w.Receipts.Keep(receipt)
	} else {
		r.Receipt, err = w.Receipt, disk.WriteFileMode(disk.OS, w.Receipt, receipt, 0o600)
	}
	if err != nil {
		return fmt.Errorf("%s is translated, and its receipt is not kept: %w", w.name, err)
	}
	if others > 0 && w.Warn != nil {
		w.Warn(fmt.Sprintf("the receipt of %s has %d sentences of earlier documents too: miners translated them together with texts that were used again; "+
			"give it only to who may read them, or translate with --no-memory", w.name, others))
	}
	return nil
}
