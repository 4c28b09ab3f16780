package ptx

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// widthOf is the number of bytes of a type in memory, 0 for an unknown type.
func widthOf(t string) int {
	switch t {
	case "u8", "s8", "b8":
		return 1
	case "u16", "s16", "b16":
		return 2
	case "u32", "s32", "b32", "f32":
		return 4
	case "u64", "s64", "b64":
		return 8
	}
	return 0
}

// move is a load or a store: one or more adjacent values of width bytes each, at the address in a
// register plus an offset.
type move struct {
	file    int   // the register file of the values, which may be wider than they are
	values  []int // registers
	width   int
	signed  bool
	address int // register
	offset  int64
	shared  bool // shared memory, not global
	write   bool
}

// access decodes ld.param, and ld and st of global or shared memory, for one value or a vector.
func (b *body) access(op string, parts []string, o []operand) (exec, error) {
	if err := want(o, 2); err != nil {
		return nil, err
	}
	// The opcode is ld or st, the memory, a vector's length if there is one, and the type.
	t := parts[len(parts)-1]
	width := widthOf(t)
	vectors := map[string]int{"v2": 2, "v4": 4}
	n := 1
	if len(parts) == 4 {
		n = vectors[parts[2]]
	}
	if width == 0 || n == 0 || n*width > 16 || len(parts) < 3 || len(parts) > 4 || n > 1 && width < 4 {
		return nil, refusal(op)
	}
	m := &move{width: width, signed: t[0] == 's', write: parts[0] == "st"}
	value, at := o[0], o[1]
	if m.write {
		value, at = o[1], o[0]
	}
	if err := b.values(m, value, t, n); err != nil {
		return nil, err
	}
	// Which memory?
	switch parts[1] {
	case "param":
		if !m.write && n == 1 {
			return b.parameter(m, at)
		}
		return nil, refusal(op)
	case "global":
	case "shared":
		m.shared = true
	default:
		return nil, refusal(op)
	}
	var err error
	m.address, m.offset, err = b.address(at)
	return m.exec, err
}

// values finds the registers to load to or store from. Their type is t, or a wider one for an integer.
// A number may be stored, too.
func (b *body) values(m *move, value operand, t string, n int) error {
	list := []operand{value}
	if n > 1 {
		list = value.list
	}
	if len(list) != n || n > 1 && value.mark != '{' {
		return fmt.Errorf("a vector of %d values has %d registers", n, len(list))
	}
	for i, v := range list {
		resolve := b.write
		if m.write {
			resolve = b.read
		}
		// The register says whether the value is widened.
		as, file := t, in32
		if c, _, err := b.register(v.text); err == nil && c == b64 && t != "f32" {
			as = "u64"
		} else if err == nil && c == b32 && m.width < 4 {
			as = "u32"
		}
		if wide(as) {
			file = in64
		}
		if i > 0 && file != m.file {
			return fmt.Errorf("the registers of a vector have different sizes")
		}
		m.file = file
		r, err := resolve(v, as)
		if err != nil {
			return err
		}
		m.values = append(m.values, r)
	}
	return nil
}

// parameter decodes ld.param of a whole parameter.
func (b *body) parameter(m *move, at operand) (exec, error) {
	for _, p := range b.k.params {
		if p.name != at.text || at.mark != '[' || at.offset != 0 || p.size != m.width {
			continue
		}
		return func(w *warp, mask uint32) error {
			w.known[m.file][m.values[0]] |= mask
			each(mask, func(l int) { m.load(w, l, 0, w.run.params[p.offset:]) })
			return nil
		}, nil
	}
	return nil, fmt.Errorf("[%s] is not a parameter of %d bytes", at.text, m.width)
}

// exec is the load or store by every lane of mask.
func (m *move) exec(w *warp, mask uint32) error {
	if bad := mask &^ w.known[in64][m.address]; bad != 0 {
		return unwritten(bad)
	}
	known := w.known[m.file]
	for _, v := range m.values {
		if bad := mask &^ known[v]; m.write && bad != 0 {
			return unwritten(bad)
		}
	}
	// Shared memory is the block's own, so no other block's accesses can race with it.
	size := m.width * len(m.values)
	var s *span
	c := &w.run.clock
	if m.shared {
		s = w.run.shared
		c = &clock{c.block, c.block, c.now}
	}
	for rest := mask; rest != 0; rest &= rest - 1 {
		// Most lanes access the same allocation as the lane before.
		l := bits.TrailingZeros32(rest)
		addr := w.r64[m.address][l] + uint64(m.offset)
		if !m.shared && (s == nil || addr-s.base >= uint64(len(s.data))) {
			s, _ = w.run.mem.find(addr)
		}
		if s == nil || addr-s.base >= uint64(len(s.data)) {
			return &laneError{l, fmt.Sprintf("at %#x is outside of every allocation", addr)}
		}
		off := int(addr - s.base)
		if why := s.access(c, off, size, w.first+uint32(l), m.write); why != "" {
			return &laneError{l, fmt.Sprintf("at byte %d of %d %s", off, len(s.data), why)}
		}
		for i := range m.values {
			if at := s.data[off+i*m.width:]; m.write {
				m.store(w, l, i, at)
			} else {
				m.load(w, l, i, at)
			}
		}
	}
	if !m.write {
		for _, v := range m.values {
			known[v] |= mask
		}
	}
	return nil
}

// load sets value i of lane l, sign-extended to the register's width if the type is signed.
func (m *move) load(w *warp, l, i int, from []byte) {
	v := uint64(0)
	switch m.width {
	case 1:
		v = uint64(from[0])
	case 2:
		v = uint64(binary.LittleEndian.Uint16(from))
	case 4:
		v = uint64(binary.LittleEndian.Uint32(from))
	case 8:
		v = binary.LittleEndian.Uint64(from)
	}
	if m.signed { // shift the sign bit to the top, and back
		unused := 64 - 8*m.width
		v = uint64(int64(v<<unused) >> unused)
	}
	if m.file == in64 {
		w.r64[m.values[i]][l] = v
	} else {
		w.r32[m.values[i]][l] = uint32(v)
	}
}

// store writes the low bytes of value i of lane l.
func (m *move) store(w *warp, l, i int, to []byte) {
	var v uint64
	if m.file == in64 {
		v = w.r64[m.values[i]][l]
	} else {
		v = uint64(w.r32[m.values[i]][l])
	}
	switch m.width {
	case 1:
		to[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(to, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(to, uint32(v))
	case 8:
		binary.LittleEndian.PutUint64(to, v)
	}
}
