package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// Output is the expected form of one output: of a set of tensors everything but its
// elements.
type Output struct {
	Name string // what it is, such as "delta"
	// Record is the bytes of the output's own block, of a text at most.
	Record int
	// Form is the record of a set, without its leaves; Form.Data.Size is the
	// bytes of the elements.
	Form  state.SetRecord
	rules []rule // by tensor
}

// rule says which elements a tensor may have. Except for the two rules below,
// the numbers are not negative, and a rule is the bits of the largest.
type rule uint32

const (
	nonNegative rule = 0x7f7fffff     // up to the largest finite number
	finite      rule = math.MaxUint32 // no NaN and no infinity
	any32       rule = finite - 1     // whatever it holds
)

// within is the numbers from +0 to most.
func within(most float32) rule { return min(rule(math.Float32bits(most)), nonNegative) }

// The parts of a binary32 number.
const (
	sign     = 1 << 31
	exponent = 0x7f800000
)

// Leaves is the number of raw blocks that hold the elements. All but the last have
// [block.LeafSize] bytes.
func (o Output) Leaves() int { return int((o.Form.Data.Size + block.LeafSize - 1) / block.LeafSize) }

// leaf is the bytes of leaf i.
func (o Output) leaf(i int) int {
	return int(min(block.LeafSize, o.Form.Data.Size-uint64(i)*block.LeafSize))
}

// Bytes is the most bytes of the output's blocks.
func (o Output) Bytes() uint64 { return uint64(o.Record) + o.Form.Data.Size }

// newOutput is the output of a set of the names, types and shapes of s, whose
// tensors are ruled by their names.
func newOutput(name string, s *tensor.Set, of func(tensor string) rule) (Output, error) {
	o := Output{Name: name}
	var err error
	if o.Form, err = state.Form(s); err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	for _, t := range o.Form.Tensors {
		o.rules = append(o.rules, of(t.Name))
	}
	// A record has one length, whatever its leaves are.
	if o.Leaves() > block.MaxSize/linkBytes {
		return o, fmt.Errorf("%s: %d bytes are more than one record names", name, o.Form.Data.Size)
	}
	rec := o.Form
	rec.Data.Leaves = slices.Repeat([]block.Link{{Cid: block.Sum(block.Raw, nil)}}, o.Leaves())
	data, err := block.Encode(rec)
	if err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	o.Record = len(data)
	return o, nil
}

// linkBytes is less than the bytes of a link in a record.
const linkBytes = 36

// each gives all tensors the same rule.
func each(r rule) func(string) rule { return func(string) rule { return r } }

// check checks a set that output i is said to be: its record, and then its leaves.
func (o Output) check(ctx context.Context, i int, l block.Link, b Blocks) error {
	data, err := get(ctx, i, l, o.Record, b)
	if err != nil {
		return err
	}
	var rec state.SetRecord
	if err := block.Decode(data, &rec); err != nil {
		return wrong(Malformed, i, "%w", err)
	}
	if err := o.fits(i, rec); err != nil {
		return err
	}
	wants := make([]Want, len(rec.Data.Leaves))
	for j, leaf := range rec.Data.Leaves {
		wants[j] = Want{leaf.Cid, o.leaf(j)}
	}
	if err := b.Fetch(ctx, wants); err != nil {
		return wrong(whyNot(err), i, "leaves: %w", err)
	}
	s := scanner{tensors: o.Form.Tensors, rules: o.rules}
	for j, want := range wants {
		leaf, err := b.Get(ctx, want.CID)
		if err != nil {
			return wrong(Unavailable, i, "leaf %d: %w", j, err)
		}
		if len(leaf) != want.Most {
			return wrong(Size, i, "leaf %d has %d bytes, want %d", j, len(leaf), want.Most)
		}
		if tensor, err := s.scan(leaf); err != nil {
			return &Error{Value, i, tensor, err}
		}
	}
	return nil
}

// whyNot is the reason of an error of Fetch.
func whyNot(err error) Reason {
	if errors.Is(err, ErrTooLarge) {
		return Size
	}
	return Unavailable
}

