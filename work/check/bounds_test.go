package check

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
	"pgregory.net/rapid"
)

// TestEveryKind: the table of expectations has a function for each kind of package
// unit's table, and for no other.
func TestEveryKind(t *testing.T) {
	for _, k := range unit.Kinds() {
		if expect[k] == nil {
			t.Errorf("no function finds what to expect of the kind %q: add its row to expect in check.go", k)
		}
	}
	if extra := len(expect) - len(unit.Kinds()); extra > 0 {
		t.Errorf("%d rows of expect are for kinds without a row in work/unit/kind.go", extra)
	}
}

// TestCostsAreTight: the range of what sentences cost holds what every way to share
// the tokens among them costs. Its least is the cost of one of them where no
// output may be of the limit, and so is its most where each sentence has one number
// of tokens.
func TestCostsAreTight(t *testing.T) {
	shape := nmt.Config{Vocab: 40, Dim: 8, FFN: 12, Heads: 2, Encoder: 1, Decoder: 1}
	meter := nmt.NewMeter(shape)
	rapid.Check(t, func(t *rapid.T) {
		txt := &texts{meter: meter}
		beam := rapid.SampledFrom([]int{0, 2, 4}).Draw(t, "beam")
		greedy := beam == 0
		var all []sentence
		for range rapid.IntRange(1, 3).Draw(t, "sentences") {
			s := sentence{source: rapid.IntRange(1, 9).Draw(t, "source")}
			s.search = model.Search{Width: beam, Most: 2*s.source + 10}
			if n := rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "tokens of terms"); n > 0 {
				s.search = model.Search{Width: max(beam, 1) + n, Most: 2*s.source + 10 + n, Terms: n}
				greedy = false
			}
			s.least = rapid.IntRange(min(s.search.Terms, 1), s.search.Most).Draw(t, "least")
			s.most = rapid.SampledFrom([]int{s.least, min(s.search.Most, s.least+1), min(s.search.Most, s.least+6)}).Draw(t, "most")
			all = append(all, s)
		}
		// By the tokens of all: what the ways to share them cost.
		ways := map[int]Range{0: {}}
		limited, fixed := false, true
		for _, s := range all {
			limited, fixed = limited || s.most == s.search.Most, fixed && s.least == s.most
			next := map[int]Range{}
			for tokens, cost := range ways {
				for n := s.least; n <= s.most; n++ {
					least, most := txt.cost(s.source, s.search, n)
					sum := Range{cost.Least + least, cost.Most + most}
					if have, ok := next[tokens+n]; ok {
						sum.Least, sum.Most = min(sum.Least, have.Least), max(sum.Most, have.Most)
					}
					next[tokens+n] = sum
				}
			}
			ways = next
		}
		for tokens, want := range ways {
			got := txt.costs(all, tokens)
			if got.Least > want.Least || got.Most < want.Most {
				t.Fatalf("%+v with %d tokens cost %v, not within %v", all, tokens, want, got)
			}
			if greedy && !limited && got.Least != want.Least {
				t.Fatalf("%+v with %d tokens cost %d or more, the bound is %d", all, tokens, want.Least, got.Least)
			}
			if greedy && fixed && got != want {
				t.Fatalf("%+v with %d tokens cost %v, the bounds are %v", all, tokens, want, got)
			}
		}
	})
}

// TestScanner: however the elements of a set are cut into leaves, the first wrong
// number is found, in its tensor.
func TestScanner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s scanner
		var data []byte
		wrong := ""
		for i := range rapid.IntRange(1, 6).Draw(t, "tensors") {
			n := rapid.IntRange(1, 9).Draw(t, "elements")
			rec := state.TensorRecord{Name: string(rune('a' + i)), Type: uint16(kernel.F32), Shape: []uint32{uint32(n)}}
			rule := rapid.SampledFrom([]rule{any32, finite, nonNegative}).Draw(t, "rule")
			if rapid.Bool().Draw(t, "codes") {
				rec.Type = uint16(kernel.I8)
				for range n {
					data = append(data, 0xff) // as a number it would be NaN
				}
			} else {
				for range n {
					x := rapid.SampledFrom([]float32{0, 1, -1, float32(math.Inf(1)), float32(math.NaN()), 3e38}).Draw(t, "number")
					data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
					bad := rule == finite && !(math.Abs(float64(x)) <= math.MaxFloat32) || rule == nonNegative && !(x >= 0 && x <= math.MaxFloat32)
					if bad && wrong == "" {
						wrong = rec.Name
					}
				}
			}
			s.tensors, s.rules = append(s.tensors, rec), append(s.rules, rule)
		}
		found := ""
		for len(data) > 0 && found == "" {
			n := rapid.IntRange(1, min(len(data), 11)).Draw(t, "leaf")
			tensor, err := s.scan(data[:n])
			if err != nil {
				found = tensor
			}
			data = data[n:]
		}
		if found != wrong {
			t.Fatalf("found %q, want %q", found, wrong)
		}
	})
}
