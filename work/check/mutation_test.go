package check_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"pgregory.net/rapid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// TestRandomLies: a result of any kind, changed at random in one field or in one block, is
// refused with a reason, unless only elements changed within their rules. No more is
// fetched for it than an honest result has. The honest result passes afterwards.
func TestRandomLies(t *testing.T) {
	eachSample(t, func(t *testing.T, d done) {
		rapid.Check(t, func(rt *rapid.T) {
			lie, wrong := d.result, true
			lie.Outputs = slices.Clone(lie.Outputs)
			if len(lie.Outputs) == 0 || rapid.Bool().Draw(rt, "record") {
				changeRecord(rt, d, &lie)
			} else {
				i := rapid.IntRange(0, len(lie.Outputs)-1).Draw(rt, "output")
				lie.Outputs[i], wrong = changeOutput(rt, d, i)
			}
			fetched := &counted{Blocks: d.store}
			l := put(t, d.store, lie)
			_, err := d.expect.Receive(t.Context(), l, fetched)
			var bad *check.Error
			switch {
			case err == nil && wrong:
				rt.Fatalf("the lie passes: %+v, honest is %+v", lie, d.result)
			case err != nil && !errors.As(err, &bad):
				rt.Fatalf("refused without a reason: %v", err)
			}
			if fetched.bytes > d.expect.Bytes()+check.MaxResult {
				rt.Fatalf("%d bytes were asked for, an honest result has %d", fetched.bytes, d.expect.Bytes())
			}
			if _, err := d.expect.Receive(t.Context(), put(t, d.store, d.result), check.Held{Blocks: d.store}); err != nil {
				rt.Fatalf("the honest result: %v", err)
			}
		})
	})
}

// link draws a CID: of no block, of a block here of any codec, or none at all.
func link(rt *rapid.T, d done) block.Link {
	data := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "data")
	codec := rapid.SampledFrom([]block.Codec{block.CBOR, block.Raw}).Draw(rt, "codec")
	c := block.Sum(codec, data)
	if rapid.Bool().Draw(rt, "held") {
		var err error
		if c, err = d.store.Put(context.Background(), codec, data); err != nil {
			rt.Fatal(err)
		}
	}
	return block.Link{Cid: rapid.SampledFrom([]cid.Cid{c, d.expect.Unit.Cid}).Draw(rt, "cid")}
}

// changeRecord changes one field of a result's record, to a value that is wrong for certain.
func changeRecord(rt *rapid.T, d done, r *unit.Result) {
	// Numbers near the limits of their types are likelier than with Uint32.
	bits := rapid.SampledFrom([]uint32{0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000})
	fields := []string{"version", "unit", "outputs", "defect", "detail", "loss", "likelihood", "tokens", "cost"}
	if len(r.Outputs) > 0 {
		fields = append(fields, "output")
	}
	switch rapid.SampledFrom(fields).Draw(rt, "field") {
	case "version":
		r.Version = rapid.Uint16().Filter(func(v uint16) bool { return v != 1 }).Draw(rt, "version")
	case "unit":
		r.Unit = link(rt, d)
		if r.Unit == d.expect.Unit {
			r.Unit = block.Link{Cid: block.Sum(block.CBOR, nil)}
		}
	case "outputs":
		n := rapid.IntRange(0, 40).Filter(func(n int) bool { return n != len(r.Outputs) }).Draw(rt, "outputs")
		r.Outputs = r.Outputs[:min(n, len(r.Outputs))]
		for len(r.Outputs) < n {
			r.Outputs = append(r.Outputs, link(rt, d))
		}
	case "output":
		r.Outputs[rapid.IntRange(0, len(r.Outputs)-1).Draw(rt, "output")] = link(rt, d)
	case "defect":
		r.Defect = unit.Defect(rapid.IntRange(1, 255).Draw(rt, "defect"))
	case "detail":
		r.Detail = rapid.StringN(1, 60, 3000).Draw(rt, "detail")
	case "loss":
		r.Loss = bits.Draw(rt, "loss")
	case "likelihood":
		r.NLL = rapid.OneOf(bits, rapid.Uint32Range(1<<31, 1<<32-1)).Draw(rt, "likelihood")
	case "tokens":
		r.Tokens = rapid.Uint32().Filter(func(n uint32) bool {
			return uint64(n) < d.expect.Tokens.Least || uint64(n) > d.expect.Tokens.Most
		}).Draw(rt, "tokens")
	case "cost":
		r.Cost = rapid.Uint64().Filter(func(n uint64) bool { return n < d.expect.Cost.Least || n > d.expect.Cost.Most }).Draw(rt, "cost")
	}
}

