package check_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// counted is blocks that refuse what is larger than wanted, and count what was
// asked for.
type counted struct {
	block.Blocks
	bytes uint64
}

func (c *counted) Fetch(ctx context.Context, wants []check.Want) error {
	for _, w := range wants {
		c.bytes += uint64(w.Most)
		if data, err := c.Get(ctx, w.CID); err != nil {
			return err
		} else if len(data) > w.Most {
			return fmt.Errorf("block %s: %d bytes: %w", w.CID, len(data), check.ErrTooLarge)
		}
	}
	return nil
}

// caught checks that a lie about a unit is found out for the right reason, whoever
// holds the blocks, and that no more was fetched than an honest output has.
func caught(t *testing.T, d done, lie unit.Result, want check.Error) {
	t.Helper()
	fetched := &counted{Blocks: d.store}
	for _, b := range []check.Blocks{check.Held{Blocks: d.store}, fetched} {
		err := d.expect.Check(t.Context(), lie, b)
		var got *check.Error
		if !errors.As(err, &got) {
			t.Fatalf("the lie passes: %v", err)
		}
		if got.Reason != want.Reason || got.Output != want.Output || got.Tensor != want.Tensor {
			t.Errorf("%v: reason %q, output %d, tensor %q; want %q, %d, %q", err, got.Reason, got.Output, got.Tensor, want.Reason, want.Output, want.Tensor)
		}
	}
	if fetched.bytes > d.expect.Bytes() {
		t.Errorf("%d bytes were asked for, an honest result has %d", fetched.bytes, d.expect.Bytes())
	}
}

// samples is an honest unit of each kind and form. A kind that no run plans is computed
// here by crew.Do, which compares the honest result with its expectation too.
func samples(t *testing.T) map[string]done {
	t.Helper()
	all := map[string]done{}
	dev := device(t, "")
	for _, d := range trainRun(t, dev, variants["plain"]).all {
		all[d.unit.Kind.String()] = d
	}
	for _, d := range trainRun(t, dev, variants["local steps after a lead"]).all {
		all[d.unit.Kind.String()+" of a run of local steps"] = d
	}
	for _, d := range trainRun(t, dev, variants["without smoothing, clipped"]).all {
		if d.unit.Kind == unit.Evaluate {
			all["evaluate without smoothing"] = d
		}
	}
	c := newCrew(t, dev)
	m, _ := translator(t, c.store, 1)
	all["translate with a beam"], _ = c.translate(m, 4, []string{"one two", "", "three"})
	for _, k := range unit.Kinds() {
		has := func(d done) bool { return d.unit.Kind == k }
		if !slices.ContainsFunc(slices.Collect(maps.Values(all)), has) {
			t.Errorf("no sample is of the kind %q: add one to the map of this function", k)
		}
	}
	return all
}

// eachSample runs a test for every sample.
func eachSample(t *testing.T, f func(t *testing.T, d done)) {
	all := samples(t)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { f(t, all[name]) })
	}
}

func float(x float64) uint32 { return math.Float32bits(float32(x)) }

// ofResult is an error of the result itself.
func ofResult(r check.Reason) check.Error { return check.Error{Reason: r, Output: -1} }

