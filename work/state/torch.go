package state

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// The functions and classes of plain tensors (torch/_utils.py), beside the storages.
const (
	nameOrdered   = pickleName("collections.OrderedDict")
	nameTensor    = pickleName("torch._utils._rebuild_tensor_v2")
	nameOldTensor = pickleName("torch._utils._rebuild_tensor")
	nameParameter = pickleName("torch._utils._rebuild_parameter")
)

// storageType is how a storage keeps an element.
type storageType struct {
	size uint64 // bytes
	// f reads an element as F32, i a whole number; one of them is nil. w has size bytes,
	// little endian, and zeros behind them.
	f func(w uint64) float32
	i func(w uint64) int64
}

// storageTypes are the classes of storages by their names.
var storageTypes = map[pickleName]storageType{
	"torch.FloatStorage":    {size: 4, f: func(w uint64) float32 { return math.Float32frombits(uint32(w)) }},
	"torch.DoubleStorage":   {size: 8, f: func(w uint64) float32 { return float32(math.Float64frombits(w)) }},
	"torch.HalfStorage":     {size: 2, f: func(w uint64) float32 { return widened["F16"](uint16(w)) }},
	"torch.BFloat16Storage": {size: 2, f: func(w uint64) float32 { return widened["BF16"](uint16(w)) }},
	"torch.LongStorage":     {size: 8, i: func(w uint64) int64 { return int64(w) }},
	"torch.IntStorage":      {size: 4, i: func(w uint64) int64 { return int64(int32(w)) }},
	"torch.ShortStorage":    {size: 2, i: func(w uint64) int64 { return int64(int16(w)) }},
	"torch.CharStorage":     {size: 1, i: func(w uint64) int64 { return int64(int8(w)) }},
	"torch.ByteStorage":     {size: 1, i: func(w uint64) int64 { return int64(w) }},
	"torch.BoolStorage":     {size: 1, i: func(w uint64) int64 { return int64(w) }},
}

// storage is a row of elements that tensors share.
type storage struct {
	kind  pickleName
	key   string
	count uint64 // elements
	data  []byte
}

// torchTensor is a view of a storage: element (i, j, ...) is the storage's element
// offset + i*strides[0] + j*strides[1] + ...
type torchTensor struct {
	*storage
	offset         uint64
	shape, strides []uint64
}

// checkpoint is a file of torch.save while it is read.
type checkpoint struct {
	machine  unpickler
	legacy   bool
	big      bool // numbers of storages are big endian
	storages map[string]*storage
	keys     []string // of the storages, in the pickle's sequence
}

// The limits of a checkpoint's parts, since a pickle can use one part for any number of tensors.
const (
	maxKey  = 1 << 8 // bytes of a storage's key
	maxName = 1 << 9 // bytes of a tensor's name
	maxDims = 1 << 4 // dimensions that are read, of which four are taken
)

// The beginnings of files of torch.save: a zip, and the pickle of a magic number.
const (
	zipMagic    = "PK\x03\x04"
	legacyMagic = "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
)

// DecodeTorch reads a checkpoint of torch.save, such as pytorch_model.bin: a dictionary of
// plain tensors, in the zip format of torch 1.6 and later or in the older format
// (torch/serialization.py). It runs nothing of the pickle inside. It refuses any opcode or
// class but those of plain tensors, and names it.
//
// F16 and BF16 become F32 without rounding, and F64 is rounded to F32. Whole numbers become
// I32. A tensor without dimensions becomes one with a dimension of one. DecodeTorch checks
// each size against the file before it takes memory. Tensors share the memory of data where
// they can.
func DecodeTorch(data []byte) (*tensor.Set, error) {
	c := &checkpoint{storages: map[string]*storage{}}
	c.machine.persistent, c.machine.call = c.persistent, call
	var top any
	var err error
	switch {
	case bytes.HasPrefix(data, []byte(zipMagic)):
		top, err = c.readZip(data)
	case bytes.HasPrefix(data, []byte(legacyMagic)):
		c.legacy = true
		top, err = c.readLegacy(data)
	default:
		err = errors.New("neither format of torch.save: it begins with neither a zip nor the magic number of older files")
	}
	if err != nil {
		return nil, fmt.Errorf("torch checkpoint: %w", err)
	}
	s, err := c.tensors(top, uint64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("torch checkpoint: %w", err)
	}
	return s, nil
}

// persistent is the storage that a persistent id names: ("storage", class, key, device,
// elements), with a sixth part in the older format.
func (c *checkpoint) persistent(id any) (any, error) {
	t, _ := id.(pickleTuple)
	if len(t) != 5 && !(c.legacy && len(t) == 6 && t[5] == nil) || t[0] != "storage" {
		return nil, errors.New("a persistent id that names no storage of its own")
	}
	kind, _ := t[1].(pickleName)
	key, okKey := t[2].(string)
	count, okCount := t[4].(int64)
	if _, ok := storageTypes[kind]; !ok || !okKey || !okCount || count < 0 || len(key) > maxKey {
		return nil, errors.New("a persistent id whose class, key or size is not that of a storage")
	}
	if s, ok := c.storages[key]; ok {
		if s.kind != kind || s.count != uint64(count) {
			return nil, fmt.Errorf("storage %.40q is there with two classes or sizes", key)
		}
		return s, nil
	}
	s := &storage{kind: kind, key: key, count: uint64(count)}
	c.storages[key], c.keys = s, append(c.keys, key)
	return s, nil
}

