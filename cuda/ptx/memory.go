package ptx

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// AddressSpace is the global memory of a device. It remembers for each byte whether it was written,
// and for each word which thread accessed it last. One goroutine at a time may use it.
type AddressSpace struct {
	spans []*span // allocations, ascending by address
	next  uint64  // the address where the next allocation may begin
	epoch uint32  // grows with every launch, block and barrier
}

// gap is the smallest distance between allocations, so that an index that is a little too large or too
// small falls between them.
const gap = 4096

// NewAddressSpace returns a memory without allocations.
func NewAddressSpace() *AddressSpace { return &AddressSpace{next: 1 << 32} }

// Alloc returns the address of n new bytes, which count as not written. Addresses are multiples of 256.
func (m *AddressSpace) Alloc(n int) uint64 {
	at := m.next
	i := m.index(at)
	for ; i < len(m.spans) && m.spans[i].base < at+uint64(n)+gap; i++ { // host memory is mapped there
		at = (m.spans[i].end() + gap + 255) / 256 * 256
	}
	m.spans = slices.Insert(m.spans, i, newSpan(at, make([]byte, n)))
	m.next = at + (uint64(n)+gap+255)/256*256 + gap
	return at
}

// Map makes b the memory at an address: memory that device and host share. All of it counts as
// written. It must not overlap other allocations.
func (m *AddressSpace) Map(addr uint64, b []byte) error {
	i := m.index(addr)
	if i > 0 && m.spans[i-1].end() > addr || i < len(m.spans) && m.spans[i].base < addr+uint64(len(b)) {
		return fmt.Errorf("map %d bytes at %#x: the addresses are already allocated", len(b), addr)
	}
	s := newSpan(addr, b)
	s.written(0, len(b))
	m.spans = slices.Insert(m.spans, i, s)
	return nil
}

// Free ends the allocation that begins at addr.
func (m *AddressSpace) Free(addr uint64) error {
	i := m.index(addr + 1)
	if i == 0 || m.spans[i-1].base != addr {
		return fmt.Errorf("free %#x: no allocation begins there", addr)
	}
	m.spans = append(m.spans[:i-1], m.spans[i:]...)
	return nil
}

// Write copies b to addr.
func (m *AddressSpace) Write(addr uint64, b []byte) error {
	s, off := m.find(addr)
	if s == nil || off+len(b) > len(s.data) {
		return fmt.Errorf("write %d bytes at %#x: they are not within an allocation", len(b), addr)
	}
	copy(s.data[off:], b)
	s.written(off, len(b))
	return nil
}

// Read returns a copy of n bytes at addr, all of which must have been written.
func (m *AddressSpace) Read(addr uint64, n int) ([]byte, error) {
	s, off := m.find(addr)
	if s == nil || n < 0 || off+n > len(s.data) {
		return nil, fmt.Errorf("read %d bytes at %#x: they are not within an allocation", n, addr)
	}
	// The host must not read bytes that no kernel has written.
	for i, known := range s.known[off : off+n] {
		if known == 0 {
			return nil, fmt.Errorf("read %d bytes at %#x: byte %d was never written", n, addr, i)
		}
	}
	return append([]byte(nil), s.data[off:off+n]...), nil
}

// index returns the index of the first allocation that begins at addr or later.
func (m *AddressSpace) index(addr uint64) int {
	return sort.Search(len(m.spans), func(i int) bool { return m.spans[i].base >= addr })
}

// find returns the allocation that contains addr, or nil, and the offset of addr in it.
func (m *AddressSpace) find(addr uint64) (*span, int) {
	i := sort.Search(len(m.spans), func(i int) bool { return m.spans[i].base > addr })
	if i == 0 || addr >= m.spans[i-1].end() {
		return nil, 0
	}
	return m.spans[i-1], int(addr - m.spans[i-1].base)
}

// span is an allocation, or a block's shared memory.
type span struct {
	base  uint64
	data  []byte
	known []byte // 1 for each byte that was written
	cells []cell // one for each grain bytes
	grain int    // 4, or 1 after an access to single bytes; 0 before the first access
}

