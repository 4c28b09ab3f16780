package protocol_test

import (
	"bytes"
	"crypto/ed25519"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

var update = flag.Bool("update", false, "rewrite the golden bytes of the records")

var (
	key   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	other = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	net   = protocol.Net{1, 2, 3}
)

func link(s string) block.Link { return block.Link{Cid: block.Sum(block.Raw, []byte(s))} }

// samples returns one valid record of every type, signed where it is to be.
func samples(t testing.TB) []protocol.Record {
	t.Helper()
	spec := []byte{0x81, 0x01}
	slots := []protocol.Slot{{Kind: 1, Index: 2, Task: link("task"), Most: 9}, {Kind: 1, Index: 3, Task: link("another task"), Most: 8}}
	group := protocol.GroupOf(slots)
	ticket := protocol.Ticket{Work: link("run"), Number: 7, Unit: block.Link{Cid: block.Sum(block.CBOR, spec)}, Spec: spec,
		Miner: protocol.AccountOf(other), LeaseSeconds: 30, Hints: []string{"/ip4/127.0.0.1/tcp/1"},
		Proof: []protocol.SlotProof{protocol.Prove(slots, 1, protocol.PlanPath([]protocol.SlotGroup{group, group}, 0))}}
	ticket.Proof[0].Function, ticket.Proof[0].Groups, ticket.Escrow = link("function"), 2, 6
	place := protocol.Place{Round: 4, Kind: 1, Index: 3}
	attestation := protocol.Attestation{Work: link("run"), Publisher: protocol.AccountOf(key), Place: place, Unit: link("unit"), Result: link("result"), Ticket: link("ticket")}
	accept := protocol.Accept{Work: link("run"), Place: place, Unit: link("unit"), Miner: protocol.AccountOf(other), Result: link("result")}
	sign(t, &attestation)
	sign(t, &accept)
	records := []protocol.Record{
		&protocol.RunOffer{Run: link("run"), Time: 1, Rounds: 40, Units: 4, Addrs: []string{"/ip4/1.2.3.4/tcp/5"}},
		&protocol.JobOffer{Job: link("job"), Time: 1, Src: "en", Dst: "de", Model: link("model"), Price: 2, Addrs: []string{"/ip4/1.2.3.4/tcp/5"}},
		&protocol.Bid{Work: link("run"), Price: 1, InFlight: 2, Capability: protocol.Capability{
			Numerics: "f32-1", Kernel: "avx2", Device: "amd64", Software: "v1", Threads: 2, MFLOPS: 5000}},
		&ticket, &attestation, &accept,
		&protocol.Receipt{Job: []byte{0x80}, Units: protocol.ReceiptUnits{{Input: link("text"), Most: 9, Result: []byte{0x80},
			Source: []uint32{3}, Target: []uint32{4}, Miner: protocol.AccountOf(other), Ticket: link("ticket"), Sig: []byte{1}}}},
		&protocol.Reject{Version: 1, Ticket: link("ticket"), Code: protocol.ResultMismatch, Detail: "row 3"},
		&protocol.Cancel{Version: 1, Ticket: link("ticket"), Code: protocol.Superseded, Detail: "miner 3"},
		&protocol.Progress{Version: 1, Ticket: link("ticket"), DonePPM: 500_000},
		&protocol.Idle{Version: 1, Code: protocol.TooSlow},
		&protocol.OfferQuery{Version: 1, Cursor: 3},
		&protocol.OfferPage{Version: 1, Offers: []protocol.EncodedOffer{{Type: protocol.TypeRunOffer, Body: []byte{0x80}}}, Cursor: 4},
		&protocol.ModelQuery{Version: 1, Source: "en", Target: "de"},
		&protocol.ModelPage{Version: 1, Models: []protocol.HeldModel{{Model: link("model"), Source: "en", Target: "de", ChrF: 612_345, Price: 7}}},
		&protocol.Correction{Time: 1, Src: "en", Dst: "de", Source: "Good morning.", Machine: "Gut Morgen.", Human: "Guten Morgen.", Model: link("model"),
			How: "beam 1", Licence: "CC0-1.0", Author: "key 1", Payee: protocol.AccountOf(other)},
		&protocol.Review{Correction: link("correction"), Approve: true, Reason: "natural", Rules: 1, Reviewer: "key 2"},
		&protocol.Budget{Time: 1, Amount: 1000, PerAuthor: 500, PerCorrection: 10, PerCharacter: 1, Votes: 2, Rules: 1, Reviewers: []protocol.Account{protocol.AccountOf(other)}},
	}
	for _, r := range records {
		if s, ok := r.(protocol.Signed); ok {
			sign(t, s)
		}
	}
	return records
}

func sign(t testing.TB, r protocol.Signed) []byte {
	t.Helper()
	data, err := protocol.Sign(key, net, r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(t testing.TB, r protocol.Record) []byte {
	t.Helper()
	data, err := protocol.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// empty returns a new zero record of r's type.
func empty(r protocol.Record) protocol.Record {
	return reflect.New(reflect.TypeOf(r).Elem()).Interface().(protocol.Record)
}

func TestParseGivesBackWhatWasEncoded(t *testing.T) {
	seen := map[protocol.RecordType]bool{}
	for _, r := range samples(t) {
		seen[r.Type()] = true
		data := encode(t, r)
		if s, ok := r.(protocol.Signed); ok && !bytes.Equal(sign(t, s), data) {
			t.Errorf("%s: Sign returns other bytes than Encode", r.Type())
		}
		got := empty(r)
		if err := protocol.Parse(data, net, got); err != nil {
			t.Errorf("%s: %v", r.Type(), err)
			continue
		}
		if s, ok := got.(protocol.Signed); ok {
			if err := protocol.Verify(net, s); err != nil {
				t.Errorf("%s: parsed, but: %v", r.Type(), err)
			}
		}
		if again := encode(t, got); !bytes.Equal(again, data) {
			t.Errorf("%s: %x encodes again as %x", r.Type(), data, again)
		}
		if id := protocol.ID(data); id.Cid != block.Sum(block.CBOR, data) {
			t.Errorf("%s: ID = %s", r.Type(), id)
		}
	}
	for typ := range protocol.TypeTx {
		if known := !strings.HasPrefix(typ.String(), "record of type"); known != seen[typ] {
			t.Errorf("%s: known is %v, in the samples is %v", typ, known, seen[typ])
		}
	}
}

// TestSamplesAreFull: no field of a sample is zero, so that the tests of this
// file cover every field of every record.
func TestSamplesAreFull(t *testing.T) {
	for _, r := range samples(t) {
		full(t, r.Type().String(), reflect.ValueOf(r).Elem())
	}
}

func full(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("%s is zero", name)
	}
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0:
		full(t, name+"[0]", v.Index(0))
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[block.Link]():
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "_" {
				full(t, name+"."+f.Name, v.Field(i))
			}
		}
	}
}

// TestRecordsGolden: the bytes of the samples are those of testdata/records.txt.
// A change there is a change of the protocol.
func TestRecordsGolden(t *testing.T) {
	var got strings.Builder
	for _, r := range samples(t) {
		fmt.Fprintf(&got, "%d %s\n%x\n", r.Type(), r.Type(), encode(t, r))
	}
	const file = "testdata/records.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("records are encoded as\n%s", got.String())
	}
}

