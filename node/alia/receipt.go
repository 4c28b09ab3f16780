package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/translate"
)

// receiptFlags is the flags of alia verify for a receipt.
type receiptFlags struct {
	*deviceFlags
	document, translation string
	code                  string
	recompute             share
	model                 string
}

func (r *receiptFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.document, "document", "", "with a receipt: `FILE` that was translated (default: not compared)")
	f.StringVar(&r.translation, "translation", "", "with a receipt: `FILE` with the translation (default: not compared)")
	f.StringVar(&r.code, "code", "", "with the receipt of a plain text: `CODE` of the language that the model was told, such as fra (default: none was)")
	f.Var(&r.recompute, "recompute", "with the receipt of a document: `SHARE` of its texts to compute again, such as 5%, or all (default: none)")
	f.StringVar(&r.model, "model", "", "with --recompute: `MODEL` of the receipt, its directory or its CID (default: that of the home)")
}

// share is a part of something, in millionths.
type share uint32

const whole share = 1e6

func (s *share) String() string {
	switch *s {
	case 0:
		return ""
	case whole:
		return "all"
	}
	return strconv.FormatFloat(float64(*s)/1e4, 'f', -1, 64) + "%"
}

func (s *share) Type() string { return "share" }

func (s *share) Set(typed string) error {
	if typed == "all" {
		*s = whole
		return nil
	}
	number, percent := strings.CutSuffix(typed, "%")
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !(x > 0 && x <= 100) {
		return fmt.Errorf("%q: give a percentage above 0, such as 5%%, or all", typed)
	}
	*s = max(1, share(x*1e4))
	return nil
}

// refreshTime bounds the wait for a newer proof of a receipt.
const refreshTime = 10 * time.Second

// verify checks a receipt, and has the ledger's proof renewed while it is not paid.
func (r *receiptFlags) verify(ctx context.Context, a *app, path string) error {
	if r.recompute == 0 {
		if err := a.goesWith("with --recompute", "model", "device", "kernels", "threads"); err != nil {
			return err
		}
	}
	data, err := readWhole(path)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if proof.Is(data) {
		if err := a.goesWith("with the receipt of a plain text: that of a document names the language", "code"); err != nil {
			return err
		}
		return r.verifyDocument(ctx, a, path, data)
	}
	if err := client.IsReceipt(data); err != nil {
		return fmt.Errorf("%s: receipt: this is not the file of a receipt, or it is damaged: %w", path, err)
	}
	if err := a.goesWith("with the receipt of a document, and this is none", "recompute"); err != nil {
		return err
	}
	if r.translation != "" && r.document == "" {
		return usagef("--translation: give --document too: the translation lies in the white space of the document")
	}
	return r.verifyJob(ctx, a, path, data)
}

// readWhole reads a file that is no larger than a document may be.
func readWhole(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return translate.ReadAll(path, f)
}

