package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"

	"github.com/alia-network/alia/protocol"
)

// A segment file is a header and frames, end to end. Numbers are big endian.
//
//	header  8  "ALIAJRNL"
//	        4  version of the format
//	        4  CRC-32C of the whole segment before, 0 in the first
//	        4  number of the segment, from 1
//	       12  random bytes
//	       32  network
//	        4  CRC-32C of the header until here
//	        4  0xff
//
//	frame   4  length of the body
//	        4  number of the record in the segment, from 1
//	        2  records of the batch before this one
//	        2  records of the batch after this one
//	        1  type of the record
//	        1  version of the record
//	        2  0xa11a
//	        4  CRC-32C of the frame until here
//	        4  CRC-32C of the body and the padding
//	           body: the key (not in a first record) and the record in CBOR
//	           padding of 0xff, until the length is a multiple of 8
//
// The frames' sums start from the header's sum. So a frame that a peer smuggles
// into a record, for example into a text, is never taken for a record: the peer
// does not know the random bytes.
const (
	headerSize  = 72
	frameSize   = 24
	fileVersion = 1
	maxBody     = 1 << 20 // bytes
	alignment   = 8
	frameMark   = 0xa11a
	padding     = 0xff
)

var fileMagic = []byte("ALIAJRNL")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(seed uint32, data []byte) uint32 { return crc32.Update(seed, castagnoli, data) }

// newHeader makes the header of a segment; before is the sum of the segment
// before it.
func newHeader(net protocol.Net, number, before uint32) []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, fileMagic...)
	h = binary.BigEndian.AppendUint32(h, fileVersion)
	h = binary.BigEndian.AppendUint32(h, before)
	h = binary.BigEndian.AppendUint32(h, number)
	h = binary.BigEndian.AppendUint64(h, rand.Uint64())
	h = binary.BigEndian.AppendUint32(h, rand.Uint32())
	h = append(h, net[:]...)
	h = binary.BigEndian.AppendUint32(h, sum(0, h))
	return append(h, padding, padding, padding, padding)
}

// errHeader is wrapped by the errors of a damaged header.
var errHeader = errors.New("the header")

// readHeader checks a header and returns the sum of the segment before and the
// seed of the frames' sums.
func readHeader(h []byte, net protocol.Net, number uint32) (before, seed uint32, err error) {
	seed = sum(0, h[:64])
	switch {
	case !bytes.Equal(h[:8], fileMagic):
		err = fmt.Errorf("%w begins with %q, not with %q", errHeader, h[:8], fileMagic)
	case seed != binary.BigEndian.Uint32(h[64:]) || !bytes.Equal(h[68:], []byte{padding, padding, padding, padding}):
		err = fmt.Errorf("%w has a wrong checksum", errHeader)
	case binary.BigEndian.Uint32(h[16:]) != number:
		err = fmt.Errorf("%w is of segment %d", errHeader, binary.BigEndian.Uint32(h[16:]))
	case !bytes.Equal(h[32:64], net[:]):
		got := protocol.Net(h[32:64])
		return 0, 0, protocol.Refuse(protocol.WrongNetwork, "the journal is of network %s, this is %s", got.Short(), net.Short())
	case binary.BigEndian.Uint32(h[8:]) != fileVersion:
		err = fmt.Errorf("the file's format has version %d, this program reads version %d: use a newer version of the program", binary.BigEndian.Uint32(h[8:]), fileVersion)
	}
	return binary.BigEndian.Uint32(h[12:]), seed, err
}

// frame is the head of a record.
type frame struct {
	length      uint32
	number      uint32
	index, left uint16 // records of the batch before this one and after it
	kind        kind
	version     uint8
	bodySum     uint32
}

// padded is the length of the body with its padding.
func (f frame) padded() int {
	return (int(f.length) + alignment - 1) / alignment * alignment
}

// size is the length of the whole record in the file.
func (f frame) size() int64 { return int64(frameSize + f.padded()) }

// appendRecord appends a frame and its body to a buffer.
func appendRecord(buf []byte, seed uint32, f frame, body []byte) []byte {
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	buf = binary.BigEndian.AppendUint32(buf, f.number)
	buf = binary.BigEndian.AppendUint16(buf, f.index)
	buf = binary.BigEndian.AppendUint16(buf, f.left)
	buf = append(buf, byte(f.kind), f.version)
	buf = binary.BigEndian.AppendUint16(buf, frameMark)
	buf = binary.BigEndian.AppendUint32(buf, sum(seed, buf[start:]))
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	buf = append(buf, body...)
	for len(buf)%alignment != start%alignment {
		buf = append(buf, padding)
	}
	binary.BigEndian.PutUint32(buf[at:], sum(seed, buf[at+4:]))
	return buf
}

// readFrame reads the head of a record, and reports whether its sum is right.
func readFrame(h []byte, seed uint32) (frame, bool) {
	f := frame{
		length: binary.BigEndian.Uint32(h), number: binary.BigEndian.Uint32(h[4:]),
		index: binary.BigEndian.Uint16(h[8:]), left: binary.BigEndian.Uint16(h[10:]),
		kind: kind(h[12]), version: h[13], bodySum: binary.BigEndian.Uint32(h[20:]),
	}
	ok := binary.BigEndian.Uint16(h[14:]) == frameMark && binary.BigEndian.Uint32(h[16:]) == sum(seed, h[:16]) && f.length <= maxBody
	return f, ok
}
