package format

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// array is an array of an .npz file: of F32, or of bytes.
type array struct {
	name  string
	shape []int
	f     []float32
	b     []byte
}

const npyMagic = "\x93NUMPY"

// readNPZ reads the arrays of an .npz file: a zip of files in NumPy's format
// (numpy.lib.format, versions 1 and 2), without compression, as numpy.savez and
// Marian write it. Without compression, the arrays are no larger than the file.
func readNPZ(data []byte) (map[string]array, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("npz: %w", err)
	}
	arrays, left := map[string]array{}, uint64(len(data))
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if _, twice := arrays[name]; !ok || twice {
			return nil, fmt.Errorf("npz: file %.200q: it is not the name of an array, or it occurs twice", f.Name)
		}
		if f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64 {
			return nil, fmt.Errorf("npz: array %.200q is compressed: save it with numpy.savez", name)
		}
		at, err := f.DataOffset()
		if err != nil {
			return nil, fmt.Errorf("npz: array %.200q: %w", name, err)
		}
		// Files of a zip may overlap: together they must not exceed it.
		n := f.UncompressedSize64
		if n > left || uint64(at)+n > uint64(len(data)) {
			return nil, fmt.Errorf("npz: array %.200q of %d bytes: the arrays are larger than the file", name, n)
		}
		left -= n
		part := data[at : uint64(at)+n]
		if crc32.ChecksumIEEE(part) != f.CRC32 {
			return nil, fmt.Errorf("npz: array %.200q is damaged: its checksum is wrong", name)
		}
		a, err := readNPY(part)
		if err != nil {
			return nil, fmt.Errorf("npz: array %.200q: %w", name, err)
		}
		a.name = name
		arrays[name] = a
	}
	return arrays, nil
}

// npyHead is the header of an array, after its length: a Python dictionary.
var npyHead = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': False, 'shape': \(([0-9, ]*)\), *\} *\n?$`)

// readNPY reads an array in NumPy's format.
func readNPY(data []byte) (array, error) {
	if len(data) < 12 || string(data[:6]) != npyMagic {
		return array{}, errors.New("not an array")
	}
	size, rest := uint64(binary.LittleEndian.Uint16(data[8:])), data[10:]
	if version := data[6]; version == 2 {
		size, rest = uint64(binary.LittleEndian.Uint32(data[8:])), data[12:]
	} else if version != 1 {
		return array{}, fmt.Errorf("version %d, this program reads 1 and 2", version)
	}
	if size > uint64(len(rest)) || size > 1<<16 {
		return array{}, errors.New("cut short in its header")
	}
	m := npyHead.FindSubmatch(rest[:size])
	if m == nil {
		return array{}, fmt.Errorf("header %.80q: want an array in C order (fortran_order False)", rest[:size])
	}
	rest = rest[size:]
	// A shape must not ask for more elements than there are bytes.
	a, elements := array{}, uint64(1)
	for _, s := range strings.FieldsFunc(string(m[2]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.ParseUint(s, 10, 31)
		if err != nil || d == 0 || elements*d > uint64(len(rest)) {
			return array{}, fmt.Errorf("shape (%s) does not fit %d bytes", m[2], len(rest))
		}
		a.shape, elements = append(a.shape, int(d)), elements*d
	}
	switch descr := string(m[1]); descr {
	case "<f4":
		if uint64(len(rest)) != 4*elements {
			return array{}, fmt.Errorf("shape (%s) of F32 in %d bytes", m[2], len(rest))
		}
		a.f = make([]float32, elements)
		for i := range a.f {
			a.f[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
	case "|i1", "|u1", "<i1", "<u1", "|b1":
		if uint64(len(rest)) != elements {
			return array{}, fmt.Errorf("shape (%s) of bytes in %d", m[2], len(rest))
		}
		a.b = rest
	default:
		return array{}, fmt.Errorf("type %.200q: this program reads <f4 and bytes", descr)
	}
	return a, nil
}

// writeNPZ writes arrays in sequence. Nothing is compressed, and all sizes stand
// before the contents, where Marian reads them.
func writeNPZ(arrays []array) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, a := range arrays {
		part := writeNPY(a)
		h := &zip.FileHeader{
			Name: a.name + ".npy", Method: zip.Store, CRC32: crc32.ChecksumIEEE(part),
			CompressedSize64: uint64(len(part)), UncompressedSize64: uint64(len(part)),
		}
		if h.UncompressedSize64 > math.MaxUint32/2 {
			return nil, fmt.Errorf("npz: array %.200q of %d bytes, the format takes 2 GiB", a.name, len(part))
		}
		w, err := z.CreateRaw(h)
		if err != nil {
			return nil, fmt.Errorf("npz: %w", err)
		}
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("npz: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("npz: %w", err)
	}
	return out.Bytes(), nil
}

// writeNPY writes an array in NumPy's format, version 1.
func writeNPY(a array) []byte {
	descr := "<f4"
	if a.b != nil {
		descr = "|i1"
	}
	var shape strings.Builder
	for _, d := range a.shape {
		fmt.Fprintf(&shape, "%d, ", d)
	}
	dims := strings.TrimSuffix(shape.String(), " ")
	if len(a.shape) > 1 {
		dims = strings.TrimSuffix(dims, ",")
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	head += strings.Repeat(" ", 63-(len(npyMagic)+4+len(head))%64) + "\n" // elements begin at a multiple of 64
	out := binary.LittleEndian.AppendUint16(append([]byte(npyMagic), 1, 0), uint16(len(head)))
	out = append(append(out, head...), a.b...)
	for _, x := range a.f {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}
