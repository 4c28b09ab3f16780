package client

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// file is the file of a receipt. The ledger's proof is outside the customer's signature,
// so anybody can replace it by a newer one.
type file struct {
	_       struct{} `cbor:",toarray"`
	Version uint16   // 1
	Receipt []byte   // the signed [protocol.Receipt]
	Proof   []byte   // of the job's escrow, see [light.VerifyEscrow]; none for unpaid work
}

// Status says what the ledger pays for a translated document.
type Status string

// A receipt is Paid once the ledger has paid for all its units, and Claimed while the
// ledger holds their pay until a known height. It is Unpaid if the ledger pays nothing
// for a unit.
const (
	Paid    Status = "paid"
	Claimed Status = "claimed"
	Unpaid  Status = "unpaid"
)

// Proven is the content of a checked receipt.
type Proven struct {
	Receipt protocol.Receipt
	Link    block.Link // of the job
	Job     unit.Job
	Status  Status
	Missing string // why the receipt is Unpaid
	Paid    uint64 // amount, to the miners of the receipt: paid, or claimed
	Height  uint64 // of the ledger, after which the escrow was so; 0 without a proof
	Due     uint64 // the first height at which everything is paid; 0 unless Claimed
	// Code is the code of the target language, such as "fra", where the model was told one: it
	// stood in front of each sentence. The receipt does not name it, so the caller sets it.
	Code string

	results []unit.Result // of the units
	escrow  uint64        // number of the escrow in the proof
}

// VerifyReceipt checks the file of a receipt without the network, as PROTOCOL.md, section
// 4.8.1, says. An error names what does not hold. Work that is not paid is no error: the
// status says so.
func VerifyReceipt(n node.Network, data []byte) (Proven, error) {
	p, err := verify(n, data)
	if err != nil {
		return Proven{}, fmt.Errorf("receipt: %w", err)
	}
	return p, nil
}

func verify(n node.Network, data []byte) (Proven, error) {
	p, proof, err := verifySigned(n.Net(), data)
	if err != nil {
		return p, err
	}
	if len(proof) == 0 {
		p.Status, p.Missing = Unpaid, "it has no proof of the ledger"
		return p, nil
	}
	e, err := light.VerifyEscrow(n.Genesis, proof, p.Receipt.Account, p.Link)
	if err != nil {
		return p, err
	}
	return p, p.judge(e)
}

// IsReceipt says why bytes are not the file of a job's receipt. That they are does not say that
// the receipt is good.
func IsReceipt(data []byte) error {
	_, err := parseFile(data)
	return err
}

// parseFile reads the file of a receipt.
func parseFile(data []byte) (file, error) {
	var f file
	if err := block.Decode(data, &f); err != nil {
		return f, err
	}
	if f.Version != 1 {
		return f, fmt.Errorf("version %d, this program knows version 1", f.Version)
	}
	return f, nil
}

// verifySigned checks what the customer and the miners have signed. It returns the
// ledger's proof, unchecked.
func verifySigned(net protocol.Net, data []byte) (p Proven, proof []byte, err error) {
	f, err := parseFile(data)
	if err != nil {
		return p, nil, err
	}
	if err := protocol.Parse(f.Receipt, net, &p.Receipt); err != nil {
		return p, nil, err
	}
	r := &p.Receipt
	p.Link = protocol.ID(r.Job)
	if err := block.Decode(r.Job, &p.Job); err != nil {
		return p, nil, fmt.Errorf("job: %w", err)
	}
	if err := p.Job.Validate(); err != nil {
		return p, nil, fmt.Errorf("job: %w", err)
	}
	if customer := protocol.Account(p.Job.Customer); customer != r.Account {
		return p, nil, fmt.Errorf("the job %s is that of customer %s, and %s has signed", p.Link, customer.Short(), r.Account.Short())
	}
	for i, u := range r.Units {
		result, err := p.verifyUnit(net, uint32(i), u)
		if err != nil {
			return p, nil, fmt.Errorf("unit %d: %w", i, err)
		}
		p.results = append(p.results, result)
	}
	return p, f.Proof, nil
}

// unitOf is the unit of the receipt with an index.
func (p *Proven) unitOf(index uint32) unit.Unit {
	return unit.Unit{
		Version: 1, Kind: unit.Translate, Work: p.Link, Index: index,
		Inputs: []block.Link{p.Job.Model, p.Receipt.Units[index].Input}, Decoding: p.Job.Decoding,
	}
}

// verifyUnit checks the result of a unit and the miner's signature.
func (p *Proven) verifyUnit(net protocol.Net, index uint32, u protocol.ReceiptUnit) (unit.Result, error) {
	spec := p.unitOf(index)
	if err := spec.Validate(); err != nil {
		return unit.Result{}, err
	}
	r, err := unit.ParseResult(u.Result)
	if err != nil {
		return r, err
	}
	if err := unit.Fits(spec, r); err != nil {
		return r, err
	}
	if r.Defect != 0 {
		return r, fmt.Errorf("the result has no translation: %w", unit.ErrDefect)
	}
	at := p.Attestation(index)
	return r, protocol.Verify(net, &at)
}

