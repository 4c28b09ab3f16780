package corrections

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/alia-network/alia/protocol"
)

// FuzzLine: a line has one form, and whatever a book is told, an error leaves it as it was.
func FuzzLine(f *testing.F) {
	net := protocol.Net{7}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	me := protocol.AccountOf(key)
	add := func(k kind, r protocol.Signed) []byte {
		data, err := protocol.Sign(key, net, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(appendLine(nil, entry{k, data}))
		return data
	}
	c := add(kindCorrection, &protocol.Correction{Time: 1, Src: "en", Dst: "de", Source: "Hello.", Human: "Hallo.", Licence: "CC0-1.0"})
	add(kindReview, &protocol.Review{Correction: protocol.ID(c), Approve: true, Reviewer: "key 1"})
	add(kindBudget, &protocol.Budget{Amount: 9, PerAuthor: 9, PerCorrection: 1, Votes: 1})
	f.Add([]byte("00000000 c gA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBook(net, me)
		for line := range bytes.Lines(data) {
			e, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				continue
			}
			if again := appendLine(nil, e); !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), bytes.TrimSuffix(line, []byte("\n"))) {
				t.Fatalf("%q is read, and written as %q", line, again)
			}
			// The checksum keeps a fuzzer out: the record is tried as each kind.
			for _, k := range []kind{e.kind, kindCorrection, kindReview, kindBudget, kindTransfer, kindSettled} {
				for _, isNew := range []bool{true, false} {
					before := len(b.order) + len(b.pending) + len(b.transfers)
					if err := b.apply(entry{k, e.data}, isNew); err != nil && len(b.order)+len(b.pending)+len(b.transfers) != before {
						t.Fatalf("%v, and the book has changed", err)
					}
				}
			}
		}
	})
}

// FuzzRecord: the bytes of a record of any kind, without the checksum in between.
func FuzzRecord(f *testing.F) {
	f.Add(byte('c'), []byte{0x80})
	f.Fuzz(func(t *testing.T, k byte, data []byte) {
		b := newBook(protocol.Net{7}, protocol.Account{9})
		for _, isNew := range []bool{true, false} {
			b.apply(entry{kind(k), data}, isNew)
		}
		if e, err := parseLine(bytes.TrimSuffix(appendLine(nil, entry{kind(k), data}), []byte("\n"))); len(data) < maxLine/2 && (err != nil || e.kind != kind(k) || !bytes.Equal(e.data, data)) {
			t.Fatalf("%c %x is read as %+v, %v", k, data, e, err)
		}
	})
}
