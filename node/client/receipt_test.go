package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// clone is a receipt whose units can be changed.
func clone(r protocol.Receipt) protocol.Receipt {
	r.Units = slices.Clone(r.Units)
	return r
}

// attest has a miner attest the result of a unit of a receipt, as its accomplice would.
func (w *world) attest(p client.Proven, index uint32, miner string, result []byte) protocol.ReceiptUnit {
	w.Helper()
	u := p.Receipt.Units[index]
	at := p.Attestation(index)
	at.Result = protocol.ID(result)
	w.sign(miner, &at)
	u.Miner, u.Sig, u.Result = at.Account, at.Sig, result
	return u
}

// encode is the canonical bytes of a record.
func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := block.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFalseReceipts: a receipt proves only what its miners have attested and the ledger
// pays. Its customer, and a miner that helps, try to have it say something else.
func TestFalseReceipts(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.letter()
	d.Text = strings.Repeat(d.Text, 100)
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	d.Text = "five\n"
	other, err := c.Translate(w.ctx, d)
	w.check(err)
	data, err := os.ReadFile(tr.ReceiptFile)
	w.check(err)
	_, proof, err := client.Unpack(data)
	w.check(err)
	data, err = os.ReadFile(other.ReceiptFile)
	w.check(err)
	_, otherProof, err := client.Unpack(data)
	w.check(err)
	good := tr.Receipt
	if len(good.Receipt.Units) < 2 {
		t.Fatalf("%d units, want some", len(good.Receipt.Units))
	}
	// otherwise is a result of unit 0 that differs from that of the miner.
	otherwise := func(change func(*unit.Result)) []byte {
		r, err := unit.ParseResult(good.Receipt.Units[0].Result)
		w.check(err)
		change(&r)
		return encode(t, r)
	}
	// job changes the job's record.
	job := func(change func(*unit.Job)) []byte {
		j := good.Job
		change(&j)
		return encode(t, j)
	}
	type receipt = protocol.Receipt
	for name, c := range map[string]struct {
		forge  func(*receipt)
		signer string
		proof  []byte
		status client.Status // of a receipt that is no lie
		want   string        // the reason
	}{
		"nothing changed": {func(*receipt) {}, "customer", proof, good.Status, ""},
		"a unit twice":    {func(r *receipt) { r.Units = append(r.Units, r.Units[0]) }, "customer", proof, "", "the result is of unit"},
		"a unit twice, attested again": {func(r *receipt) {
			n := uint32(len(r.Units))
			r.Units = append(r.Units, r.Units[0])
			p := good
			p.Receipt = *r
			r.Units[n] = w.attest(p, n, "miner", otherwise(func(r *unit.Result) { r.Unit = p.Attestation(n).Unit }))
		}, "customer", proof, "", "and the escrow pays for a list of"},
		"a unit left out":        {func(r *receipt) { r.Units = r.Units[:len(r.Units)-1] }, "customer", proof, "", "and the escrow pays for a list of"},
		"units exchanged":        {func(r *receipt) { r.Units[0], r.Units[1] = r.Units[1], r.Units[0] }, "customer", proof, "", "unit 0: translate unit"},
		"a higher most":          {func(r *receipt) { r.Units[0].Most++ }, "customer", proof, "", "not those on the list"},
		"a unit of another job":  {func(r *receipt) { r.Units[0] = other.Receipt.Receipt.Units[0] }, "customer", proof, "", "unit 0: translate unit"},
		"the escrow of another":  {func(*receipt) {}, "customer", otherProof, "", "receipt: verify escrow"},
		"any model":              {func(r *receipt) { r.Job = job(func(j *unit.Job) { j.Model = link("any") }) }, "customer", proof, "", "unit 0: translate unit"},
		"any document":           {func(r *receipt) { r.Job = job(func(j *unit.Job) { j.Input = link("any") }) }, "customer", proof, "", "unit 0: translate unit"},
		"another decoding":       {func(r *receipt) { r.Job = job(func(j *unit.Job) { j.Decoding.Beam = 2 }) }, "customer", proof, "", "unit 0: translate unit"},
		"a job of the future":    {func(r *receipt) { r.Job = job(func(j *unit.Job) { j.Version = 2 }) }, "customer", proof, "", "job: version 2"},
		"no job":                 {func(r *receipt) { r.Job = []byte{0x80} }, "customer", proof, "", "job: "},
		"somebody else's job":    {func(*receipt) {}, "thief", proof, "", "is that of customer"},
		"a miner that never was": {func(r *receipt) { r.Units[0].Miner = protocol.AccountOf(w.Holder.Key) }, "customer", proof, "", "unit 0: bad-signature: attestation of"},
		"an accomplice": {func(r *receipt) { r.Units[0] = w.attest(good, 0, "accomplice", r.Units[0].Result) }, "customer", proof,
			client.Unpaid, "the ledger pays unit 0 to miner"},
		"any translation": {func(r *receipt) {
			r.Units[0] = w.attest(good, 0, "miner", otherwise(func(r *unit.Result) { r.Outputs[0] = link("any") }))
		}, "customer", proof, client.Unpaid, "the ledger pays unit 0 for result"},
		"a higher cost": {func(r *receipt) {
			r.Units[0] = w.attest(good, 0, "miner", otherwise(func(r *unit.Result) { r.Cost += 1e6 }))
		}, "customer", proof, client.Unpaid, "the ledger pays unit 0 for result"},
		"no translation": {func(r *receipt) {
			r.Units[0] = w.attest(good, 0, "miner", otherwise(func(r *unit.Result) { r.Outputs = nil }))
		}, "customer", proof, "", "0 outputs"},
		"a defect": {func(r *receipt) {
			r.Units[0] = w.attest(good, 0, "miner", otherwise(func(r *unit.Result) { r.Defect = unit.NonFinite }))
		}, "customer", proof, "", "the result has no translation"},
		"no proof":         {func(*receipt) {}, "customer", nil, client.Unpaid, "no proof"},
		"proof of nothing": {func(*receipt) {}, "customer", []byte{1}, "", "verify escrow"},
	} {
		r := clone(good.Receipt)
		c.forge(&r)
		data, err := client.Pack(w.sign(c.signer, &r), c.proof)
		w.check(err)
		got, err := client.VerifyReceipt(w.File, data)
		reason := got.Missing
		if err != nil {
			reason = err.Error()
		}
		if got.Status != c.status || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %q, %q, want %q, %q", name, got.Status, reason, c.status, c.want)
		}
	}
	// Of another network, or another version.
	data, err = os.ReadFile(tr.ReceiptFile)
	w.check(err)
	elsewhere := node.Network{Name: "elsewhere", Genesis: append([]byte(" "), w.File.Genesis...)}
	if _, err := client.VerifyReceipt(elsewhere, data); protocol.ReasonOf(err) != protocol.WrongNetwork {
		t.Errorf("on another network: %v", err)
	}
	data[1] = 2
	if _, err := client.VerifyReceipt(w.File, data); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a file of version 2: %v", err)
	}
	opens(t, w, c, good)
	judge(t, good, proof, w.File)
	texts(t, good, strings.Repeat(w.letter().Text, 100), tr.Text)
	w.refresh(c, tr)
}