// TestParseRefusesEveryFlippedBit flips each bit of each signed record: none
// is accepted.
func TestParseRefusesEveryFlippedBit(t *testing.T) {
	for _, r := range samples(t) {
		if _, ok := r.(protocol.Signed); !ok {
			continue
		}
		data := encode(t, r)
		for i := range data {
			data[i] ^= 1 << (i % 8)
			if protocol.Parse(data, net, empty(r)) == nil {
				t.Errorf("%s: byte %d changed and accepted", r.Type(), i)
			}
			data[i] ^= 1 << (i % 8)
		}
	}
}

func TestParseReasons(t *testing.T) {
	for _, r := range samples(t) {
		s, ok := r.(protocol.Signed)
		if !ok {
			continue
		}
		data := encode(t, s)
		if got := protocol.ReasonOf(protocol.Parse(data, protocol.Net{9}, empty(r))); got != protocol.WrongNetwork {
			t.Errorf("%s on another network: %s", r.Type(), got)
		}
		data[len(data)-1] ^= 1
		if got := protocol.ReasonOf(protocol.Parse(data, net, empty(r))); got != protocol.BadSignature {
			t.Errorf("%s with a wrong signature: %s", r.Type(), got)
		}
		if got := protocol.ReasonOf(protocol.Parse(data[:len(data)-1], net, empty(r))); got != protocol.Malformed {
			t.Errorf("%s cut short: %s", r.Type(), got)
		}
		if got := protocol.ReasonOf(protocol.Parse(make([]byte, block.MaxSize+1), net, empty(r))); got != protocol.TooLarge {
			t.Errorf("%s of 2 MiB and a byte: %s", r.Type(), got)
		}
	}
}