// TestLiesInTheRecord: a lie in any field of a result's record is found out.
func TestLiesInTheRecord(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	other := block.Link{Cid: block.Sum(block.CBOR, []byte("another"))}
	eachSample(t, func(t *testing.T, d done) {
		measures := d.result.Tokens > 0 && d.unit.Kind != unit.Translate
		lies := []struct {
			tell func(r *unit.Result)
			want check.Reason
		}{
			{func(r *unit.Result) { r.Version = 2 }, check.WrongUnit},
			{func(r *unit.Result) { r.Unit = other }, check.WrongUnit},
			{func(r *unit.Result) { r.Unit = block.Link{} }, check.WrongUnit},
			{func(r *unit.Result) { r.Detail = nmt.ErrNonFinite.Error() }, check.Outputs},
			{func(r *unit.Result) { r.Outputs = append(slices.Clone(r.Outputs), other) }, check.Outputs},
			{func(r *unit.Result) { r.Outputs = slices.Repeat([]block.Link{other}, 5) }, check.Outputs},
			{func(r *unit.Result) { r.Loss = float(nan) }, check.Sums},
			{func(r *unit.Result) { r.Loss = float(inf) }, check.Sums},
			{func(r *unit.Result) { r.NLL = float(nan) }, check.Sums},
			{func(r *unit.Result) { r.NLL = float(-inf) }, check.Sums},
			{func(r *unit.Result) { r.NLL = float(-1) }, check.Sums},
			{func(r *unit.Result) { r.NLL = float(math.Copysign(0, -1)) }, check.Sums},
			{func(r *unit.Result) { r.Tokens = uint32(d.expect.Tokens.Most) + 1 }, check.Tokens},
			{func(r *unit.Result) { r.Tokens = math.MaxUint32 }, check.Tokens},
			{func(r *unit.Result) { r.Cost = d.expect.Cost.Most + 1 }, check.Cost},
			{func(r *unit.Result) { r.Cost = d.expect.Cost.Least - 1 }, check.Cost},
			{func(r *unit.Result) { r.Cost = 0 }, check.Cost},
			{func(r *unit.Result) { r.Cost = math.MaxUint64 }, check.Cost},
		}
		add := func(want check.Reason, tell func(r *unit.Result)) {
			lies = append(lies, struct {
				tell func(r *unit.Result)
				want check.Reason
			}{tell, want})
		}
		if len(d.result.Outputs) > 0 {
			add(check.Outputs, func(r *unit.Result) { r.Outputs = nil })
			add(check.Outputs, func(r *unit.Result) { r.Outputs = r.Outputs[1:] })
		}
		if measures {
			add(check.Tokens, func(r *unit.Result) { r.Tokens = 0 })
			add(check.Tokens, func(r *unit.Result) { r.Tokens-- })
		} else {
			add(check.Sums, func(r *unit.Result) { r.Loss = 1 })
			add(check.Sums, func(r *unit.Result) { r.NLL = 1 })
		}
		if measures && d.result.Loss == d.result.NLL {
			add(check.Sums, func(r *unit.Result) { r.Loss++ })
		}
		for i, lie := range lies {
			r := d.result
			r.Outputs = slices.Clone(r.Outputs)
			lie.tell(&r)
			t.Run(fmt.Sprint(i), func(t *testing.T) { caught(t, d, r, ofResult(lie.want)) })
		}
	})
}

// TestClaimedDefects: a claim that a result is not finite is told from results that
// fit, and costs nothing.
func TestClaimedDefects(t *testing.T) {
	other := block.Link{Cid: block.Sum(block.CBOR, []byte("another"))}
	eachSample(t, func(t *testing.T, d done) {
		claim := unit.Result{Version: 1, Unit: d.expect.Unit, Defect: unit.NonFinite, Detail: nmt.ErrNonFinite.Error() + ": batch 0, MatMul of encoder.0"}
		caught(t, d, claim, ofResult(check.Defect))
		if err := d.expect.Check(t.Context(), claim, check.Held{Blocks: d.store}); !errors.Is(err, unit.ErrDefect) {
			t.Errorf("%v is no defect", err)
		}
		for i, lie := range []struct {
			tell func(r *unit.Result)
			want check.Reason
		}{
			{func(r *unit.Result) { r.Defect = 2 }, check.NoDefect},
			{func(r *unit.Result) { r.Detail = "" }, check.NoDefect},
			{func(r *unit.Result) { r.Detail = "x" }, check.NoDefect},
			{func(r *unit.Result) { r.Outputs = []block.Link{other} }, check.Outputs},
			{func(r *unit.Result) { r.Loss = 1 }, check.Sums},
			{func(r *unit.Result) { r.NLL = 1 }, check.Sums},
			{func(r *unit.Result) { r.Tokens = 1 }, check.Tokens},
			{func(r *unit.Result) { r.Cost = 1 }, check.Cost},
		} {
			r := claim
			lie.tell(&r)
			t.Run(fmt.Sprint(i), func(t *testing.T) { caught(t, d, r, ofResult(lie.want)) })
		}
	})
	c := newCrew(t, device(t, ""))
	m, _ := translator(t, c.store, 1)
	d, _ := c.translate(m, 1, []string{"", " "})
	claim := unit.Result{Version: 1, Unit: d.expect.Unit, Defect: unit.NonFinite, Detail: nmt.ErrNonFinite.Error()}
	caught(t, d, claim, ofResult(check.NoDefect)) // nothing was computed
}

// lied is d's result with another output i.
func (d done) lied(i int, l block.Link) unit.Result {
	r := d.result
	r.Outputs = slices.Clone(r.Outputs)
	r.Outputs[i] = l
	return r
}