// call is the result of a function of plain tensors.
func call(name pickleName, args pickleTuple) (any, error) {
	switch name {
	case nameOrdered:
		if len(args) == 0 {
			return newPickleDict(), nil
		}
	case nameParameter: // tensor, requires_grad, hooks
		if len(args) == 3 {
			if t, ok := args[0].(*torchTensor); ok {
				return t, nil
			}
		}
	case nameTensor, nameOldTensor: // storage, offset, shape, strides, and gradients' settings
		if name == nameOldTensor && len(args) != 4 || name == nameTensor && (len(args) < 6 || len(args) > 7) {
			break
		}
		s, isStorage := args[0].(*storage)
		offset, isNumber := args[1].(int64)
		shape, isShape := naturals(args[2])
		strides, areStrides := naturals(args[3])
		if isStorage && isNumber && offset >= 0 && isShape && areStrides && len(shape) == len(strides) {
			return &torchTensor{s, uint64(offset), shape, strides}, nil
		}
	}
	return nil, fmt.Errorf("%s is called with arguments that make no plain tensor", name)
}

// naturals is a tuple of numbers that are not negative.
func naturals(v any) ([]uint64, bool) {
	t, ok := v.(pickleTuple)
	if len(t) > maxDims {
		return nil, false
	}
	var out []uint64
	for _, x := range t {
		n, number := x.(int64)
		if !number || n < 0 {
			return nil, false
		}
		out = append(out, uint64(n))
	}
	return out, ok
}

// readZip reads the newer format: a zip without compression, with the pickle data.pkl and the
// storages data/KEY in one folder.
func (c *checkpoint) readZip(data []byte) (any, error) {
	// The zip's directory is read as a whole, so it must not be large.
	if n := bytes.Count(data, []byte("PK\x01\x02")); n > 2*maxTensors {
		return nil, fmt.Errorf("a zip of %d files, at most %d are read", n, 2*maxTensors)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("damaged or cut short: %w", err)
	}
	files, left := map[string][]byte{}, uint64(len(data))
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/")
		if _, twice := files[name]; twice || name == "" {
			return nil, fmt.Errorf("file %.200q of the zip: torch.save writes none such, or it is there twice", f.Name)
		}
		if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
			return nil, fmt.Errorf("file %.200q of the zip is compressed, which torch.save does not", f.Name)
		}
		// Files of a zip may overlap: together they must not exceed it.
		at, err := f.DataOffset()
		if err != nil || f.UncompressedSize64 > left || uint64(at) > uint64(len(data)) || f.UncompressedSize64 > uint64(len(data))-uint64(at) {
			return nil, fmt.Errorf("file %.200q of the zip is cut short", f.Name)
		}
		left -= f.UncompressedSize64
		part := data[at:][:f.UncompressedSize64]
		if crc32.ChecksumIEEE(part) != f.CRC32 {
			return nil, fmt.Errorf("file %.200q of the zip is damaged: its checksum is wrong", f.Name)
		}
		files[name] = part
	}
	pickle, ok := files["data.pkl"]
	if !ok {
		return nil, errors.New("a zip without data.pkl: it is not of torch.save")
	}
	if _, script := files["constants.pkl"]; script {
		return nil, errors.New("a TorchScript program, not a checkpoint: save the model's state_dict")
	}
	if order, ok := files["byteorder"]; ok {
		if c.big = string(order) == "big"; !c.big && string(order) != "little" {
			return nil, fmt.Errorf("byte order %.20q, want little or big", order)
		}
	}
	top, rest, err := c.machine.unpickle(pickle)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("data.pkl: %d bytes follow the pickle", len(rest))
	}
	for _, key := range c.keys {
		s := c.storages[key]
		var ok bool
		if s.data, ok = files["data/"+key]; err == nil && !ok {
			err = fmt.Errorf("storage %.40q is missing", key)
		}
	}
	return top, err
}