func TestParseRefusesBadFields(t *testing.T) {
	for name, c := range map[string]struct {
		record protocol.Record
		want   protocol.Reason
	}{
		"version":              {&protocol.Idle{Version: 2}, protocol.WrongVersion},
		"no run":               {&protocol.RunOffer{}, protocol.Malformed},
		"language":             {&protocol.JobOffer{Job: link("j"), Model: link("m"), Src: "en/x", Dst: "de"}, protocol.Malformed},
		"many addresses":       {&protocol.RunOffer{Run: link("run"), Addrs: make([]string, 17)}, protocol.TooLarge},
		"long address":         {&protocol.RunOffer{Run: link("run"), Addrs: []string{strings.Repeat("a", 257)}}, protocol.TooLarge},
		"long text":            {&protocol.Cancel{Version: 1, Ticket: link("t"), Detail: strings.Repeat("a", 257)}, protocol.TooLarge},
		"spec":                 {&protocol.Ticket{Work: link("run"), Unit: link("unit"), Spec: []byte{0x80}}, protocol.Malformed},
		"many proofs":          {&protocol.Ticket{Work: link("run"), Unit: protocol.ID([]byte{0x80}), Spec: []byte{0x80}, Proof: make([]protocol.SlotProof, 2)}, protocol.Malformed},
		"progress":             {&protocol.Progress{Version: 1, Ticket: link("t"), DonePPM: 1_000_001}, protocol.Malformed},
		"offers":               {&protocol.OfferPage{Version: 1, Offers: []protocol.EncodedOffer{{Type: protocol.TypeBid}}}, protocol.Malformed},
		"half a pair":          {&protocol.ModelQuery{Version: 1, Source: "en"}, protocol.Malformed},
		"many models":          {&protocol.ModelPage{Version: 1, Models: make([]protocol.HeldModel, protocol.MaxHeldModels+1)}, protocol.TooLarge},
		"no model":             {&protocol.ModelPage{Version: 1, Models: []protocol.HeldModel{{Source: "en", Target: "de"}}}, protocol.Malformed},
		"chrF above 100":       {&protocol.ModelPage{Version: 1, Models: []protocol.HeldModel{{Model: link("m"), Source: "en", Target: "de", ChrF: 1_000_001}}}, protocol.Malformed},
		"receipt for no units": {&protocol.Receipt{}, protocol.Malformed},
		"unequal segments":     {&protocol.Receipt{Units: protocol.ReceiptUnits{{Input: link("text"), Source: []uint32{1}}}}, protocol.Malformed},
		"unit without text":    {&protocol.Receipt{Units: make(protocol.ReceiptUnits, 1)}, protocol.Malformed},
		"many units":           {&protocol.Receipt{Units: make(protocol.ReceiptUnits, 1025)}, protocol.Malformed},
		"bid for no units":     {&protocol.Bid{Work: link("run")}, protocol.Malformed},
		"long capability":      {&protocol.Bid{Work: link("run"), InFlight: 1, Capability: protocol.Capability{Device: strings.Repeat("a", 257)}}, protocol.TooLarge},
	} {
		if s, ok := c.record.(protocol.Signed); ok {
			if _, err := protocol.Sign(other, net, s); protocol.ReasonOf(err) != c.want {
				t.Errorf("%s: Sign: %v", name, err)
			}
		}
		data, err := block.Encode(c.record)
		if err != nil {
			t.Fatal(err)
		}
		if got := protocol.ReasonOf(protocol.Parse(data, net, empty(c.record))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if _, err := protocol.Encode(c.record); protocol.ReasonOf(err) != c.want {
			t.Errorf("%s: Encode: %v", name, err)
		}
	}
}

// TestReceiptOfManyUnits: the units that a receipt announces take no memory before their
// number is checked. A megabyte of one-byte units would otherwise take 200 MB.
func TestReceiptOfManyUnits(t *testing.T) {
	const units = 1 << 20
	data := append([]byte{0x9a, 0, units >> 16, 0, 0}, bytes.Repeat([]byte{0x80}, units)...)
	var u protocol.ReceiptUnits
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := block.Decode(data, &u)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("decoded")
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8*units {
		t.Errorf("%d bytes are allocated for %d", got, len(data))
	}
}

// TestSignatureIsBoundToItsType: the same bytes under another type are not
// signed.
func TestSignatureIsBoundToItsType(t *testing.T) {
	if bytes.Equal(protocol.Digest(net, protocol.TypeBid, nil), protocol.Digest(net, protocol.TypeTicket, nil)) {
		t.Error("two types have one digest")
	}
	if got := len(protocol.Digest(net, protocol.TypeBid, nil)); got != 6+32+2+32 {
		t.Errorf("digest of %d bytes", got)
	}
}

func FuzzParse(f *testing.F) {
	all := samples(f)
	for i, r := range all {
		f.Add(uint(i), encode(f, r))
	}
	f.Fuzz(func(t *testing.T, i uint, data []byte) {
		r := empty(all[i%uint(len(all))])
		if err := protocol.Parse(data, net, r); err != nil {
			if protocol.ReasonOf(err) == protocol.Unspecified {
				t.Errorf("refused without a reason: %v", err)
			}
			return
		}
		if again, err := protocol.Encode(r); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: parsed %x, encodes as %x, %v", r.Type(), data, again, err)
		}
	})
}