// TestLiesInOutputs: a block that is not what an output's record should be, for every
// output of every kind.
func TestLiesInOutputs(t *testing.T) {
	eachSample(t, func(t *testing.T, d done) {
		raw := func(data []byte) block.Link {
			c, err := d.store.Put(t.Context(), block.CBOR, data)
			if err != nil {
				t.Fatal(err)
			}
			return block.Link{Cid: c}
		}
		for i, l := range d.result.Outputs {
			honest, err := d.store.Get(t.Context(), l.Cid)
			if err != nil {
				t.Fatal(err)
			}
			junk := make([]byte, block.MaxSize)
			for name, lie := range map[string]struct {
				link block.Link
				want check.Reason
			}{
				"no CID":          {block.Link{}, check.Codec},
				"raw CID":         {block.Link{Cid: block.Sum(block.Raw, honest)}, check.Codec},
				"withheld":        {block.Link{Cid: block.Sum(block.CBOR, []byte("nowhere"))}, check.Unavailable},
				"empty":           {raw(nil), check.Malformed},
				"junk":            {raw([]byte("not a gradient")), check.Malformed},
				"2 MiB":           {raw(junk), check.Size},
				"cut":             {raw(honest[:len(honest)-1]), check.Malformed},
				"other record":    {put(t, d.store, []uint16{1, 2, 3}), check.Malformed},
				"many elements":   {raw(slices.Concat([]byte{0x99, 0xff, 0xff}, honest[1:len(honest)-2])), check.Malformed},
				"trailing":        {raw(append(slices.Clone(honest), 0)[1:]), check.Malformed},
				"not its version": {raw(slices.Concat(honest[:1], []byte{2}, honest[2:])), check.Form},
			} {
				t.Run(fmt.Sprintf("%d/%s", i, name), func(t *testing.T) {
					caught(t, d, d.lied(i, lie.link), check.Error{Reason: lie.want, Output: i})
				})
			}
		}
	})
}

// lyingSets are ways to lie in the record of a set. Each gives the tensor that the
// error names.
var lyingSets = map[string]struct {
	tell func(r *state.SetRecord) (tensor string)
	want check.Reason
}{
	"no tensor": {func(r *state.SetRecord) string { r.Tensors = nil; return "" }, check.Form},
	"a tensor too few": {func(r *state.SetRecord) string {
		r.Tensors = r.Tensors[1:]
		return ""
	}, check.Form},
	"other name": {func(r *state.SetRecord) string {
		t := &r.Tensors[len(r.Tensors)-1]
		name := t.Name
		t.Name = strings.ToUpper(name)
		return name
	}, check.Form},
	"tensors in another sequence": {func(r *state.SetRecord) string {
		name := r.Tensors[0].Name
		r.Tensors[0], r.Tensors[1] = r.Tensors[1], r.Tensors[0]
		return name
	}, check.Form},
	"other type": {func(r *state.SetRecord) string {
		t := &r.Tensors[len(r.Tensors)-1]
		t.Type = uint16(kernel.I32)
		return t.Name
	}, check.Form},
	"unknown type": {func(r *state.SetRecord) string {
		r.Tensors[0].Type = 9
		return r.Tensors[0].Name
	}, check.Form},
	"other shape": {func(r *state.SetRecord) string {
		t := &r.Tensors[0]
		t.Shape[0]--
		return t.Name
	}, check.Form},
	"turned": {func(r *state.SetRecord) string {
		for i := range r.Tensors {
			if t := &r.Tensors[i]; len(t.Shape) == 2 && t.Shape[0] != t.Shape[1] {
				t.Shape[0], t.Shape[1] = t.Shape[1], t.Shape[0]
				return t.Name
			}
		}
		t := &r.Tensors[0]
		t.Shape = nil
		return t.Name
	}, check.Form},
	"no shape": {func(r *state.SetRecord) string {
		r.Tensors[0].Shape = nil
		return r.Tensors[0].Name
	}, check.Form},
	"other size":       {func(r *state.SetRecord) string { r.Data.Size--; return "" }, check.Form},
	"no leaf":          {func(r *state.SetRecord) string { r.Data.Leaves = nil; return "" }, check.Form},
	"a leaf too many":  {func(r *state.SetRecord) string { r.Data.Leaves = append(r.Data.Leaves, r.Data.Leaves[0]); return "" }, check.Size},
	"51,000 leaves":    {func(r *state.SetRecord) string { r.Data.Leaves = slices.Repeat(r.Data.Leaves[:1], 50_000); return "" }, check.Size},
	"leaf without CID": {func(r *state.SetRecord) string { r.Data.Leaves[0] = block.Link{}; return "" }, check.Codec},
	"leaf of CBOR": {func(r *state.SetRecord) string {
		r.Data.Leaves[0] = block.Link{Cid: block.Sum(block.CBOR, nil)}
		return ""
	}, check.Codec},
	"withheld leaf": {func(r *state.SetRecord) string {
		r.Data.Leaves[0] = block.Link{Cid: block.Sum(block.Raw, []byte("nowhere"))}
		return ""
	}, check.Unavailable},
	"a tensor too many": {func(r *state.SetRecord) string { r.Tensors = append(r.Tensors, r.Tensors[0]); return "" }, check.Size},
}