// opens holds the sentences of a job against its receipt, unit by unit.
func opens(t *testing.T, w *world, c *client.Client, p client.Proven) {
	j, err := c.Resume(w.ctx, p.Link)
	w.check(err)
	defer j.Close()
	all, err := j.Opened(w.ctx)
	w.check(err)
	if len(all) != len(p.Receipt.Units) {
		t.Fatalf("%d units are opened of %d", len(all), len(p.Receipt.Units))
	}
	for i, o := range all {
		w.check(p.Opens(i, o))
	}
	change := func(s []string) []string { return append([]string{s[0] + "."}, s[1:]...) }
	for want, c := range map[string]struct {
		unit int
		o    client.Opened
	}{
		"sentences are not those that unit 0":          {0, client.Opened{Sources: change(all[0].Sources), Targets: all[0].Targets}},
		"translations are not those that the miner of": {0, client.Opened{Sources: all[0].Sources, Targets: change(all[0].Targets)}},
		"sentences are not those that unit 1":          {1, all[0]},
		"translations of":                              {0, client.Opened{Sources: all[0].Sources}},
		"the receipt has":                              {len(all), all[0]},
		"unit -1":                                      {-1, all[0]},
	} {
		if err := p.Opens(c.unit, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// judge holds a receipt against other states of its escrow.
func judge(t *testing.T, good client.Proven, proof []byte, n node.Network) {
	escrow := func(change func(*light.ProvenEscrow)) light.ProvenEscrow {
		e, err := light.VerifyEscrow(n.Genesis, proof, good.Receipt.Account, good.Link)
		if err != nil {
			t.Fatal(err)
		}
		change(&e)
		return e
	}
	last := func(e *light.ProvenEscrow) *uint64 { return &e.Claims[len(e.Claims)-1].Due }
	for name, c := range map[string]struct {
		change func(*light.ProvenEscrow)
		status client.Status
		due    uint64
		want   string
	}{
		"paid":              {func(e *light.ProvenEscrow) { e.Held = 0 }, client.Paid, 0, ""},
		"claimed":           {func(e *light.ProvenEscrow) { e.Held, e.Height, *last(e) = 1, 50, 99 }, client.Claimed, 99, ""},
		"due, and waiting":  {func(e *light.ProvenEscrow) { e.Held, e.Height = 1, 1000 }, client.Claimed, 1001, ""},
		"one not claimed":   {func(e *light.ProvenEscrow) { e.Claims = e.Claims[1:] }, client.Unpaid, 0, "nobody has claimed unit"},
		"none claimed":      {func(e *light.ProvenEscrow) { e.Claims, e.Held = nil, 0 }, client.Unpaid, 0, "nobody has claimed unit 0"},
		"another cost":      {func(e *light.ProvenEscrow) { e.Claims[0].Cost++ }, "", 0, "follow from the result and the price"},
		"another amount":    {func(e *light.ProvenEscrow) { e.Claims[0].Amount++ }, "", 0, "follow from the result and the price"},
		"another price":     {func(e *light.ProvenEscrow) { e.Price *= 2 }, "", 0, "follow from the result and the price"},
		"another list":      {func(e *light.ProvenEscrow) { e.Units.Root[0]++ }, "", 0, "not those on the list"},
		"another long list": {func(e *light.ProvenEscrow) { e.Units.Slots++ }, "", 0, "pays for a list of"},
	} {
		p, err := good.Judge(escrow(c.change))
		reason := p.Missing
		if err != nil {
			reason, p.Status = err.Error(), ""
		}
		if p.Status != c.status || p.Due != c.due || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %q due %d, %q; want %q due %d, %q", name, p.Status, p.Due, reason, c.status, c.due, c.want)
		}
	}
}

// texts holds a receipt against the document and its translation.
func texts(t *testing.T, p client.Proven, source, translation string) {
	for name, c := range map[string]struct{ source, translation, want string }{
		"both":                  {source, translation, ""},
		"a last line feed":      {source + "\n", strings.TrimRight(translation, "\n"), ""},
		"another word":          {strings.Replace(source, "two", "ten", 1), translation, "another text than unit 0"},
		"the end is missing":    {source[:len(source)/2], translation, "the source ends in unit"},
		"a sentence more":       {source + "five", translation, "the source goes on"},
		"nothing":               {"", translation, "the source ends in unit 0"},
		"another translation":   {source, strings.Replace(translation, "\n\n", "\nx\n", 1), "differs from that of unit 0"},
		"a longer translation":  {source, translation + "x", "the translation goes on"},
		"a shorter translation": {source, translation[:len(translation)/2], "differs from that of unit"},
	} {
		err := p.Translation(c.source, c.translation)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestOldSentences: a job of version 2 of the rules had sentences without letters. Its receipt
// still holds, and so does a receipt of these rules; neither holds for the other's sentences.
func TestOldSentences(t *testing.T) {
	const source = "One.\n12 %\n\n3! Two. 4!\n5"
	for name, c := range map[string]struct {
		sentences []string
		ok        bool
	}{
		"version 2":  {[]string{"One.", "12 %", "3!", "Two.", "4!", "5"}, true},
		"version 3":  {[]string{"One.", "3! Two."}, true},
		"a part":     {[]string{"One.", "Two."}, false},
		"half of it": {[]string{"One.", "12 %", "3! Two."}, false},
	} {
		text := unit.NewText(c.sentences, nil)
		l, err := block.LinkOf(text)
		if err != nil {
			t.Fatal(err)
		}
		u := protocol.ReceiptUnit{Input: l}
		for _, s := range c.sentences {
			u.Source = append(u.Source, uint32(len(s)))
		}
		p := client.Proven{Job: unit.Job{Version: unit.Plain, Input: l}, Receipt: protocol.Receipt{Units: protocol.ReceiptUnits{u}}}
		if err := p.Source(source); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// paid waits until the receipt of a file is paid.
func (w *world) paid(path string) (p client.Proven) {
	w.Helper()
	for p.Status != client.Paid {
		var err error
		p, err = client.Refresh(w.ctx, w.File, w.Holder.Ledger, path)
		w.check(err)
	}
	return p
}

// reopen opens another escrow for the job of a paid receipt.
func (w *world) reopen(c *client.Client, p client.Proven) {
	w.Helper()
	slots := make([]protocol.Slot, len(p.Receipt.Units))
	for i, u := range p.Receipt.Units {
		slots[i] = ledger.JobSlot(uint32(i), p.Attestation(uint32(i)).Unit, u.Most)
	}
	head, err := c.Peer.Ledger.Head(w.ctx)
	w.check(err)
	nonce, err := c.Peer.Sender.Send(w.ctx, ledger.EscrowOpen{
		Job: p.Link, Units: protocol.GroupOf(slots), Amount: 1000, Price: 1000, Deadline: head.Height + 3,
	})
	w.check(err)
	w.check(c.Peer.Sender.Confirm(w.ctx, nonce))
}

// refresh waits until a receipt is paid, and closes its escrow: the receipt stays paid.
func (w *world) refresh(c *client.Client, tr *client.Translation) {
	copied := filepath.Join(w.TempDir(), "copy") // anybody who has the file can do it
	data, err := os.ReadFile(tr.ReceiptFile)
	w.check(err)
	w.check(os.WriteFile(copied, data, 0o600))
	p := w.paid(copied)
	w.receipt(copied, p)
	for w.escrows(c) > 0 {
		_, err := c.Customer().Reclaim(w.ctx)
		w.check(err)
	}
	w.receipt(tr.ReceiptFile, p) // Reclaim has refreshed it
	// The receipt that was only claimed stays what it was, once the escrow is gone.
	w.check(os.WriteFile(copied, data, 0o600))
	old, err := client.Refresh(w.ctx, w.File, w.Holder.Ledger, copied)
	if err != nil || old.Status != tr.Receipt.Status {
		w.Errorf("after the escrow is closed the old receipt is %s, %v", old.Status, err)
	}
	// Another escrow for the job says nothing of what the first one paid.
	w.reopen(c, p)
	old, err = client.Refresh(w.ctx, w.File, w.Holder.Ledger, copied)
	if err != nil || old.Status != tr.Receipt.Status {
		w.Errorf("after another escrow was opened the old receipt is %s (%s), %v", old.Status, old.Missing, err)
	}
	for w.escrows(c) > 0 {
		_, err := c.Customer().Reclaim(w.ctx)
		w.check(err)
	}
	w.receipt(tr.ReceiptFile, p)
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := client.Refresh(ctx, w.File, w.Holder.Ledger, filepath.Join(w.TempDir(), "nothing")); !errors.Is(err, os.ErrNotExist) {
		w.Errorf("a file that is not there: %v", err)
	}
}
