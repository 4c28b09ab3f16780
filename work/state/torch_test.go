package state_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// torchFile is a file that torch 1.13 wrote.
func torchFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/torch", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTorch reads what torch itself wrote, in both of its formats and in two protocols of
// pickles: views with offsets and strides, shared storages, and every type.
func TestTorch(t *testing.T) {
	eighths := func(from, step, n int) (x []float32) { // of arange(24)/8 - 1
		for i := range n {
			x = append(x, float32(from+step*i)/8-1)
		}
		return x
	}
	floats := map[string]struct {
		shape []int
		want  []float32
	}{
		"weight":     {[]int{2, 3}, []float32{0, 0.25, 0.5, 0.75, 1, 1.25}},
		"bias":       {[]int{2}, []float32{0.5, -0.5}},
		"shared":     {[]int{4, 6}, eighths(0, 1, 24)},
		"same":       {[]int{4, 6}, eighths(0, 1, 24)},
		"rows":       {[]int{2, 6}, eighths(6, 1, 12)},
		"transposed": {[]int{6, 4}, slices.Concat(eighths(0, 6, 4), eighths(1, 6, 4), eighths(2, 6, 4), eighths(3, 6, 4), eighths(4, 6, 4), eighths(5, 6, 4))},
		"columns":    {[]int{2, 2}, slices.Concat(eighths(4, 2, 2), eighths(16, 2, 2))},
		"expanded":   {[]int{2, 3}, []float32{2.5, 2.5, 2.5, 2.5, 2.5, 2.5}},
		"half":       {[]int{5}, []float32{0, 0.333251953125, 0.66650390625, 1, 1.3330078125}},
		"bfloat":     {[]int{5}, []float32{0, 0.333984375, 0.66796875, 1, 1.3359375}},
		"double":     {[]int{5}, []float32{0, 1. / 3, 2. / 3, 1, 4. / 3}},
		"scalar":     {[]int{1}, []float32{7.25}},
		"parameter":  {[]int{3}, []float32{0, 1, 2}},
	}
	whole := map[string][]int32{
		"long": {-2, -1, 0, 1, 2}, "int": {-2, -1, 0, 1, 2}, "short": {-2, -1, 0, 1, 2}, "char": {-2, -1, 0, 1, 2},
		"byte": {250, 251, 252, 253, 254}, "bool": {1, 0, 1},
	}
	for _, file := range []string{"zip.bin", "legacy.bin", "protocol4.bin"} {
		data := torchFile(t, file)
		for _, odd := range []int{0, 1} { // the second time no number stands where the processor wants it
			s, err := state.DecodeTorch(append(make([]byte, odd), data...)[odd:])
			if err != nil {
				t.Fatal(err)
			}
			if s.Len() != len(floats)+len(whole) {
				t.Errorf("%s: %d tensors", file, s.Len())
			}
			for name, want := range floats { // order-free: independent cases
				if x, _ := s.Get(name); x.Type != kernel.F32 || !slices.Equal(x.Shape, want.shape) || !slices.Equal(x.F, want.want) {
					t.Errorf("%s: %s is %v, want %v", file, name, x, want)
				}
			}
			for name, want := range whole { // order-free: independent cases
				if x, _ := s.Get(name); x.Type != kernel.I32 || !slices.Equal(x.I, want) {
					t.Errorf("%s: %s is %v, want %v", file, name, x, want)
				}
			}
		}
		// Nothing shorter is a checkpoint.
		for n := range data {
			if _, err := state.DecodeTorch(data[:n]); err == nil {
				t.Errorf("%s: its first %d bytes are taken", file, n)
			}
		}
	}
}