// verifyDocument checks the receipt of a document.
func (r *receiptFlags) verifyDocument(ctx context.Context, a *app, path string, data []byte) error {
	var network node.Network
	parsed, err := proof.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: receipt: %w", path, err)
	}
	if parsed.Jobs > 0 { // a receipt of this machine's work is of no network
		if network, err = a.openNetwork(); err != nil {
			return err
		}
	}
	c, err := proof.Verify(network, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	home := proof.Shelf{Dir: a.home.Receipts(), Network: network} // the home has the last proofs of its own jobs
	if c.Renewable() {
		if c, err = proof.Refresh(ctx, nil, home, path); err != nil {
			return err
		}
	}
	if c.Renewable() {
		if newer, err := refresh(ctx, network, func(ctx context.Context, l *light.Client) (*proof.Verified, error) {
			return proof.Refresh(ctx, l, home, path)
		}); err != nil {
			a.note(noNewer, err)
		} else {
			c = newer
		}
	}
	files := make([][]byte, 2)
	for i, f := range []struct{ flag, path string }{{"document", r.document}, {"translation", r.translation}} {
		if f.path == "" {
			continue
		}
		if files[i], err = readWhole(f.path); err != nil {
			return fmt.Errorf("--%s: %w", f.flag, err)
		}
		if files[i] == nil {
			files[i] = []byte{} // an empty file is a file
		}
	}
	if err := c.Files(files[0], files[1]); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if r.recompute > 0 {
		if err := r.again(ctx, a, c); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	out := c.Report(network.Name)
	return a.result(out, func(w io.Writer) { proof.Explain(w, out) })
}

// again computes texts of a document again.
func (r *receiptFlags) again(ctx context.Context, a *app, c *proof.Verified) error {
	if c.Recomputable() == 0 {
		a.note("no text is of a model, so there is nothing to compute again")
		return nil
	}
	int8, shortlist := c.Options()
	lc := engine.LocalConfig{Int8: int8, Shortlist: shortlist, Below: a.home.Models()}
	if r.model != "" {
		dir, err := a.modelDir(r.model)
		if err != nil {
			return err
		}
		lc.Dirs, lc.Below = []string{dir}, ""
	}
	var err error
	if lc.Device, err = r.choose(a); err != nil {
		return err
	}
	spoken := time.Now()
	n, err := c.Recompute(ctx, engine.NewLocal(lc), uint32(r.recompute), func(n, of int) {
		if time.Since(spoken) >= every {
			spoken = time.Now()
			a.note("computed again: %d of %s", n, english.Plural(of, "text", ""))
		}
	})
	return undone(ctx, err, "%s computed again, all the same, and the rest is not computed", english.Plural(n, "text is", "texts are"))
}

// noNewer says that the ledger has not answered.
const noNewer = "the ledger gave no newer proof, so this is what the file proves: %v"

// verifyJob checks the receipt of a job.
func (r *receiptFlags) verifyJob(ctx context.Context, a *app, path string, data []byte) error {
	network, err := a.openNetwork()
	if err != nil {
		return err
	}
	p, err := client.VerifyReceipt(network, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if p.Height > 0 && p.Status != client.Paid {
		if newer, err := refresh(ctx, network, func(ctx context.Context, l *light.Client) (client.Proven, error) {
			return client.Refresh(ctx, network, l, path)
		}); err != nil {
			a.note(noNewer, err)
		} else {
			p = newer
		}
	}
	compared, err := r.compare(p)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	out := report.CheckedReceipt{
		Customer: p.Receipt.Account.String(), Job: p.Link.String(), Model: p.Job.Model.String(), Input: p.Job.Input.String(),
		Miners: []string{}, Status: string(p.Status), Missing: p.Missing, Paid: p.Paid, Due: p.Due, Height: p.Height, Compared: compared,
	}
	for _, u := range p.Receipt.Units {
		out.Miners = append(out.Miners, u.Miner.String())
	}
	return a.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "the receipt is good\ncustomer %s\njob      %s\nmodel    %s\n", out.Customer, out.Job, out.Model)
		for _, what := range compared {
			fmt.Fprintf(w, "the %s is the one of the receipt\n", what)
		}
		fmt.Fprintf(w, "%s of work, %s\n", english.Plural(len(out.Miners), "unit", ""), inWords(p, network.Name))
	})
}

// refresh asks the ledger for newer proofs of a receipt.
func refresh[T any](ctx context.Context, n node.Network, ask func(context.Context, *light.Client) (T, error)) (newer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	l, err := dial(ctx, n)
	if err != nil {
		return newer, err
	}
	return ask(ctx, l)
}

// inWords says what the ledger of a network pays for the work of a job.
func inWords(p client.Proven, network string) string {
	return proof.PayInWords(network, p.Status, p.Paid, p.Due, p.Missing)
}

// compare holds the files against the receipt of a job. It returns which there are.
func (r *receiptFlags) compare(p client.Proven) (compared []string, err error) {
	compared = []string{}
	if r.document == "" {
		return compared, nil
	}
	source, err := readWhole(r.document)
	if err != nil {
		return nil, fmt.Errorf("--document: %w", err)
	}
	p.Code = r.code
	if err := p.Source(string(source)); err != nil {
		return nil, fmt.Errorf("--document %s: %w", r.document, err)
	}
	compared = append(compared, "document")
	if r.translation == "" {
		return compared, nil
	}
	translation, err := readWhole(r.translation)
	if err != nil {
		return nil, fmt.Errorf("--translation: %w", err)
	}
	if err := p.Translation(string(source), string(translation)); err != nil {
		return nil, fmt.Errorf("--translation %s: %w", r.translation, err)
	}
	return append(compared, "translation"), nil
}
