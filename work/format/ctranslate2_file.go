package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
)

// ctFile is model.bin of any program: variables by name, aliases included.
type ctFile struct {
	version, revision int
	vars              map[string]ctData
	used              map[string]bool
}

// ctData is a variable as the file has it. The name is that of the variable itself, not of an
// alias.
type ctData struct {
	name string
	dims []int
	kind ctType
	data []byte
}

// ctSizes is the bytes of an element, by type. 3 is a whole number of 32 bits, 4 a binary16, and
// 5 a bfloat16.
var ctSizes = []uint64{4, 1, 2, 4, 2, 2}

// readCT reads model.bin of binary versions 3 to 6.
func readCT(data []byte) (*ctFile, error) {
	r := &binReader{data: data}
	u32 := func() int { return int(binary.LittleEndian.Uint32(r.take4())) }
	byte1 := func() uint64 {
		if b := r.take(1); r.err == nil {
			return uint64(b[0])
		}
		return 0
	}
	str := func() string {
		n := r.take(2)
		if r.err != nil {
			return ""
		}
		b := r.take(uint64(binary.LittleEndian.Uint16(n)))
		if r.err == nil && (len(b) == 0 || b[len(b)-1] != 0) {
			r.err = errors.New("want a name that ends with a zero byte")
		}
		return strings.TrimRight(string(b), "\x00")
	}
	f := &ctFile{version: u32(), vars: map[string]ctData{}, used: map[string]bool{}}
	if r.err == nil && (f.version < 3 || f.version > ctVersion) {
		return nil, fmt.Errorf("binary version %d, this program reads 3 to %d", f.version, ctVersion)
	}
	spec := str()
	f.revision = u32()
	if r.err == nil && (spec != ctSpec || f.revision < 2 || f.revision > ctRevision) {
		return nil, fmt.Errorf("%s of revision %d, this program reads %s of 2 to %d", spec, f.revision, ctSpec, ctRevision)
	}
	for n := u32(); n > 0 && r.err == nil; n-- {
		v, elements := ctData{name: str()}, uint64(1)
		for range byte1() {
			d := u32()
			if v.dims, elements = append(v.dims, d), elements*uint64(d); d == 0 || elements > uint64(len(r.data)) {
				return nil, fmt.Errorf("variable %.200q of shape %v is larger than the file", v.name, v.dims)
			}
		}
		// Before version 4 a type was known by its size.
		kind, count := byte1(), uint64(u32())
		if f.version < 4 {
			sizes := map[uint64]uint64{4: 0, 1: 1, 2: 2}
			known, ok := sizes[kind]
			if r.err == nil && !ok {
				return nil, fmt.Errorf("variable %.200q has elements of %d bytes", v.name, kind)
			}
			count, kind = count*kind, known
		}
		if r.err == nil && (kind >= uint64(len(ctSizes)) || count != ctSizes[kind]*elements) {
			return nil, fmt.Errorf("variable %.200q has type %d, shape %v and %d bytes", v.name, kind, v.dims, count)
		}
		v.kind, v.data = ctType(kind), r.take(count)
		if _, twice := f.vars[v.name]; twice && r.err == nil {
			return nil, fmt.Errorf("variable %.200q is there twice", v.name)
		}
		f.vars[v.name] = v
	}
	for n := u32(); n > 0 && r.err == nil; n-- {
		alias, name := str(), str()
		v, ok := f.vars[name]
		if _, twice := f.vars[alias]; r.err == nil && (!ok || twice) {
			return nil, fmt.Errorf("alias %.200q of variable %.200q: the first is there, or the second is not", alias, name)
		}
		f.vars[alias] = v
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case len(r.data) > 0:
		return nil, fmt.Errorf("%d bytes after the aliases", len(r.data))
	}
	return f, nil
}

// stored is how many numbers the file has; an alias adds none.
func (f *ctFile) stored() (n uint64) {
	for name, v := range f.vars { // order-free: a sum
		if name == v.name {
			n += uint64(len(v.data)) / ctSizes[v.kind]
		}
	}
	return n
}

// values are a variable's numbers, by their scale where they are codes.
func (f *ctFile) values(name string) (x []float32, dims []int, err error) {
	v, ok := f.vars[name]
	if !ok {
		return nil, nil, fmt.Errorf("no variable %.200q", name)
	}
	f.used[name] = true
	n := uint64(len(v.data)) / ctSizes[v.kind]
	var scales []float32
	if v.kind == ctInt8 || v.kind == ctInt16 {
		if scales, _, err = f.values(name + "_scale"); err != nil && v.kind == ctInt16 {
			scales, err = []float32{1000}, nil // of models that store none
		}
		rows := 1
		if len(v.dims) > 0 {
			rows = v.dims[0]
		}
		if err == nil && len(scales) != 1 && len(scales) != rows || slices.ContainsFunc(scales, func(s float32) bool { return !(s > 0) }) {
			err = fmt.Errorf("variable %.200q of shape %v has %d scales, want one of each row, above 0", name, v.dims, len(scales))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	x, le := make([]float32, n), binary.LittleEndian
	for i := range x {
		switch v.kind {
		case ctFloat32:
			x[i] = math.Float32frombits(le.Uint32(v.data[4*i:]))
		case ctInt8:
			x[i] = float32(int8(v.data[i])) / scales[i*len(scales)/len(x)]
		case ctInt16:
			x[i] = float32(int16(le.Uint16(v.data[2*i:]))) / scales[i*len(scales)/len(x)]
		case 4:
			x[i] = half(le.Uint16(v.data[2*i:]))
		case 5:
			x[i] = math.Float32frombits(uint32(le.Uint16(v.data[2*i:])) << 16)
		default:
			return nil, nil, fmt.Errorf("variable %.200q is of whole numbers", name)
		}
	}
	return x, v.dims, nil
}

// scalar is a variable without dimensions; absent it is no. In older models it may have a name
// without its stack.
func (f *ctFile) scalar(name string, no float64) float64 {
	v, ok := f.vars[name]
	if !ok {
		if name = path.Base(name); f.revision >= 5 || !ok && f.vars[name].data == nil {
			return no
		}
		v = f.vars[name]
	}
	f.used[name] = true
	le := binary.LittleEndian
	switch {
	case len(v.dims) > 0:
		return math.NaN()
	case v.kind == ctInt8:
		return float64(int8(v.data[0]))
	case v.kind == ctInt16:
		return float64(int16(le.Uint16(v.data)))
	case v.kind == ctFloat32:
		return float64(math.Float32frombits(le.Uint32(v.data)))
	case v.kind == 3:
		return float64(int32(le.Uint32(v.data)))
	}
	return math.NaN()
}

// string is a variable that is text.
func (f *ctFile) string(name, no string) string {
	v, ok := f.vars[name]
	if !ok || v.kind != ctInt8 {
		return no
	}
	f.used[name] = true
	return string(v.data)
}