// torchZip is a file of torch.save with the given pickle and files.
func torchZip(t testing.TB, pickle string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name, text string) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("data.pkl", pickle)
	for name, text := range files { // order-free: a zip finds its files by name
		put(name, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pickled is the pickle of a dictionary with the tensor "w": a view of storage 0, which has
// count elements of a class. Numbers are below 256.
func pickled(class string, count, offset byte, shape, strides string) string {
	numbers := func(list string) string {
		var b strings.Builder
		for i := range len(list) {
			b.WriteString("K" + list[i:i+1])
		}
		return "(" + b.String() + "t"
	}
	return "\x80\x02}" + word("w") + "ctorch._utils\n_rebuild_tensor_v2\n(" +
		"(" + word("storage") + "ctorch\n" + class + "\n" + word("0") + word("cpu") + "K" + string([]byte{count}) + "tQ" +
		"K" + string([]byte{offset}) + numbers(shape) + numbers(strides) + "\x89ccollections\nOrderedDict\n)RtRs."
}

// word is a text of a pickle.
func word(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// TestTorchByteOrder reads the numbers of a machine whose first byte is the highest.
func TestTorchByteOrder(t *testing.T) {
	var big, little []byte
	for _, x := range []float32{1.5, -2, 0.1} {
		big = binary.BigEndian.AppendUint32(big, math.Float32bits(x))
		little = binary.LittleEndian.AppendUint32(little, math.Float32bits(x))
	}
	p := pickled("FloatStorage", 3, 0, "\x03", "\x01")
	var sets []*tensor.Set
	for _, files := range []map[string]string{
		{"data/0": string(big), "byteorder": "big"}, {"data/0": string(little), "byteorder": "little"}, {"data/0": string(little)},
	} {
		s, err := state.DecodeTorch(torchZip(t, p, files))
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s)
	}
	if state.SumSet(sets[0]) != state.SumSet(sets[1]) || state.SumSet(sets[1]) != state.SumSet(sets[2]) {
		t.Error("the numbers differ")
	}
	if _, err := state.DecodeTorch(torchZip(t, p, map[string]string{"data/0": string(big), "byteorder": "middle"})); err == nil {
		t.Error("a byte order that nobody knows is taken")
	}
}

// TestTorchRefused: a pickle with anything but plain tensors is refused, and the opcode, class or
// tensor is named.
func TestTorchRefused(t *testing.T) {
	good := pickled("FloatStorage", 6, 0, "\x02\x03", "\x03\x01")
	data := map[string]string{"data/0": strings.Repeat("\x00\x00\x80\x3f", 6)}
	if _, err := state.DecodeTorch(torchZip(t, good, data)); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ pickle, says string }{
		"a shell command":      {"\x80\x02cos\nsystem\n" + word("touch x") + "\x85R.", `"os.system"`},
		"the same by texts":    {"\x80\x04" + word("os") + word("system") + "\x93" + word("x") + "\x85R.", `"os.system"`},
		"a function of Python": {"\x80\x02c__builtin__\neval\n" + word("1") + "\x85R.", `"__builtin__.eval"`},
		"an instance":          {"\x80\x02(ios\nsystem\n.", "INST"},
		"an object":            {"\x80\x02(o.", "OBJ"},
		"a new object":         {"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"},
		"an extension":         {"\x80\x02\x82\x01.", "EXT1"},
		"an unknown opcode":    {"\x80\x02\xff.", "0xFF"},
		"a state":              {"\x80\x02}}" + word("__setstate__") + "Nsb.", "BUILD"},
		"a state of a tensor":  {strings.TrimSuffix(good, "s.") + "}bs.", "BUILD"},
		"another protocol":     {"\x80\x01}.", "protocol 1"},
		"calling a text":       {"\x80\x02" + word("os.system") + ")R.", "no function"},
		"calling a class":      {"\x80\x02ctorch\nFloatStorage\n)R.", "torch.FloatStorage"},
		"a dictionary of pairs": {"\x80\x02ccollections\nOrderedDict\n" + word("x") + "\x85R.",
			"collections.OrderedDict is called"},
		"another storage":        {strings.Replace(good, "FloatStorage", "ComplexFloatStorage", 1), "torch.ComplexFloatStorage"},
		"no storage":             {strings.Replace(good, word("storage"), word("module"), 1), "persistent id"},
		"an id that is a text":   {"\x80\x02" + word("0") + "Q.", "persistent id"},
		"no dictionary":          {"\x80\x02].", "no dictionary"},
		"an empty dictionary":    {"\x80\x02}.", "no dictionary"},
		"a number among tensors": {"\x80\x02}" + word("epoch") + "K\x01s.", `"epoch" is no tensor`},
		"a tensor twice":         {strings.TrimSuffix(good, ".") + strings.TrimPrefix(good, "\x80\x02}"), `"w" is there twice`},
		"a key that is a number": {"\x80\x02}K\x01K\x01s.", "no text"},
		"an empty stack":         {"\x80\x02.", "0 values"},
		"a mark left":            {"\x80\x02(}.", "1 marks"},
		"pop below a mark":       {"\x80\x02K\x01K\x01(\x86.", "more values than there are"},
		"no mark":                {"\x80\x02t.", "mark"},
		"nothing stored":         {"\x80\x02h\x05.", "before it is there"},
		"storing nothing":        {"\x80\x02q\x05.", "more values than there are"},
		"items of a number":      {"\x80\x02K\x01K\x02a.", "no list"},
		"text not UTF-8":         {"\x80\x02" + word("\xff") + ".", "UTF-8"},
		"a name without an end":  {"\x80\x02c" + strings.Repeat("x", 2000) + "\n", "without an end"},
		"bytes behind":           {good + "N", "follow the pickle"},
		"many opcodes":           {"\x80\x02" + strings.Repeat("N", 1<<20), "more than"},
		"too small a storage":    {pickled("FloatStorage", 7, 0, "\x02\x03", "\x03\x01"), "24 bytes"},
		"beyond the storage":     {pickled("FloatStorage", 6, 1, "\x02\x03", "\x03\x01"), "not in its storage"},
		"strides beyond it":      {pickled("FloatStorage", 6, 0, "\x02\x03", "\x04\x01"), "not in its storage"},
		"a large stride":         {pickled("FloatStorage", 6, 0, "\x02\x03", "\xff\x01"), "does not fit"},
		"an endless tensor":      {pickled("FloatStorage", 6, 0, "\xff\xff\xff\xff", "\x00\x00\x00\x00"), "does not fit"},
		"five dimensions":        {pickled("FloatStorage", 6, 0, "\x01\x01\x01\x01\x01", "\x01\x01\x01\x01\x01"), "5 dimensions"},
		"an empty tensor":        {pickled("FloatStorage", 6, 0, "\x00", "\x01"), "does not fit"},
		"many dimensions":        {pickled("FloatStorage", 6, 0, strings.Repeat("\x01", 17), strings.Repeat("\x01", 17)), "no plain tensor"},
		"a long key":             {strings.Replace(good, word("0"), word(strings.Repeat("0", 300)), 1), "persistent id"},
		"a long name":            {strings.Replace(good, word("w"), word(strings.Repeat("w", 600)), 1), "too long"},
		"fewer strides":          {pickled("FloatStorage", 6, 0, "\x02\x03", "\x01"), "no plain tensor"},
		"another storage's name": {strings.Replace(good, word("0"), word("../1"), 1), `storage "../1" is missing`},
	} {
		if _, err := state.DecodeTorch(torchZip(t, c.pickle, data)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
	for file, says := range map[string]string{ // by what torch wrote: a module, and tensors of other kinds
		"module.bin": `"torch.nn.modules.linear.Linear"`, "nested.bin": `"model" is no tensor`, "complex.bin": `"torch.ComplexFloatStorage"`,
	} {
		if _, err := state.DecodeTorch(torchFile(t, file)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %s", file, err, says)
		}
	}
	// Changes of a whole file.
	whole, legacy := torchFile(t, "zip.bin"), torchFile(t, "legacy.bin")
	change := func(data []byte, at int) []byte {
		data = slices.Clone(data)
		data[at] ^= 1
		return data
	}
	for what, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty":        {nil, "neither format"},
		"a text":       {[]byte("hello"), "neither format"},
		"another zip":  {bytes.ReplaceAll(whole, []byte("data.pkl"), []byte("date.pkl")), "without data.pkl"},
		"bit changed":  {change(whole, bytes.Index(whole, []byte("shared"))), "checksum"},
		"more behind":  {append(slices.Clone(legacy), 0), "1 bytes follow"},
		"legacy sizes": {change(legacy, bytes.Index(legacy, []byte("\x18\x00\x00\x00\x00\x00\x00\x00"))), "damaged or cut short"},
	} {
		if _, err := state.DecodeTorch(c.data); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
}

// FuzzTorch reads hostile checkpoints: refused, or a set that can be stored. The second argument
// is the pickle of a zip.
func FuzzTorch(f *testing.F) {
	for _, file := range []string{"zip.bin", "legacy.bin", "module.bin"} {
		f.Add(torchFile(f, file), pickled("HalfStorage", 4, 1, "\x03", "\x01"))
	}
	f.Fuzz(func(t *testing.T, file []byte, pickle string) {
		files := map[string]string{"data/0": "12345678", "data/1": "1234"}
		for _, data := range [][]byte{file, torchZip(t, pickle, files)} {
			s, err := state.DecodeTorch(data)
			if err == nil {
				state.SumSet(s)
			}
		}
	})
}