// readLegacy reads the older format: pickles of a magic number, a version, the writer's
// machine, the value and the keys of its storages, and the storages in this sequence. Their
// numbers are little endian, whatever the writer's machine.
func (c *checkpoint) readLegacy(data []byte) (any, error) {
	data = data[len(legacyMagic):]
	var parts [4]any
	for i := range parts {
		var err error
		if parts[i], data, err = c.machine.unpickle(data); err != nil {
			return nil, err
		}
	}
	if parts[0] != int64(1001) {
		return nil, errors.New("its version is not 1001, the only one of older files")
	}
	keys, _ := parts[3].(*pickleList)
	if keys == nil || len(keys.items) != len(c.keys) {
		return nil, fmt.Errorf("its list of storages does not have those %d that its tensors use", len(c.keys))
	}
	for _, k := range keys.items {
		key, _ := k.(string)
		s := c.storages[key]
		if s == nil || s.data != nil {
			return nil, fmt.Errorf("storage %.40q: no tensor uses it, or it is there twice", key)
		}
		// The number of elements stands in front of them.
		size := storageTypes[s.kind].size
		if len(data) < 8 || binary.LittleEndian.Uint64(data) != s.count || s.count > uint64(len(data)-8)/size {
			return nil, fmt.Errorf("storage %.40q of %d elements is damaged or cut short", key, s.count)
		}
		s.data, data = data[8:8+s.count*size], data[8+s.count*size:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last storage", len(data))
	}
	return parts[2], nil
}

// number is a whole number in the byte order of the file.
func (c *checkpoint) number(b []byte) uint64 {
	var wide [8]byte
	copy(wide[:], b)
	if c.big {
		slices.Reverse(wide[:len(b)])
	}
	return binary.LittleEndian.Uint64(wide[:])
}

// tensors makes a set of the value of a pickle. It takes at most four times as much memory as
// the file has bytes, since views of one storage could ask for any number of copies.
func (c *checkpoint) tensors(top any, size uint64) (*tensor.Set, error) {
	dict, ok := top.(*pickleDict)
	if !ok || len(dict.keys) == 0 || len(dict.keys) > maxTensors {
		return nil, fmt.Errorf("it is no dictionary of 1 to %d tensors: save the model's state_dict", maxTensors)
	}
	left := 4*size + 1<<20
	made := map[string]kernel.Tensor{} // equal views are one tensor
	var items []tensor.Named
	for _, name := range dict.keys {
		t, ok := dict.values[name].(*torchTensor)
		if !ok || len(name) > maxName {
			return nil, fmt.Errorf("%.200q is no tensor, or its name is too long: save the model's state_dict, and nothing beside it", name)
		}
		view := fmt.Sprint(t.key, t.offset, t.shape, t.strides)
		x, seen := made[view]
		if !seen {
			var err error
			if x, err = c.tensor(t, &left); err != nil {
				return nil, fmt.Errorf("tensor %.200q: %w", name, err)
			}
			made[view] = x
		}
		items = append(items, tensor.Named{Name: name, Tensor: x})
	}
	return tensor.NewSet(items)
}

// tensor makes one tensor, and takes its bytes from left.
func (c *checkpoint) tensor(t *torchTensor, left *uint64) (kernel.Tensor, error) {
	kind := storageTypes[t.kind]
	if uint64(len(t.data)) != t.count*kind.size || t.count > uint64(len(t.data)) {
		return kernel.Tensor{}, fmt.Errorf("storage %.40q has %d bytes, want %d elements of %d", t.key, len(t.data), t.count, kind.size)
	}
	shape, strides := t.shape, t.strides
	if len(shape) == 0 {
		shape, strides = []uint64{1}, []uint64{1}
	}
	if len(shape) > 4 {
		return kernel.Tensor{}, fmt.Errorf("it has %d dimensions, want at most 4", len(shape))
	}
	// The last element must be in the storage. Each factor is checked before it is multiplied.
	dims, elements, last, plain := make([]int, len(shape)), uint64(1), t.offset, true
	for i := len(shape) - 1; i >= 0; i-- {
		d, stride := shape[i], strides[i]
		if d == 0 || d > *left/4/elements || last > t.count || d > 1 && stride > 0 && d-1 > t.count/stride {
			return kernel.Tensor{}, fmt.Errorf("its shape %v with strides %v does not fit a storage of %d elements", shape, strides, t.count)
		}
		plain = plain && (stride == elements || d == 1)
		last += (d - 1) * stride
		elements *= d
		dims[i] = int(d)
	}
	if last >= t.count {
		return kernel.Tensor{}, fmt.Errorf("its element %d is not in its storage of %d", last, t.count)
	}
	// Numbers as this program keeps them need no copy.
	if plain && t.kind == "torch.FloatStorage" && !c.big {
		return view(t.data[4*t.offset:], dims), nil
	}
	*left -= 4 * elements
	return c.copyOf(t, kind, dims, strides)
}

// copyOf copies the elements of a tensor, whose bounds are checked.
func (c *checkpoint) copyOf(t *torchTensor, kind storageType, dims []int, strides []uint64) (kernel.Tensor, error) {
	out := kernel.New(kernel.F32, dims...)
	if kind.f == nil {
		out = kernel.New(kernel.I32, dims...)
	}
	at, index := t.offset, make([]int, len(dims))
	for e := range max(len(out.F), len(out.I)) {
		w := c.number(t.data[at*kind.size:][:kind.size])
		if kind.f != nil {
			out.F[e] = kind.f(w)
		} else {
			n := kind.i(w)
			if n != int64(int32(n)) {
				return kernel.Tensor{}, fmt.Errorf("element %d is %d, which has more than 32 bits", e, n)
			}
			out.I[e] = int32(n)
		}
		// The next element, row by row.
		for d := len(dims) - 1; d >= 0; d-- {
			index[d]++
			at += strides[d]
			if index[d] < dims[d] {
				break
			}
			at -= uint64(index[d]) * strides[d]
			index[d] = 0
		}
	}
	return out, nil
}
