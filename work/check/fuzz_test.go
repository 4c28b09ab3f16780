package check_test

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// FuzzOutput: whatever bytes an output is, the check ends, and passes only a record
// of the expected form.
func FuzzOutput(f *testing.F) {
	var units []done
	seen := map[unit.Kind]bool{}
	for _, d := range trainRun(f, device(f, ""), variants["local steps after a lead"]).all {
		if len(d.result.Outputs) > 0 && !seen[d.unit.Kind] {
			seen[d.unit.Kind] = true
			units = append(units, d)
		}
	}
	for i, d := range units {
		for j, l := range d.result.Outputs {
			data, err := d.store.Get(f.Context(), l.Cid)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), uint8(j), data)
			f.Add(uint8(i), uint8(j), data[:len(data)/2])
		}
	}
	f.Fuzz(func(t *testing.T, i, j uint8, data []byte) {
		d := units[int(i)%len(units)]
		output := int(j) % len(d.result.Outputs)
		if len(data) > block.MaxSize {
			return
		}
		id, err := d.store.Put(t.Context(), block.CBOR, data)
		if err != nil {
			t.Fatal(err)
		}
		if d.expect.Check(t.Context(), d.lied(output, block.Link{Cid: id}), check.Held{Blocks: d.store}) != nil {
			return
		}
		o := d.expect.Outputs[output]
		if o.Name == "text" {
			var text unit.Text
			if err := block.Decode(data, &text); err != nil {
				t.Fatalf("passes: %v", err)
			}
			return
		}
		var rec state.SetRecord
		if err := block.Decode(data, &rec); err != nil {
			t.Fatalf("passes: %v", err)
		}
		same := func(a, b state.TensorRecord) bool {
			return a.Name == b.Name && a.Type == b.Type && slices.Equal(a.Shape, b.Shape)
		}
		if !slices.EqualFunc(rec.Tensors, o.Form.Tensors, same) || len(rec.Data.Leaves) != o.Leaves() || rec.Data.Size != o.Form.Data.Size {
			t.Fatalf("a record of another form passes: %+v", rec)
		}
	})
}

// FuzzResult: whatever bytes a result's record is, receiving it ends, and only the
// honest sums and the honest cost pass.
func FuzzResult(f *testing.F) {
	var d done
	for _, d = range trainRun(f, device(f, ""), variants["plain"]).all {
		if d.unit.Kind == unit.Evaluate {
			break
		}
	}
	data, err := block.Encode(d.result)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[1:])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > block.MaxSize {
			return
		}
		id, err := d.store.Put(t.Context(), block.CBOR, data)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.expect.Receive(t.Context(), block.Link{Cid: id}, check.Held{Blocks: d.store})
		if err == nil && (r.Cost != d.result.Cost || r.Tokens != d.result.Tokens || r.Defect != 0 || len(r.Outputs) != 0 || r.Unit != d.result.Unit) {
			t.Fatalf("another result passes: %+v", r)
		}
	})
}
