package protocol_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

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
	ticket := protocol.Ticket{Work: link("run"), Number: 7, Unit: block.Link{Cid: block.Sum(block.CBOR, spec)}, Spec: spec,
		Miner: protocol.AccountOf(other), LeaseSeconds: 30, Price: 5, Hints: []string{"/ip4/127.0.0.1/tcp/1"}}
	attestation := protocol.Attestation{Work: link("run"), Unit: link("unit"), Result: link("result"), Cost: 9, Ticket: link("ticket")}
	accept := protocol.Accept{Work: link("run"), Unit: link("unit"), Miner: protocol.AccountOf(other), Result: link("result"), Cost: 9}
	capability := protocol.Capability{Software: "v1", Kernel: "f32-1", Device: "avx2", Threads: 2, MFLOPS: 5000, Memory: 1 << 33}
	sign(t, &attestation)
	sign(t, &accept)
	sign(t, &capability)
	records := []protocol.Record{
		&protocol.RunOffer{Run: link("run"), Seq: 1, Round: 2, Rounds: 40, K: 4, UnitCost: 100, Addrs: []string{"/ip4/1.2.3.4/tcp/5"}, ExpHeight: 8},
		&protocol.JobOffer{Job: link("job"), Src: "en", Dst: "de", Model: link("model"), Units: 3, Cost: 10, Price: 2, Escrow: link("escrow")},
		&capability,
		&protocol.Bid{Offer: link("offer"), Work: link("run"), Price: 1, MFLOPS: 4000, InFlight: 2, Capability: capability},
		&ticket, &attestation, &accept,
		&protocol.Head{Height: 5, BlockID: [32]byte{1}, AppHash: [32]byte{2}},
		&protocol.Receipt{Job: link("job"), Model: link("model"), Input: link("in"), Output: link("out"),
			Attestations: []protocol.Attestation{attestation}, Accepts: []protocol.Accept{accept}, Settlement: []byte{1}},
		&protocol.Reject{Version: 1, Ticket: link("ticket"), Code: protocol.ResultMismatch, Reason: "row 3"},
		&protocol.Cancel{Version: 1, Ticket: link("ticket"), Code: protocol.Superseded},
		&protocol.Progress{Version: 1, Ticket: link("ticket"), DonePPM: 500_000},
		&protocol.Credit{Version: 1, InFlight: 2},
		&protocol.Idle{Version: 1, Code: protocol.TooSlow},
		&protocol.OfferQuery{Version: 1, Cursor: 3},
		&protocol.OfferPage{Version: 1, Offers: []protocol.Offer{{Type: protocol.TypeRunOffer, Body: []byte{0x80}}}, Cursor: 4},
	}
	for _, r := range records {
		if s, ok := r.(protocol.Signed); ok {
			sign(t, s)
		}
	}
	return records
}

func sign(t testing.TB, r protocol.Signed) {
	t.Helper()
	if err := protocol.Sign(key, net, r); err != nil {
		t.Fatal(err)
	}
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
	seen := map[protocol.Type]bool{}
	for _, r := range samples(t) {
		seen[r.Type()] = true
		data := encode(t, r)
		got := empty(r)
		if err := protocol.Parse(data, net, got); err != nil {
			t.Errorf("%s: %v", r.Type(), err)
			continue
		}
		if again := encode(t, got); !bytes.Equal(again, data) {
			t.Errorf("%s: %x encodes again as %x", r.Type(), data, again)
		}
		if id, err := protocol.ID(r); err != nil || id.Cid != block.Sum(block.CBOR, data) {
			t.Errorf("%s: ID = %s, %v", r.Type(), id, err)
		}
	}
	for typ := protocol.TypeRunOffer; typ < protocol.TypeTx; typ++ {
		if !seen[typ] {
			t.Errorf("no sample of %s", typ)
		}
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
	bid := samples(t)[3].(*protocol.Bid)
	for name, c := range map[string]struct {
		record protocol.Record
		want   protocol.Reason
	}{
		"version":          {&protocol.Idle{Version: 2}, protocol.WrongVersion},
		"no run":           {&protocol.RunOffer{}, protocol.Malformed},
		"language":         {&protocol.JobOffer{Job: link("j"), Model: link("m"), Src: "en/x", Dst: "de"}, protocol.Malformed},
		"many addresses":   {&protocol.RunOffer{Run: link("run"), Addrs: make([]string, 17)}, protocol.TooLarge},
		"long address":     {&protocol.RunOffer{Run: link("run"), Addrs: []string{strings.Repeat("a", 257)}}, protocol.TooLarge},
		"long text":        {&protocol.Idle{Version: 1, Reason: strings.Repeat("a", 257)}, protocol.TooLarge},
		"role":             {&protocol.Attestation{Role: 2}, protocol.Malformed},
		"spec":             {&protocol.Ticket{Work: link("run"), Unit: link("unit"), Spec: []byte{0x80}}, protocol.Malformed},
		"progress":         {&protocol.Progress{Version: 1, Ticket: link("t"), DonePPM: 1_000_001}, protocol.Malformed},
		"offers":           {&protocol.OfferPage{Version: 1, Offers: []protocol.Offer{{Type: protocol.TypeBid}}}, protocol.Malformed},
		"unequal receipts": {&protocol.Receipt{Accepts: make([]protocol.Accept, 1)}, protocol.Malformed},
		"capability":       {bid, protocol.WrongAccount},
	} {
		if s, ok := c.record.(protocol.Signed); ok {
			if err := protocol.Sign(other, net, s); err != nil {
				t.Fatal(err)
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
		"type 0":           {"\x00\x00\x00\x00\x00\x00", protocol.Malformed},
		"over its type":    {"\x00\x00\x10\x00\x00\x0b", protocol.TooLarge},
		"over everything":  {"\xff\xff\xff\xff\x00\x10", protocol.TooLarge},
		"truncated head":   {"\x00\x00", protocol.Unspecified},
		"truncated frame":  {"\x00\x00\x00\x05\x00\x0b\x80", protocol.Unspecified},
		"body not started": {"\x00\x00\x00\x05\x00\x0b", protocol.Unspecified},
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

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x0b\x80"))
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
		if codes[code] = r; r.Text() == protocol.Reason(9999).Text() {
			t.Errorf("%s has no text", code)
		}
	}
	err := protocol.Refuse(protocol.NonFinite, "row %d", 3)
	if got := err.Error(); got != "non-finite: row 3" || protocol.ReasonOf(err) != protocol.NonFinite {
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
