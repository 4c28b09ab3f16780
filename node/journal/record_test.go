package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TestGolden: the bytes on disk, which a newer version must read.
func TestGolden(t *testing.T) {
	l := block.Link{Cid: block.Sum(block.CBOR, []byte{1})}
	key := Key{Unit: l, Slot: 2}
	at := protocol.Attestation{Unit: l, Result: l}
	buf := newHeader(protocol.Net{3}, 4, 5)
	clear(buf[20:32]) // random
	binary.BigEndian.PutUint32(buf[64:], sum(0, buf[:64]))
	for i, r := range []Record{
		Issued{Ticket: protocol.Ticket{Unit: l, Spec: []byte{6}}}, Accepted{Attestation: at, Accept: protocol.Accept{Unit: l, Result: l}, Started: 7, Took: 8, BytesIn: 9, BytesOut: 10},
		NewVoided(protocol.UnitFailed, "text", 11), Settled{Height: 12}, Task{Ticket: protocol.Ticket{Unit: l}},
		Done{Result: []byte{1}, Attestation: at}, Taken{Accept: protocol.Accept{Unit: l}},
	} {
		d, err := encode(Line{Key: key, Record: r})
		if err != nil {
			t.Fatal(err)
		}
		buf = appendRecord(buf, 13, frame{number: uint32(i + 1), index: uint16(i), left: uint16(6 - i), kind: d.kind, version: recordVersion}, d.body)
	}
	const want = "86d98b11c5069511bb3a701d7634d10497b6dc5491f0545df09f22ca6509a867"
	if got := fmt.Sprintf("%x", sha256.Sum256(buf)); got != want {
		t.Errorf("the digest of the records is %s, want %s", got, want)
	}
}

// FuzzDecode: a record's body decodes to what encodes to the same bytes, or not at
// all.
func FuzzDecode(f *testing.F) {
	l := block.Link{Cid: block.Sum(block.CBOR, []byte{1})}
	for _, r := range []Record{
		Issued{Ticket: protocol.Ticket{Unit: l, Work: l, Spec: []byte{1}, Hints: []string{"/ip4/127.0.0.1"}}}, Accepted{Started: 1}, NewVoided(1, "text", 2),
		Settled{Height: 3}, Task{}, Done{Result: []byte{1}}, Taken{},
	} {
		data, err := block.Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		if got, err := decode(r.kind(), recordVersion, data); err != nil || got.kind() != r.kind() {
			f.Fatalf("decode %T: %v", r, err)
		}
		f.Add(uint8(r.kind()), uint8(recordVersion), data)
	}
	f.Fuzz(func(t *testing.T, k, version uint8, body []byte) {
		r, err := decode(kind(k), version, body)
		if err != nil {
			return
		}
		again, err := block.Encode(r)
		if err != nil || !bytes.Equal(again, body) || r.kind() != kind(k) {
			t.Errorf("type %d: %x decodes to %+v, which encodes to %x, %v", k, body, r, again, err)
		}
	})
}

// FuzzFrame: what is read of a frame was written so.
func FuzzFrame(f *testing.F) {
	f.Add(uint32(7), uint32(1), uint16(0), uint16(2), uint8(3), uint8(1), []byte("body"), 40)
	f.Fuzz(func(t *testing.T, seed, number uint32, index, left uint16, k, version uint8, body []byte, at int) {
		if len(body) > maxBody {
			return
		}
		in := frame{number: number, index: index, left: left, kind: kind(k), version: version}
		buf := appendRecord([]byte("12345678"), seed, in, body)
		rec := buf[8:]
		out, ok := readFrame(rec, seed)
		in.length, in.bodySum = uint32(len(body)), out.bodySum
		if !ok || out != in || out.size() != int64(len(rec)) || !bytes.Equal(rec[frameSize:][:len(body)], body) || sum(seed, rec[frameSize:]) != out.bodySum {
			t.Fatalf("%+v was read as %+v, %v", in, out, ok)
		}
		// A changed byte is noticed by one of the two sums.
		at = int(uint(at) % uint(len(rec)))
		rec[at] ^= 0x10
		if out, ok := readFrame(rec, seed); ok && sum(seed, rec[frameSize:]) == out.bodySum {
			t.Fatalf("a changed byte %d was not noticed", at)
		}
	})
}

// TestOlderRecords: the journal of another version of the program is refused with what to do,
// before any of it is believed.
func TestOlderRecords(t *testing.T) {
	for _, version := range []uint8{recordVersion - 1, recordVersion + 1} {
		_, _, _, err := indexRecord(frame{kind: kindIssued, version: version}, nil)
		if err == nil || !strings.Contains(err.Error(), "use the version of the program that wrote it") {
			t.Errorf("a record of version %d: %v", version, err)
		}
	}
}
