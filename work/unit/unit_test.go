package unit_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// link names a block that nobody has.
func link(name string) block.Link { return block.Link{Cid: block.Sum(block.Raw, []byte(name))} }

// valid is a unit of a kind with as many inputs.
func valid(k unit.Kind, inputs int) unit.Unit {
	u := unit.Unit{Version: 1, Kind: k, Work: link("work")}
	for i := range inputs {
		u.Inputs = append(u.Inputs, link(fmt.Sprint("input ", i)))
	}
	if k == unit.Translate {
		u.Decoding = unit.Greedy
	}
	return u
}

// TestInputs: each kind takes the inputs that its row of the table says.
func TestInputs(t *testing.T) {
	least := map[unit.Kind]int{
		unit.Gradient: 2, unit.Combine: 4, unit.Evaluate: 2, unit.Translate: 2, unit.LocalSteps: 3, unit.Average: 1,
	}
	for _, k := range unit.Kinds() {
		if least[k] == 0 {
			t.Errorf("%s: add the least number of inputs to the map of this test", k)
			continue
		}
		if err := valid(k, least[k]).Validate(); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if err := valid(k, least[k]-1).Validate(); err == nil {
			t.Errorf("%s with %d inputs is accepted", k, least[k]-1)
		}
		if err := valid(k, 10_000).Validate(); err == nil {
			t.Errorf("%s with 10,000 inputs is accepted", k)
		}
		r := unit.Result{Version: 1, Unit: link("unit"), Outputs: make([]block.Link, k.Outputs())}
		for i := range r.Outputs {
			r.Outputs[i] = link("output")
		}
		data, err := block.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unit.ParseResult(data); err != nil {
			t.Errorf("%s: %v: raise maxOutputs in result.go", k, err)
		}
	}
	if got := valid(unit.LocalSteps, 7).Batches(); got != 5 {
		t.Errorf("%d batches, want 5", got)
	}
	if got := valid(unit.Combine, 7).Batches(); got != 0 {
		t.Errorf("a combine has %d batches", got)
	}
}

