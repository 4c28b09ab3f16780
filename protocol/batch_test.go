package protocol_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/alia-network/alia/protocol"
)

// miner is the key of a miner.
func miner(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Append(nil, "miner ", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// attestations are n signed records, each of another key.
func attestations(t *testing.T, n int) []*protocol.Attestation {
	t.Helper()
	var all []*protocol.Attestation
	for i := range n {
		at := &protocol.Attestation{
			Work: link("run"), Publisher: protocol.AccountOf(key), Place: protocol.Place{Round: 1, Kind: 1, Index: uint32(i)},
			Unit: link(fmt.Sprint("unit ", i)), Result: link("result"), Ticket: link("ticket"),
		}
		if _, err := protocol.Sign(miner(i), net, at); err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	return all
}

// TestBatch: a batch finds the first wrong signature wherever it is, and says of it what
// Verify says.
func TestBatch(t *testing.T) {
	const n = 70
	verify := func(all []*protocol.Attestation) (int, error) {
		t.Helper()
		var b protocol.SignatureBatch
		for _, at := range all {
			if err := b.Add(net, at); err != nil {
				t.Fatal(err)
			}
		}
		return b.Verify()
	}
	for _, size := range []int{0, 1, 2, n} {
		if i, err := verify(attestations(t, size)); err != nil {
			t.Errorf("batch of %d: record %d: %v", size, i, err)
		}
	}
	for _, bad := range []int{0, 1, n / 2, n - 1} {
		for what, spoil := range map[string]func(*protocol.Attestation){
			"bit":            func(at *protocol.Attestation) { at.Sig[bad%64] ^= 1 },
			"other key":      func(at *protocol.Attestation) { at.Account = protocol.AccountOf(other) },
			"other content":  func(at *protocol.Attestation) { at.Result = link("another") },
			"scalar too big": func(at *protocol.Attestation) { at.Sig[63] |= 0x10 },
		} {
			all := attestations(t, n)
			spoil(all[bad])
			i, err := verify(all)
			want := protocol.Verify(net, all[bad])
			if i != bad || err == nil || want == nil || err.Error() != want.Error() {
				t.Errorf("%s of record %d: record %d, %v; want %v", what, bad, i, err, want)
			}
		}
	}
	all := attestations(t, 2)
	all[1].Sig = all[1].Sig[:63]
	var b protocol.SignatureBatch
	if err := b.Add(net, all[1]); protocol.ReasonOf(err) != protocol.BadSignature {
		t.Errorf("a short signature: %v", err)
	}
	all[0].Account = protocol.Account{1}
	if err := b.Add(net, all[0]); protocol.ReasonOf(err) != protocol.WrongAccount {
		t.Errorf("an account of everybody: %v", err)
	}
}

// number is a scalar of 32 bytes.
func number(t *testing.T, b []byte) *scalar.Scalar {
	t.Helper()
	s, err := scalar.NewFromBytesModOrder(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOneVerdict signs with a commitment that is not in the group of the base point. The
// equation of RFC 8032 without the factor 8 refuses this signature, and a batch could not
// tell. By ZIP 215 it is valid, alone and in a batch.
func TestOneVerdict(t *testing.T) {
	at := attestations(t, 1)[0]
	record, err := protocol.Encode(at)
	if err != nil {
		t.Fatal(err)
	}
	message := protocol.Digest(net, at.Type(), append(record[:len(record)-66:len(record)-66], 0x40))
	// The scalar of the key (RFC 8032, section 5.1.5).
	h := sha512.Sum512(miner(0).Seed())
	h[0], h[31] = h[0]&248, h[31]&127|64
	a := number(t, h[:32])
	// R = r B + T, where T is a point of order 8.
	r := number(t, h[32:])
	R := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, r)
	R.Add(R, curve.EIGHT_TORSION[1])
	commitment, err := R.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	hash := sha512.New()
	hash.Write(commitment)
	hash.Write(at.Account[:])
	hash.Write(message)
	k, err := scalar.NewFromBytesModOrderWide(hash.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := k.Add(k.Mul(k, a), r).MarshalBinary() // r + k a
	if err != nil {
		t.Fatal(err)
	}
	at.Sig = append(commitment, answer...)
	if ed25519.Verify(at.Account[:], message, at.Sig) {
		t.Fatal("the signature is an ordinary one")
	}
	if err := protocol.Verify(net, at); err != nil {
		t.Errorf("alone: %v", err)
	}
	var b protocol.SignatureBatch
	for _, other := range append(attestations(t, 3), at) {
		if err := b.Add(net, other); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Verify(); err != nil {
		t.Errorf("in a batch: %v", err)
	}
}