// get fetches the block of output i, which may have at most most bytes.
func get(ctx context.Context, i int, l block.Link, most int, b Blocks) ([]byte, error) {
	if err := b.Fetch(ctx, []Want{{l.Cid, most}}); err != nil {
		return nil, wrong(whyNot(err), i, "%w", err)
	}
	data, err := b.Get(ctx, l.Cid)
	if err != nil {
		return nil, wrong(Unavailable, i, "%w", err)
	}
	if len(data) > most {
		return nil, wrong(Size, i, "%d bytes, want %d at most", len(data), most)
	}
	return data, nil
}

// fits compares the record of output i with the form.
func (o Output) fits(i int, rec state.SetRecord) error {
	if rec.Version != o.Form.Version || len(rec.Tensors) != len(o.Form.Tensors) {
		return wrong(Form, i, "a set of version %d with %d tensors, want version %d with %d", rec.Version, len(rec.Tensors), o.Form.Version, len(o.Form.Tensors))
	}
	for j, want := range o.Form.Tensors {
		if got := rec.Tensors[j]; got.Name != want.Name || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
			return &Error{Form, i, want.Name, fmt.Errorf("tensor %d is %q of type %d and shape %v, want type %d and shape %v", j, got.Name, got.Type, got.Shape, want.Type, want.Shape)}
		}
	}
	if rec.Data.Size != o.Form.Data.Size || len(rec.Data.Leaves) != o.Leaves() {
		return wrong(Form, i, "%d bytes in %d leaves, want %d in %d", rec.Data.Size, len(rec.Data.Leaves), o.Form.Data.Size, o.Leaves())
	}
	for j, l := range rec.Data.Leaves {
		if !l.Defined() || block.Codec(l.Type()) != block.Raw {
			return wrong(Codec, i, "leaf %d: %s is not the CID of a raw block", j, l)
		}
	}
	return nil
}

// scanner goes through the elements of a set, leaf by leaf. It holds no more of
// them than the bytes of a number that two leaves share.
type scanner struct {
	tensors []state.TensorRecord
	rules   []rule
	at      int    // the tensor
	done    uint64 // its bytes behind
	part    []byte // of the number that the leaf before began
}

// scan checks the next bytes, and names the tensor of a wrong element.
func (s *scanner) scan(leaf []byte) (tensor string, err error) {
	for len(leaf) > 0 {
		t := s.tensors[s.at]
		n := min(uint64(len(leaf)), t.Bytes()-s.done)
		if kernel.DType(t.Type) == kernel.F32 && s.rules[s.at] != any32 {
			if err := s.numbers(leaf[:n], s.rules[s.at]); err != nil {
				return t.Name, err
			}
		}
		leaf, s.done = leaf[n:], s.done+n
		if s.done == t.Bytes() {
			s.at, s.done = s.at+1, 0
		}
	}
	return "", nil
}

// numbers checks little-endian binary32 numbers.
func (s *scanner) numbers(data []byte, r rule) error {
	if len(s.part) > 0 {
		n := min(4-len(s.part), len(data))
		s.part, data = append(s.part, data[:n]...), data[n:]
		if len(s.part) < 4 {
			return nil
		}
		if err := number(binary.LittleEndian.Uint32(s.part), r); err != nil {
			return err
		}
		s.part = s.part[:0]
	}
	for len(data) >= 4 {
		if err := number(binary.LittleEndian.Uint32(data), r); err != nil {
			return err
		}
		data = data[4:]
	}
	s.part = append(s.part, data...)
	return nil
}

// number checks the bits of a number. As integers, those of numbers that are not
// negative are in the order of the numbers.
func number(bits uint32, r rule) error {
	if r == finite && bits&exponent != exponent || bits <= uint32(r) && r <= nonNegative {
		return nil
	}
	if x := math.Float32frombits(bits); bits&exponent != exponent && bits&sign == 0 {
		return fmt.Errorf("holds %v, want at most %v", x, math.Float32frombits(uint32(r)))
	}
	return fmt.Errorf("holds %v", math.Float32frombits(bits))
}