// TestValidate: a peer's unit that is wrong is refused with the reason.
func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*unit.Unit){
		"version 2":                 func(u *unit.Unit) { u.Version = 2 },
		"kind 0":                    func(u *unit.Unit) { u.Kind = 0 },
		"kind 65535":                func(u *unit.Unit) { u.Kind = 65535 },
		"no run":                    func(u *unit.Unit) { u.Work = block.Link{} },
		"input 1":                   func(u *unit.Unit) { u.Inputs[1] = block.Link{} },
		"beam 9":                    func(u *unit.Unit) { u.Decoding.Beam = 9 },
		"beam 0":                    func(u *unit.Unit) { u.Decoding.Beam = 0 },
		"length penalty":            func(u *unit.Unit) { u.Decoding.LengthPPM = unit.MaxLengthPPM + 1 },
		"n-gram of 65":              func(u *unit.Unit) { u.Decoding.NoRepeat = 65 },
		"penalty of 1000000 parts":  func(u *unit.Unit) { u.Decoding.RepetitionPPM = 1_000_000 },
		"penalty of 10000001 parts": func(u *unit.Unit) { u.Decoding.RepetitionPPM = unit.MaxRepetitionPPM + 1 },
		"with a decoding":           func(u *unit.Unit) { u.Kind = unit.Evaluate },
		"without an updat":          func(u *unit.Unit) { u.Base = link("base") },
		"without a base":            func(u *unit.Unit) { u.Update = link("update") },
	} {
		u := valid(unit.Translate, 2)
		change(&u)
		if _, err := unit.Parse(u.Spec()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestDecodingRecord: the settings for repetitions are part of a unit's name. Without them the
// record, and so every name of before, is as it was. Each decoding has one record.
func TestDecodingRecord(t *testing.T) {
	for want, d := range map[string]unit.Decoding{
		"8202" + "1a000f4240":                       {Beam: 2, LengthPPM: 1_000_000},
		"8402" + "1a000f4240" + "03" + "00":         {Beam: 2, LengthPPM: 1_000_000, NoRepeat: 3},
		"8401" + "1a000f4240" + "00" + "1a00124f80": {Beam: 1, LengthPPM: 1_000_000, RepetitionPPM: 1_200_000},
		"8200" + "00":                               {},
	} {
		data, err := block.Encode(d)
		if got := hex.EncodeToString(data); err != nil || got != want {
			t.Errorf("%+v is %s (%v), want %s", d, got, err, want)
		}
		var again unit.Decoding
		if err := block.Decode(data, &again); err != nil || again != d {
			t.Errorf("%s is read as %+v, %v", want, again, err)
		}
	}
	for _, bad := range []string{"8401000000", "83010000", "850100000000", "01", "8101", "84010003"} {
		data, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		var d unit.Decoding
		if err := block.Decode(data, &d); err == nil {
			t.Errorf("%s is read as %+v", bad, d)
		}
	}
	a, b, c := valid(unit.Translate, 2), valid(unit.Translate, 2), valid(unit.Translate, 2)
	b.Decoding.NoRepeat, c.Decoding.RepetitionPPM = 3, 1_500_000
	if a.ID() == b.ID() || a.ID() == c.ID() || b.ID() == c.ID() {
		t.Error("units with other decodings have one name")
	}
	for _, u := range []unit.Unit{a, b, c} {
		if got, err := unit.Parse(u.Spec()); err != nil || got.ID() != u.ID() {
			t.Errorf("%+v is read as %+v, %v", u, got, err)
		}
	}
}

// TestSame: two decodings that differ in what greedy search does not use are one.
func TestSame(t *testing.T) {
	d := unit.Greedy
	for _, c := range []struct {
		change func(*unit.Decoding)
		same   bool
	}{
		{func(d *unit.Decoding) { d.LengthPPM = 0 }, true},
		{func(d *unit.Decoding) { d.NoRepeat = 2 }, false},
		{func(d *unit.Decoding) { d.RepetitionPPM = 1_100_000 }, false},
		{func(d *unit.Decoding) { d.Beam = 2 }, false},
	} {
		other := d
		c.change(&other)
		if d.Same(other) != c.same || other.Same(d) != c.same {
			t.Errorf("%+v and %+v: want the same %v", d, other, c.same)
		}
	}
	wide := unit.Decoding{Beam: 2, LengthPPM: 1}
	if other := (unit.Decoding{Beam: 2}); wide.Same(other) || !wide.Same(wide) {
		t.Error("a length penalty of a beam is part of it")
	}
}

func TestParseResult(t *testing.T) {
	good := unit.Result{Version: 1, Unit: link("unit"), Outputs: []block.Link{link("output")}}
	for want, change := range map[string]func(*unit.Result){
		"":          func(*unit.Result) {},
		"version 0": func(r *unit.Result) { r.Version = 0 },
		"no unit":   func(r *unit.Result) { r.Unit = block.Link{} },
		"5 outputs": func(r *unit.Result) { r.Outputs = make([]block.Link, 5) },
		"3 bytes":   func(r *unit.Result) { r.Detail = "why" }, // without a defect
		"1025":      func(r *unit.Result) { r.Defect, r.Detail = unit.NonFinite, strings.Repeat("x", 1025) },
		"defect 2":  func(r *unit.Result) { r.Defect = 2 },
	} {
		r := good
		change(&r)
		data, err := block.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = unit.ParseResult(data)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestFits: a result fits its own unit only, with the outputs of its kind.
func TestFits(t *testing.T) {
	u := valid(unit.LocalSteps, 3)
	r := unit.Result{Version: 1, Unit: u.ID(), Outputs: []block.Link{link("delta"), link("moment")}}
	if err := unit.Fits(u, r); err != nil {
		t.Error(err)
	}
	other := u
	other.Index++
	if unit.Fits(other, r) == nil {
		t.Error("the result of another unit fits")
	}
	r.Outputs = r.Outputs[:1]
	if unit.Fits(u, r) == nil {
		t.Error("a result without its second moment fits")
	}
	if err := r.Err(u); err != nil {
		t.Errorf("no defect, but %v", err)
	}
	r.Defect, r.Detail = unit.NonFinite, "MatMul of encoder.0"
	if err := r.Err(u); !errors.Is(err, unit.ErrDefect) || !strings.Contains(err.Error(), "MatMul of encoder.0") {
		t.Errorf("the error of a defect is %v", err)
	}
}

func TestMFLOP(t *testing.T) {
	for flop, want := range map[uint64]uint64{0: 0, 1: 1, 1_000_000: 1, 1_000_001: 2} {
		if got := (unit.Result{Cost: flop}).MFLOP(); got != want {
			t.Errorf("%d FLOP are %d MFLOP, want %d", flop, got, want)
		}
	}
}

// FuzzParse: a unit or a result has exactly one encoding.
func FuzzParse(f *testing.F) {
	for _, k := range unit.Kinds() {
		f.Add(valid(k, 4).Spec())
	}
	r, err := block.Encode(unit.Result{Version: 1, Unit: link("unit"), Defect: unit.NonFinite, Detail: "why"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r)
	f.Fuzz(func(t *testing.T, data []byte) {
		if u, err := unit.Parse(data); err == nil && !bytes.Equal(u.Spec(), data) {
			t.Errorf("unit %x is encoded as %x", data, u.Spec())
		}
		if r, err := unit.ParseResult(data); err == nil {
			if again, err := block.Encode(r); err != nil || !bytes.Equal(again, data) {
				t.Errorf("result %x is encoded as %x, %v", data, again, err)
			}
		}
	})
}

func Example() {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	// A unit that translates two segments. Its inputs are named by their CIDs.
	segments, err := block.PutNode(ctx, blocks, unit.Text{Version: 1, Segments: []string{"Good morning.", "Thank you."}})
	if err != nil {
		panic(err)
	}
	u := unit.Unit{
		Version: 1, Kind: unit.Translate, Work: link("a job"),
		Inputs: []block.Link{link("a model"), segments}, Decoding: unit.Greedy,
	}
	if err := u.Validate(); err != nil {
		panic(err)
	}

	// A miner gets the bytes of the unit, and computes the unit's name from them.
	received, err := unit.Parse(u.Spec())
	if err != nil {
		panic(err)
	}
	fmt.Println(received.Kind, received.ID() == u.ID())

	// The result names the unit, so it cannot be given for another one.
	r := unit.Result{Version: 1, Unit: received.ID(), Outputs: []block.Link{link("Guten Morgen.")}, Cost: 2_500_000}
	fmt.Println(unit.Fits(u, r), r.MFLOP(), "MFLOP")
	// Output:
	// translate true
	// <nil> 3 MFLOP
}