// Attestation is what the miner of a unit has signed.
func (p *Proven) Attestation(index uint32) protocol.Attestation {
	u := p.Receipt.Units[index]
	return protocol.Attestation{
		Header: protocol.Header{Version: protocol.Version, Net: p.Receipt.Net}, Work: p.Link, Publisher: p.Receipt.Account,
		Place: protocol.Place{Kind: uint16(unit.Translate), Index: index}, Unit: p.unitOf(index).ID(), Result: protocol.ID(u.Result), Ticket: u.Ticket,
		Seal: protocol.Seal{Account: u.Miner, Sig: u.Sig},
	}
}

// judge holds the units against the job's escrow, and finds the status.
func (p *Proven) judge(e light.ProvenEscrow) error {
	slots := make([]protocol.Slot, len(p.Receipt.Units))
	for i, u := range p.Receipt.Units {
		slots[i] = ledger.JobSlot(uint32(i), p.unitOf(uint32(i)).ID(), u.Most)
	}
	if got := protocol.GroupOf(slots); got.Slots != e.Units.Slots {
		return fmt.Errorf("it has %d units, and the escrow pays for a list of %d", got.Slots, e.Units.Slots)
	} else if got != e.Units {
		return errors.New("its units are not those on the list that the escrow pays for")
	}
	p.Height, p.escrow = e.Height, e.Number
	claims := make(map[uint32]ledger.JobClaimed, len(e.Claims))
	var due uint64
	for _, c := range e.Claims {
		claims[c.Index] = c
		due = max(due, c.Due)
	}
	for i, u := range p.Receipt.Units {
		c, claimed := claims[uint32(i)]
		switch result := protocol.ID(u.Result); {
		case !claimed:
			p.miss("nobody has claimed unit %d at height %d", i, e.Height)
			continue
		case c.Miner != u.Miner:
			p.miss("the ledger pays unit %d to miner %s, the receipt names %s", i, c.Miner.Short(), u.Miner.Short())
			continue
		case c.Result != result:
			p.miss("the ledger pays unit %d for result %s, the receipt has %s", i, c.Result, result)
			continue
		}
		cost := min(p.results[i].MFLOP(), u.Most)
		if want := amountOf(cost, e.Price); c.Cost != cost || c.Amount != want {
			return fmt.Errorf("unit %d: the ledger pays %s ALIA for %d MFLOP, and %s for %d follow from the result and the price",
				i, protocol.FormatAmount(c.Amount), c.Cost, protocol.FormatAmount(want), cost)
		}
		p.Paid += c.Paid()
	}
	switch {
	case p.Missing != "":
		p.Status = Unpaid
	case e.Held == 0:
		p.Status = Paid
	default: // a claim that is due waits where a height has more to pay than it can
		p.Status, p.Due = Claimed, max(due, e.Height+1)
	}
	return nil
}

// miss notes the first reason why the receipt is not paid.
func (p *Proven) miss(format string, args ...any) {
	if p.Missing == "" {
		p.Missing = fmt.Sprintf(format, args...)
	}
}

// place is where a segment of a receipt lies in the source.
type place struct {
	text int    // index
	gap  string // what is copied in front, in the text
}

// Source checks that texts are the document that was translated. A document that is one
// file is one text; its lines are as good.
func (p *Proven) Source(texts ...string) error {
	_, err := p.places(texts)
	return err
}

// layout is where the segments of a receipt lie in texts.
type layout struct {
	places []place
	tails  []string // by text: what is copied behind its last segment, or the whole text
}

// places is Source. It returns where the segments lie. Jobs made by version 2 of the rules for
// sentences had lines without letters too, and a receipt does not tell the version: its hashes
// do.
func (p *Proven) places(texts []string) (layout, error) {
	l, err := p.lay(texts, text.SkipCopied)
	if err != nil {
		space := func(s string) int { return len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace)) }
		if old, failed := p.lay(texts, space); failed == nil {
			return old, nil
		}
	}
	return l, err
}

