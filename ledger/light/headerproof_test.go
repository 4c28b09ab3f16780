package light

import (
	"bytes"
	"errors"
	"testing"

	"github.com/alia-network/alia/protocol/block"
)

// proveSupply returns the proof of the books that a client of a paper reads.
func proveSupply(t testing.TB, p *paper) []byte {
	t.Helper()
	c := dial(t, int64(len(p.heights)), p.serve(t))
	a, err := c.read(t.Context(), "supply", nil)
	check(t, err)
	proof, err := a.encode()
	check(t, err)
	return proof
}

// TestProof: a proof checks with the genesis document alone, whether the validators
// have changed or not.
func TestProof(t *testing.T) {
	for name, c := range map[string]crew{"same validators": always(validator(1)), "changed": rotating} {
		p := newPaper(t, 200, c)
		proof := proveSupply(t, p)
		trust, err := newTrust(p.genesis)
		check(t, err)
		record, _, err := trust.verifyRecord(proof, "supply", nil)
		check(t, err)
		var decoded recordProof
		check(t, block.Decode(proof, &decoded))
		t.Logf("%s: %d headers, %d bytes", name, len(decoded.Headers), len(proof))
		if _, _, err := trust.verifyRecord(proof, "account", make([]byte, 32)); !errors.Is(err, ErrProof) {
			t.Errorf("%s: shows another record: %v", name, err)
		}
		other, err := newTrust(newPaper(t, 1, always(validator(9))).genesis)
		check(t, err)
		if _, _, err := other.verifyRecord(proof, "supply", nil); !errors.Is(err, ErrProof) {
			t.Errorf("%s: by another genesis: %v", name, err)
		}
		// Whatever bit is changed, the proof fails or shows the same.
		for i := 0; i < len(proof); i += 1 + len(proof)/500 {
			bad := bytes.Clone(proof)
			bad[i] ^= 1 << (i % 8)
			if got, _, err := trust.verifyRecord(bad, "supply", nil); err == nil && !bytes.Equal(got, record) {
				t.Fatalf("%s: byte %d changed: shows %x", name, i, got)
			}
		}
		// Without one of the headers between, the chain is broken. (The last but one has the
		// same app hash as the last.)
		for i := range max(1, len(decoded.Headers)-1) {
			less := decoded
			less.Headers = append(append(headerProof(nil), decoded.Headers[:i]...), decoded.Headers[i+1:]...)
			data, err := block.Encode(less)
			check(t, err)
			if _, _, err := trust.verifyRecord(data, "supply", nil); !errors.Is(err, ErrProof) {
				t.Errorf("%s: without header %d: %v", name, i, err)
			}
		}
	}
}

// TestProofLimits: too many headers are an error, of the one who proves and of the one
// who checks.
func TestProofLimits(t *testing.T) {
	p := newPaper(t, 10*(maxHeaders+8), rotating)
	c := dial(t, int64(len(p.heights)), p.serve(t))
	a, err := c.read(t.Context(), "supply", nil)
	check(t, err)
	if _, err := a.encode(); err == nil {
		t.Errorf("a proof with %d headers was made", len(a.header)-1)
	}
	trust, err := newTrust(p.genesis)
	check(t, err)
	many := recordProof{Version: 2, Headers: make(headerProof, maxHeaders+1)}
	data, err := block.Encode(many)
	check(t, err)
	for _, proof := range [][]byte{data, make([]byte, maxProof+1), nil} {
		if _, _, err := trust.verifyRecord(proof, "supply", nil); !errors.Is(err, ErrProof) {
			t.Errorf("a proof of %d bytes: %v, want ErrProof", len(proof), err)
		}
	}
}

// No bytes show anything but what the validators signed.
func FuzzVerifyRecord(f *testing.F) {
	p := newPaper(f, 35, rotating)
	trust, err := newTrust(p.genesis)
	check(f, err)
	proof := proveSupply(f, p)
	want, _, err := trust.verifyRecord(proof, "supply", nil)
	check(f, err)
	f.Add(proof)
	f.Fuzz(func(t *testing.T, proof []byte) {
		if got, _, err := trust.verifyRecord(proof, "supply", nil); err == nil && !bytes.Equal(got, want) {
			t.Errorf("%x shows %x", proof, got)
		}
	})
}

// Whatever stands for a header and its validators, reading and checking it ends in an
// error or a step that the trusted validators signed.
func FuzzProvenHeader(f *testing.F) {
	p := newPaper(f, 12, rotating)
	trust, err := newTrust(p.genesis)
	check(f, err)
	proof, err := path{trust.root, p.heights[11]}.headerProof()
	check(f, err)
	f.Add(proof[0].Header, proof[0].Validators)
	f.Add(proof[0].Header, []byte{})
	f.Fuzz(func(t *testing.T, header, validators []byte) {
		b, err := provenHeader{Header: header, Validators: validators}.parse(trust.root.ValidatorSet)
		if err != nil {
			return
		}
		if err := verifyStep(trust.root, b); err == nil && !bytes.Equal(b.Hash(), p.heights[11].Hash()) {
			t.Errorf("header %X is believed", b.Hash())
		}
	})
}