// TestLiesInSets: a record of a set that differs from its form in anything.
func TestLiesInSets(t *testing.T) {
	eachSample(t, func(t *testing.T, d done) {
		for i, l := range d.result.Outputs {
			if d.expect.Outputs[i].Name == "text" {
				continue
			}
			for name, lie := range lyingSets {
				t.Run(fmt.Sprintf("%d/%s", i, name), func(t *testing.T) {
					var rec state.SetRecord
					if err := block.GetNode(t.Context(), d.store, l, &rec); err != nil {
						t.Fatal(err)
					}
					if name == "tensors in another sequence" && len(rec.Tensors) < 2 {
						t.Skip("one tensor has only one sequence")
					}
					tensor := lie.tell(&rec)
					caught(t, d, d.lied(i, put(t, d.store, rec)), check.Error{Reason: lie.want, Output: i, Tensor: tensor})
				})
			}
		}
	})
}

// TestLiesInLeaves: leaves of other sizes, and elements that no honest output has, in
// every tensor of every output.
func TestLiesInLeaves(t *testing.T) {
	eachSample(t, func(t *testing.T, d done) {
		for i, o := range d.expect.Outputs {
			if o.Name == "text" {
				continue
			}
			rec, leaf := oneLeaf(t, d, i)
			for _, size := range []int{0, len(leaf) - 1, len(leaf) + 1, block.LeafSize, block.MaxSize} {
				lie := slices.Grow(slices.Clone(leaf), size)[:size]
				caught(t, d, d.lied(i, d.withLeaf(t, rec, lie)), check.Error{Reason: check.Size, Output: i})
			}
			at := 0
			for j, tensor := range o.Form.Tensors {
				end := at + int(tensor.Bytes())
				if tensor.Type != uint16(kernel.F32) {
					at = end
					continue
				}
				numbers := wrongNumbers[j%len(wrongNumbers):][:1]
				if j == len(o.Form.Tensors)-1 {
					numbers = wrongNumbers
				}
				for _, bits := range numbers {
					lie := slices.Clone(leaf)
					binary.LittleEndian.PutUint32(lie[end-4:], bits)
					r := d.lied(i, d.withLeaf(t, rec, lie))
					if nonNegative[o.Name] || strings.HasSuffix(tensor.Name, "#scale") || bits&0x7f800000 == 0x7f800000 {
						caught(t, d, r, check.Error{Reason: check.Value, Output: i, Tensor: tensor.Name})
					} else if err := d.expect.Check(t.Context(), r, check.Held{Blocks: d.store}); err != nil {
						t.Errorf("%v in the output %q: %v; if no honest output has this number, list the output in nonNegative",
							math.Float32frombits(bits), o.Name, err)
					}
				}
				at = end
			}
		}
	})
}

// nonNegative has the names of the outputs without a negative number.
var nonNegative = map[string]bool{"second moment": true}

// wrongNumbers are the bits of what no scale and no second moment is: a NaN of each
// sort, both infinities, a negative number and a negative zero. The last two stand
// in parameters.
var wrongNumbers = []uint32{0x7fc00000, 0x7f800001, 0x7f800000, 0xff800000, 0xbf800000, 0x80000000}

// oneLeaf is the record of a small output and its only leaf.
func oneLeaf(t *testing.T, d done, i int) (state.SetRecord, []byte) {
	t.Helper()
	var rec state.SetRecord
	if err := block.GetNode(t.Context(), d.store, d.result.Outputs[i], &rec); err != nil {
		t.Fatal(err)
	}
	if len(rec.Data.Leaves) != 1 {
		t.Fatalf("%d leaves", len(rec.Data.Leaves))
	}
	leaf, err := d.store.Get(t.Context(), rec.Data.Leaves[0].Cid)
	if err != nil {
		t.Fatal(err)
	}
	return rec, leaf
}

// withLeaf stores a record with another leaf.
func (d done) withLeaf(t *testing.T, rec state.SetRecord, leaf []byte) block.Link {
	t.Helper()
	c, err := d.store.Put(t.Context(), block.Raw, leaf)
	if err != nil {
		t.Fatal(err)
	}
	rec.Data.Leaves = []block.Link{{Cid: c}}
	return put(t, d.store, rec)
}