func TestFrames(t *testing.T) {
	var buf bytes.Buffer
	for _, r := range samples(t) {
		if err := protocol.WriteMessage(&buf, r.Type(), encode(t, r)); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range samples(t) {
		typ, body, err := protocol.ReadMessage(&buf)
		if err != nil || typ != r.Type() || !bytes.Equal(body, encode(t, r)) {
			t.Errorf("read %s, %d bytes, %v; want %s", typ, len(body), err, r.Type())
		}
	}
	if _, _, err := protocol.ReadMessage(&buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestFramesRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		frame string
		want  protocol.Reason
	}{
		"unknown type":     {"\x00\x00\x00\x00\xff\xff", protocol.Malformed},
		"a type of before": {"\x00\x00\x00\x00\x00\x0b", protocol.Malformed},
		"type 0":           {"\x00\x00\x00\x00\x00\x00", protocol.Malformed},
		"over its type":    {"\x00\x00\x10\x00\x00\x0a", protocol.TooLarge},
		"over everything":  {"\xff\xff\xff\xff\x00\x10", protocol.TooLarge},
		"truncated head":   {"\x00\x00", protocol.Unspecified},
		"truncated frame":  {"\x00\x00\x00\x05\x00\x0a\x80", protocol.Unspecified},
		"body not started": {"\x00\x00\x00\x05\x00\x0a", protocol.Unspecified},
	} {
		_, _, err := protocol.ReadMessage(strings.NewReader(c.frame))
		if err == nil || err == io.EOF || protocol.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := protocol.WriteMessage(io.Discard, protocol.TypeTx, make([]byte, protocol.MaxMessage+1)); protocol.ReasonOf(err) != protocol.TooLarge {
		t.Errorf("a frame over the limit: %v", err)
	}
}

// TestCorrectionsRefused: what no correction, review or budget may have.
func TestCorrectionsRefused(t *testing.T) {
	correction := func(change func(c *protocol.Correction)) protocol.Signed {
		c := &protocol.Correction{Src: "en", Dst: "de", Source: "Good morning.", Machine: "Gut Morgen.", Human: "Guten Morgen.", Model: link("m"), How: "beam 1", Licence: "CC0-1.0"}
		change(c)
		return c
	}
	review := func(change func(r *protocol.Review)) protocol.Signed {
		r := &protocol.Review{Correction: link("c"), Reason: "wrong"}
		change(r)
		return r
	}
	budget := func(change func(b *protocol.Budget)) protocol.Signed {
		b := &protocol.Budget{Amount: 100, PerAuthor: 50, PerCorrection: 10, Votes: 1}
		change(b)
		return b
	}
	for _, test := range []struct {
		record protocol.Signed
		want   string // part of the error; empty: none
	}{
		{correction(func(c *protocol.Correction) {}), ""},
		{correction(func(c *protocol.Correction) { c.Machine, c.Model, c.How = "", block.Link{}, "" }), ""},
		{correction(func(c *protocol.Correction) { c.Human = "می\u200cخواهم" }), ""},
		{correction(func(c *protocol.Correction) { c.Licence = "GPL-3.0" }), `licence "GPL-3.0": want one of CC-BY-4.0, CC0-1.0`},
		{correction(func(c *protocol.Correction) { c.Licence = "" }), `licence "": want one of`},
		{correction(func(c *protocol.Correction) { c.Dst = "en" }), "from en to en"},
		{correction(func(c *protocol.Correction) { c.Source = "" }), "no source text"},
		{correction(func(c *protocol.Correction) { c.Human = "" }), "no human text"},
		{correction(func(c *protocol.Correction) { c.Human = "Guten\nMorgen." }), "human text: the character U+000A at byte 5"},
		{correction(func(c *protocol.Correction) { c.Human = "Guten\u202eMorgen." }), "U+202E"},
		{correction(func(c *protocol.Correction) { c.Human = "Guten\u200bMorgen." }), "U+200B"},
		{correction(func(c *protocol.Correction) { c.Machine = "\x1b[2J" }), "machine text: the character U+001B"},
		{correction(func(c *protocol.Correction) { c.Human = " Guten Morgen." }), "space at its beginning"},
		{correction(func(c *protocol.Correction) { c.Source = strings.Repeat("a", 2049) }), "source text of 2049 bytes, the limit is 2048"},
		{correction(func(c *protocol.Correction) { c.Author = strings.Repeat("a", 65) }), "a name of 65 bytes"},
		{correction(func(c *protocol.Correction) { c.Payee = protocol.Account{1} }), "small order"},
		{correction(func(c *protocol.Correction) { c.How = "" }), "without how it was made"},
		{correction(func(c *protocol.Correction) { c.Machine = "" }), "without the translation"},
		{review(func(r *protocol.Review) {}), ""},
		{review(func(r *protocol.Review) { r.Reason = " " }), "a rejection without a reason"},
		{review(func(r *protocol.Review) { r.Reason = "a\x00" }), "U+0000"},
		{review(func(r *protocol.Review) { r.Correction = block.Link{} }), "no correction"},
		{budget(func(b *protocol.Budget) {}), ""},
		{budget(func(b *protocol.Budget) { b.Votes = 0 }), "needs 0 votes, want 1 to 16"},
		{budget(func(b *protocol.Budget) { b.PerAuthor = 101 }), "prices above it"},
		{budget(func(b *protocol.Budget) { b.PerCharacter = 1 << 50 }), "prices above it"},
		{budget(func(b *protocol.Budget) { b.Reviewers = make([]protocol.Account, 65) }), "65 reviewers"},
		{budget(func(b *protocol.Budget) { b.Reviewers = []protocol.Account{{1}} }), "small order"},
	} {
		_, err := protocol.Sign(key, net, test.record)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.record, err, test.want)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x0a\x80"))
	f.Fuzz(func(t *testing.T, data []byte) {
		typ, body, err := protocol.ReadMessage(bytes.NewReader(data))
		if err != nil {
			return
		}
		var buf bytes.Buffer
		if err := protocol.WriteMessage(&buf, typ, body); err != nil || !bytes.HasPrefix(data, buf.Bytes()) {
			t.Errorf("read %x, writes %x, %v", data, buf.Bytes(), err)
		}
	})
}

func TestReasonsAreDistinct(t *testing.T) {
	codes := map[string]protocol.Reason{}
	for r := protocol.Reason(0); r < 100; r++ {
		code := r.String()
		if strings.HasPrefix(code, "reason-") {
			continue
		}
		if before, ok := codes[code]; ok {
			t.Errorf("reasons %d and %d are both %q", before, r, code)
		}
		if codes[code] = r; strings.Contains(r.Text(), "does not know") {
			t.Errorf("%s has no text", code)
		}
	}
	err := protocol.Refuse(protocol.Conformance, "row %d", 3)
	if got := err.Error(); got != "conformance: row 3" || protocol.ReasonOf(err) != protocol.Conformance {
		t.Errorf("error %q", got)
	}
}

func TestText(t *testing.T) {
	a := protocol.AccountOf(key)
	if got, err := protocol.ParseAccount(a.String()); err != nil || got != a {
		t.Errorf("ParseAccount = %v, %v", got, err)
	}
	if got, err := protocol.ParseNet(net.String()); err != nil || got != net {
		t.Errorf("ParseNet = %v, %v", got, err)
	}
	for _, s := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("g", 64)} {
		if _, err := protocol.ParseAccount(s); err == nil {
			t.Errorf("account %q parsed", s)
		}
	}
	if got := protocol.JobTopic(net, "en", "de"); got != "/alia/0102030000000000/offer/mt/en-de/1" {
		t.Errorf("JobTopic = %q", got)
	}
}
