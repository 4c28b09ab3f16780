package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol/block"
)

// TestEveryBit: any bit of any file, flipped, is an error that names the file, the
// record and its place.
func TestEveryBit(t *testing.T) {
	dir := t.TempDir()
	j := fill(t, dir, 6)
	add(t, j, issued(key("x"), 1), accepted(key("x"), 1), voided(key("x"), 1), issued(key("y"), 1))
	add(t, j, issued(key("z"), 1))
	j.Close()
	paths := files(t, dir)
	if len(paths) < 3 {
		t.Fatalf("%d segments", len(paths))
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range data {
			flipped := bytes.Clone(data)
			flipped[at] ^= 1 << (at % 8)
			if err := os.WriteFile(path, flipped, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := journal.Open(dir, net, journal.Options{})
			d := new(journal.Damage)
			if !errors.As(err, &d) {
				t.Fatalf("%s, bit %d of byte %d: %v", path, at%8, at, err)
			}
			inHeader := at < 72
			if d.File != path || inHeader != (d.Record == 0) || d.Offset > int64(at) || int64(at)-d.Offset > 1000 || !strings.Contains(err.Error(), "Restore") {
				t.Fatalf("%s, bit %d of byte %d: %v", path, at%8, at, err)
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if j = open(t, dir, journal.Options{}); j.Torn() != 0 {
		t.Errorf("%d bytes were torn", j.Torn())
	}
}

// TestTornTail: whatever an interrupted write leaves of the last batch, the batches
// before it are there, nothing of it is, and new ones follow.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	add(t, j, issued(key("a"), 1))
	path := files(t, dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	add(t, j, issued(key("b"), 1), accepted(key("b"), 1), issued(key("c"), 1))
	j.Close()
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		j := open(t, dir, journal.Options{})
		if got := counts(j); got != [4]int{1, 0, 0, 0} || j.Torn() != int64(len(data)-len(whole)) {
			t.Fatalf("%s: entries %v, %d bytes torn", what, got, j.Torn())
		}
		add(t, j, accepted(key("d"), 1))
		j.Close()
		j = open(t, dir, journal.Options{})
		if got := counts(j); got != [4]int{1, 1, 0, 0} || j.Torn() != 0 {
			t.Fatalf("%s, then a batch: entries %v", what, got)
		}
		j.Close()
	}
	for cut := len(whole) + 1; cut < len(both); cut++ {
		try(fmt.Sprint("cut at ", cut), both[:cut])
	}
	for at := len(whole) / 512 * 512; at < len(both); at += 512 {
		torn := bytes.Clone(both)
		clear(torn[max(at, len(whole)):min(at+512, len(both))])
		try(fmt.Sprint("a sector missing at ", at), torn)
		try(fmt.Sprint("zeros from ", at), append(bytes.Clone(both[:max(at, len(whole))]), make([]byte, len(both)-max(at, len(whole)))...))
	}
}

// TestMissingSector: a sector that is missing before a later batch was there once.
func TestMissingSector(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	for i := range 20 {
		add(t, j, issued(key(fmt.Sprint(i)), 1), accepted(key(fmt.Sprint(i)), 1))
	}
	j.Close()
	path := files(t, dir)[0]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 512; at < len(data)-2048; at += 512 {
		torn := bytes.Clone(data)
		clear(torn[at : at+512])
		if err := os.WriteFile(path, torn, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := journal.Open(dir, net, journal.Options{})
		if d := new(journal.Damage); !errors.As(err, &d) || d.Record == 0 || d.Offset > int64(at) {
			t.Errorf("the sector at %d is missing: %v", at, err)
		}
	}
}

// TestSealedTail: what may be torn in the newest segment is damage in another one.
func TestSealedTail(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, 10).Close()
	path := files(t, dir)[0]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(data); cut += 5 {
		if err := os.WriteFile(path, data[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := journal.Open(dir, net, journal.Options{})
		if d := new(journal.Damage); !errors.As(err, &d) || d.File != path {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

// TestSmuggledRecord: a record inside a record's text is not taken for one.
func TestSmuggledRecord(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	k := key("a")
	add(t, j, issued(k, 1))
	other := t.TempDir()
	forger := open(t, other, journal.Options{})
	for range 40 {
		add(t, forger, issued(k, 1))
	}
	forger.Close()
	forged, err := os.ReadFile(files(t, other)[0])
	if err != nil {
		t.Fatal(err)
	}
	for shift := range 8 { // whatever stands before it in the file
		d := journal.Done{Result: append(make([]byte, shift), forged[len(forged)/2/8*8:]...), Attestation: attestation(k, 1)}
		d.Attestation.Result = block.Link{Cid: block.Sum(block.CBOR, d.Result)}
		add(t, j, journal.Line{Key: k, Record: d})
		path := files(t, dir)[0]
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := t.TempDir()
		if err := os.WriteFile(filepath.Join(copied, filepath.Base(path)), data[:len(data)-8], 0o644); err != nil {
			t.Fatal(err)
		}
		if open(t, copied, journal.Options{}).Torn() == 0 {
			t.Error("the torn record was not cut off")
		}
	}
}
