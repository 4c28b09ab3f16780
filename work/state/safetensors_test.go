package state_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

func TestSafetensors(t *testing.T) {
	set := tensor.Zeros(kernel.F32, 2, 3)
	set.F[4] = 1.5
	s, err := tensor.NewSet([]tensor.Named{{Name: "b", Tensor: set}, {Name: "a\"", Tensor: tensor.Zeros(kernel.F32, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	data := state.EncodeSafetensors(s)
	got, err := state.DecodeSafetensors(data)
	if err != nil {
		t.Fatal(err)
	}
	if name, differs := s.Difference(got); differs {
		t.Errorf("tensor %s came back changed", name)
	}
	if n := 8 + binary.LittleEndian.Uint64(data); n%8 != 0 {
		t.Errorf("the elements begin at %d, not at a multiple of 8", n)
	}
	odd := append([]byte{0}, data...) // no number stands where the processor wants it
	if got, err = state.DecodeSafetensors(odd[1:]); err != nil {
		t.Fatal(err)
	}
	if name, differs := s.Difference(got); differs {
		t.Errorf("tensor %s came back changed from an odd address", name)
	}
	const a, b = `"a\"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`, `"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]}`
	for name, bad := range map[string]struct{ head, want string }{
		"good, another order": {"{" + b + "," + a + "}   ", ""},
		"type":                {"{" + a + "," + strings.Replace(b, "F32", "F16", 1) + "}", `"b" has type "F16"`},
		"no type":             {"{" + a + "," + strings.Replace(b, `"dtype":"F32",`, "", 1) + "}", `"b" has type ""`},
		"overlap":             {"{" + a + "," + strings.Replace(b, "[4,28]", "[0,24]", 1) + "}", `"b" of 24 bytes stands at [0 24]`},
		"gap":                 {"{" + strings.Replace(b, "[4,28]", "[8,32]", 1) + "," + a + "}", `"b" of 24 bytes stands at [8 32]`},
		"shape":               {"{" + a + "," + strings.Replace(b, "[2,3]", "[3,3]", 1) + "}", `"b" of shape [3 3]`},
		"large shape":         {"{" + a + "," + strings.Replace(b, "[2,3]", "[4294967296,4294967296]", 1) + "}", `"b" of shape`},
		"no dimension":        {"{" + a + "," + strings.Replace(b, "[2,3]", "[]", 1) + "}", `"b" has 0 dimensions`},
		"negative":            {"{" + a + "," + strings.Replace(b, "[2,3]", "[-2,-3]", 1) + "}", `"b": "shape"`},
		"three offsets":       {"{" + a + "," + strings.Replace(b, "[4,28]", "[4,28,30]", 1) + "}", `"b" of 24 bytes stands at [4 28 30]`},
		"unknown field":       {"{" + a + "," + strings.Replace(b, `"dtype"`, `"DType"`, 1) + "}", `"b": "DType": no such field`},
		"a tensor twice":      {"{" + a + "," + b + "," + a + "}", `"a\"" is there twice`},
		"a field twice":       {"{" + a + "," + strings.Replace(b, `"dtype"`, `"dtype":"F16","dtype"`, 1) + "}", `"b": "dtype" is there twice`},
		"one too few":         {"{" + a + "}", "24 bytes after the last tensor"},
		"metadata":            {`{"__metadata__":{"n":1},` + a + "," + b + "}", "__metadata__"},
		"rest":                {"{" + a + "," + b + "}{", "1 bytes after the object"},
		"space before":        {" {" + a + "," + b + "}", "not a JSON object"},
		"list":                {"[]", "not a JSON object"},
		"cut":                 {"{" + a + "," + b, "EOF"},
		"empty":               {"", "not a JSON object"},
	} {
		file := binary.LittleEndian.AppendUint64(nil, uint64(len(bad.head)))
		file = append(append(file, bad.head...), data[len(data)-28:]...)
		_, err := state.DecodeSafetensors(file)
		if bad.want == "" && err != nil || bad.want != "" && (err == nil || !strings.Contains(err.Error(), bad.want)) {
			t.Errorf("%s: error %v, want one with %q", name, err, bad.want)
		}
	}
	for name, bad := range map[string][]byte{
		"short": data[:5], "cut": data[:len(data)-1], "long": append(slices.Clone(data), 0),
		"header too big": append([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, data[8:]...),
		"header huge":    append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, data[8:]...),
	} {
		if _, err := state.DecodeSafetensors(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestWidened reads every number of 16 bits: the F32 of the same value.
func TestWidened(t *testing.T) {
	values := map[string]func(x uint16) float64{
		"BF16": func(x uint16) float64 { return float64(math.Float32frombits(uint32(x) << 16)) },
		"F16": func(x uint16) float64 {
			sign, exponent, fraction := 1-2*float64(x>>15), int(x>>10&31), float64(x&1023)
			switch exponent {
			case 0:
				return sign * math.Ldexp(fraction, -24)
			case 31:
				return sign * map[bool]float64{true: math.Inf(1), false: math.NaN()}[fraction == 0]
			}
			return sign * math.Ldexp(1024+fraction, exponent-25)
		},
	}
	for name, value := range values { // order-free: each by itself
		head := fmt.Sprintf(`{"x":{"dtype":%q,"shape":[65536],"data_offsets":[0,131072]}}`, name)
		data := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
		data = append(data, head...)
		for x := range 1 << 16 {
			data = binary.LittleEndian.AppendUint16(data, uint16(x))
		}
		s, err := state.DecodeSafetensorsWidened(data)
		if err != nil {
			t.Fatal(err)
		}
		for x, got := range s.At(0).F {
			if want := value(uint16(x)); float64(got) != want && !(got != got && want != want) {
				t.Fatalf("%s %#04x is %v, want %v", name, x, got, want)
			}
		}
		if _, err := state.DecodeSafetensors(data); err == nil {
			t.Errorf("a model of this program's may be of %s", name)
		}
		if _, err := state.DecodeSafetensorsWidened(data[:len(data)-1]); err == nil {
			t.Errorf("%s cut short is read", name)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	s, err := tensor.NewSet([]tensor.Named{{Name: "a", Tensor: tensor.Zeros(kernel.F32, 2, 2)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state.EncodeSafetensors(s))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := state.DecodeSafetensors(data)
		if err != nil {
			return
		}
		again, err := state.DecodeSafetensors(state.EncodeSafetensors(s))
		if err != nil {
			t.Fatal(err)
		}
		if name, differs := s.Difference(again); differs {
			t.Errorf("tensor %s came back changed", name)
		}
	})
}