// lay is places where skip returns the length of what is copied at the start of a text.
func (p *Proven) lay(texts []string, skip func(string) int) (l layout, err error) {
	l.tails = make([]string, len(texts))
	all := unit.Text{Version: 1}
	at, left := -1, "" // the text, and the rest of it
	code := ""
	if p.Code != "" {
		code = ">>" + p.Code + "<< "
	}
	blank := func() bool { return skip(left) == len(left) }
	next := func() {
		if at >= 0 {
			l.tails[at] = left
		}
		at++
		left = texts[at]
	}
	for i, u := range p.Receipt.Units {
		part := unit.Text{Version: 1}
		for _, n := range u.Source {
			for blank() && at+1 < len(texts) {
				next()
			}
			rest := left[skip(left):]
			if uint64(n) < uint64(len(code)) {
				return l, fmt.Errorf("a sentence of unit %d is too short for the code %s", i, code)
			}
			size := uint64(n) - uint64(len(code))
			if size > uint64(len(rest)) {
				return l, fmt.Errorf("the source ends in unit %d of %d", i, len(p.Receipt.Units))
			}
			l.places = append(l.places, place{at, left[:len(left)-len(rest)]})
			part.Segments, left = append(part.Segments, code+rest[:size]), rest[size:]
		}
		// The terms of the segments follow from those of the job.
		terms, err := termsOf(p.Job, part.Segments)
		if err != nil {
			return l, err
		}
		if err := same(unit.NewText(part.Segments, terms).WithSalt(p.Job.TextSalt(uint32(i))), u.Input); err != nil {
			return l, fmt.Errorf("the source is another text than unit %d translates: %w", i, err)
		}
		all.Segments = append(all.Segments, part.Segments...)
	}
	for blank() && at+1 < len(texts) {
		next()
	}
	if !blank() {
		return l, errors.New("the source goes on behind the last unit")
	}
	if at >= 0 {
		l.tails[at] = left
	}
	if err := same(all.WithSalt(p.Job.Salt), p.Job.Input); err != nil {
		return l, fmt.Errorf("the units do not translate the document of the job: %w", err)
	}
	return l, nil
}

// Opens checks that sentences, and their translations as the miner gave them, are those of a
// unit of the receipt. So a part of a document is checked without the rest.
func (p *Proven) Opens(index int, o Opened) error {
	if index < 0 || index >= len(p.Receipt.Units) {
		return fmt.Errorf("unit %d: the receipt has %d", index, len(p.Receipt.Units))
	}
	if len(o.Sources) != len(o.Targets) {
		return fmt.Errorf("unit %d: %d translations of %d sentences", index, len(o.Targets), len(o.Sources))
	}
	terms, err := termsOf(p.Job, o.Sources)
	if err != nil {
		return err
	}
	salt := p.Job.TextSalt(uint32(index))
	if err := same(unit.NewText(o.Sources, terms).WithSalt(salt), p.Receipt.Units[index].Input); err != nil {
		return fmt.Errorf("the sentences are not those that unit %d translates: %w", index, err)
	}
	if err := same(unit.NewText(o.Targets, nil).WithSalt(salt), p.results[index].Outputs[0]); err != nil {
		return fmt.Errorf("the translations are not those that the miner of unit %d gave: %w", index, err)
	}
	return nil
}

// Translation checks that a text is the translation of the source, as [text.Layout.Join]
// joins it. Join writes line breaks inside a segment as spaces, so a translation that has
// one is refused: nothing tells which of its spaces was one.
func (p *Proven) Translation(source, text string) error {
	return p.Translations([]string{source}, []string{text})
}

// Translations is Translation for each of the texts of a document.
func (p *Proven) Translations(sources, texts []string) error {
	if len(texts) != len(sources) {
		return fmt.Errorf("there are %d translations of %d texts", len(texts), len(sources))
	}
	l, err := p.places(sources)
	if err != nil {
		return err
	}
	places := l.places
	at, left := -1, ""
	// Behind the last sentence of a text stands what does in the source.
	goesOn := func() bool { return at >= 0 && strings.TrimSpace(left) != strings.TrimSpace(l.tails[at]) }
	for i, u := range p.Receipt.Units {
		part := unit.Text{Version: 1}
		for _, n := range u.Target {
			for ; at < places[0].text; left = texts[at] {
				if goesOn() {
					return fmt.Errorf("the translation of text %d goes on behind its last sentence, before unit %d", at, i)
				}
				at++
			}
			rest, ok := strings.CutPrefix(left, places[0].gap)
			if !ok || uint64(n) > uint64(len(rest)) {
				return fmt.Errorf("the translation differs from that of unit %d", i)
			}
			places = places[1:]
			part.Segments, left = append(part.Segments, rest[:n]), rest[n:]
		}
		if err := same(part.WithSalt(p.Job.TextSalt(uint32(i))), p.results[i].Outputs[0]); err != nil {
			return fmt.Errorf("the translation differs from that of unit %d: %w (a line break inside a sentence, which only a poor model writes, is printed as a space)", i, err)
		}
	}
	for ; !goesOn() && at+1 < len(texts); left = texts[at] {
		at++
	}
	if goesOn() {
		return errors.New("the translation goes on behind the last unit")
	}
	return nil
}

// same compares the CID of a text.
func same(t unit.Text, want block.Link) error {
	got, err := block.LinkOf(t)
	if err == nil && got != want {
		err = fmt.Errorf("its hash is %s, want %s", got, want)
	}
	return err
}