// cell is the last accesses to a word: the epoch, and the thread of the block that ran then. A later
// epoch of the same block is after a barrier.
type cell struct {
	wrote, writer uint32
	read, reader  uint32 // reader is several if more than one thread read in that epoch
	before        uint32 // the last epoch in which another block read the word
}

const several = ^uint32(0)

func newSpan(base uint64, b []byte) *span {
	return &span{base: base, data: b, known: make([]byte, len(b))}
}

func (s *span) end() uint64 { return s.base + uint64(len(s.data)) }

// written marks n bytes at off as written.
func (s *span) written(off, n int) {
	for i := range s.known[off : off+n] {
		s.known[off+i] = 1
	}
}

// clock is the epochs that an access is compared with. Epochs from launch to block-1 are of other blocks
// of the launch, epochs from block to now-1 are of this block before the last barrier, and now is
// this block after it.
type clock struct{ launch, block, now uint32 }

// access checks one thread's access to n bytes at off, and remembers it. The result says what is wrong,
// and is empty if nothing is.
func (s *span) access(c *clock, off, n int, thread uint32, write bool) string {
	switch {
	case off < 0 || off+n > len(s.data):
		return "is outside of its allocation"
	case (s.base+uint64(off))%uint64(n) != 0:
		return fmt.Sprintf("is not aligned to %d bytes", n)
	}
	// A race in any of the words is an error.
	s.refine(n)
	for i := off / s.grain; i*s.grain < off+n; i++ {
		var wrong string
		if write {
			wrong = s.cells[i].write(c, thread)
		} else {
			wrong = s.cells[i].load(c, thread)
		}
		if wrong != "" {
			return wrong
		}
	}
	if write {
		s.written(off, n)
	} else if !s.holds(off, n) {
		return "reads memory that was never written"
	}
	return ""
}

// holds reports whether n bytes at off were all written.
func (s *span) holds(off, n int) bool {
	if n == 4 { // the usual case, at once
		return binary.LittleEndian.Uint32(s.known[off:]) == 0x01010101
	}
	for _, k := range s.known[off : off+n] {
		if k == 0 {
			return false
		}
	}
	return true
}

// refine makes the cells small enough for accesses to n bytes.
func (s *span) refine(n int) {
	if s.grain == 1 || s.grain == 4 && n >= 4 {
		return
	}
	old := s.cells
	grain := 4
	if n < 4 {
		grain = 1
	}
	s.cells = make([]cell, (len(s.data)+grain-1)/grain)
	if s.grain == 4 { // each byte inherits the accesses to its word
		for i := range s.cells {
			s.cells[i] = old[i/4]
		}
	}
	s.grain = grain
}

// write remembers a write, and says what race it is, if any.
func (x *cell) write(c *clock, thread uint32) string {
	switch {
	case x.wrote >= c.launch && x.wrote < c.block:
		return "writes memory that another block wrote"
	case x.wrote == c.now && x.writer != thread:
		return fmt.Sprintf("writes memory that thread %d of the block wrote, without a barrier between", x.writer)
	// The last read may be this block's own while another block has read before it.
	case x.read >= c.launch && x.read < c.block || x.before >= c.launch:
		return "writes memory that another block read"
	case x.read == c.now && x.reader != thread:
		return "writes memory that another thread of the block read, without a barrier between"
	}
	x.wrote, x.writer = c.now, thread
	return ""
}

// load remembers a read, and says what race it is, if any.
func (x *cell) load(c *clock, thread uint32) string {
	switch {
	case x.wrote >= c.launch && x.wrote < c.block:
		return "reads memory that another block wrote"
	case x.wrote == c.now && x.writer != thread:
		return fmt.Sprintf("reads memory that thread %d of the block wrote, without a barrier between", x.writer)
	}
	switch {
	case x.read != c.now: // the first read since the last barrier
		if x.read >= c.launch && x.read < c.block {
			x.before = x.read
		}
		x.read, x.reader = c.now, thread
	case x.reader != thread:
		x.reader = several
	}
	return ""
}