// changeOutput changes an output, and reports whether no honest output can be so.
func changeOutput(rt *rapid.T, d done, i int) (block.Link, bool) {
	ctx, honest := context.Background(), d.result.Outputs[i]
	data, err := d.store.Get(ctx, honest.Cid)
	if err != nil {
		rt.Fatal(err)
	}
	if d.expect.Outputs[i].Name == "text" || rapid.Bool().Draw(rt, "bytes") {
		return changeBytes(rt, d, data, honest), d.expect.Outputs[i].Name != "text"
	}
	var rec state.SetRecord
	if err := block.Decode(data, &rec); err != nil {
		rt.Fatal(err)
	}
	j := rapid.IntRange(0, len(rec.Tensors)-1).Draw(rt, "tensor")
	wrong := true
	switch tensor := &rec.Tensors[j]; rapid.SampledFrom([]string{"name", "type", "shape", "size", "leaves", "element"}).Draw(rt, "part") {
	case "name":
		tensor.Name += rapid.StringN(1, 9, 90).Draw(rt, "name")
	case "type":
		tensor.Type += rapid.Uint16Range(1, 9).Draw(rt, "type")
	case "shape":
		tensor.Shape = append(tensor.Shape, rapid.Uint32().Draw(rt, "axis"))
	case "size":
		rec.Data.Size += rapid.Uint64Range(1, 1<<40).Draw(rt, "size")
	case "leaves":
		n := rapid.SampledFrom([]int{0, 2, 3, 1000, 40_000}).Draw(rt, "leaves")
		rec.Data.Leaves = slices.Repeat([]block.Link{link(rt, d)}, n)
	case "element":
		var leaf []byte
		if leaf, err = d.store.Get(ctx, rec.Data.Leaves[0].Cid); err != nil {
			rt.Fatal(err)
		}
		leaf = slices.Clone(leaf)
		at := rapid.IntRange(0, len(leaf)/4-1).Draw(rt, "element")
		binary.LittleEndian.PutUint32(leaf[4*at:], rapid.Uint32().Draw(rt, "bits"))
		leaf = leaf[:len(leaf)-rapid.IntRange(0, 3).Draw(rt, "cut")]
		wrong = uint64(len(leaf)) != rec.Data.Size
		c, err := d.store.Put(ctx, block.Raw, leaf)
		if err != nil {
			rt.Fatal(err)
		}
		rec.Data.Leaves = []block.Link{{Cid: c}}
	}
	l, err := block.PutNode(ctx, d.store, rec)
	if err != nil {
		rt.Fatal(err)
	}
	return l, wrong
}

// changeBytes changes a byte of a record, cuts the record, or adds to it. The result is
// always another block.
func changeBytes(rt *rapid.T, d done, data []byte, honest block.Link) block.Link {
	data = slices.Clone(data)
	switch rapid.SampledFrom([]string{"byte", "cut", "more"}).Draw(rt, "change") {
	case "byte":
		data[rapid.IntRange(0, len(data)-1).Draw(rt, "at")] ^= rapid.ByteRange(1, 255).Draw(rt, "mask")
	case "cut":
		data = data[:rapid.IntRange(0, len(data)-1).Draw(rt, "bytes")]
	case "more":
		data = append(data, rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(rt, "more")...)
	}
	c, err := d.store.Put(context.Background(), block.CBOR, data)
	if err != nil {
		rt.Fatal(err)
	}
	return block.Link{Cid: c}
}
