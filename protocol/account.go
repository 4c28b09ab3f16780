package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	ed25519zip "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// Account is an Ed25519 public key. It names the owner of the private
// key, and is the identity of the owner's node in the mesh.
type Account [ed25519.PublicKeySize]byte

// Check returns an error if nobody can own the account: everybody can sign for a point
// of small order, and the verification of signatures disagrees about an encoding that is
// not canonical (RFC 8032, section 5.1.3; Chalkias et al., "Taming the many EdDSAs",
// 2020).
func (a Account) Check() error {
	y := a
	y[len(y)-1] &= 0x7f // without the sign of x
	if _, small := smallOrder[y]; small {
		return Refuse(WrongAccount, "account %s is a point of small order, for which everybody can sign", a.Short())
	}
	if y[0] >= 0xed && y[len(y)-1] == 0x7f && bytes.Count(y[1:len(y)-1], []byte{0xff}) == len(y)-2 {
		return Refuse(WrongAccount, "account %s is not in the canonical encoding", a.Short())
	}
	return nil
}

// zip215 are the rules of ZIP 215 (https://zips.z.cash/zip-0215). Unlike RFC 8032 they say
// of every signature whether it is valid, and the same one by one and in a batch: a ledger
// needs one verdict everywhere. Whatever a key has signed by RFC 8032 is valid.
var zip215 = &ed25519zip.Options{Verify: ed25519zip.VerifyOptionsZIP_215}

// Verify reports whether a signature of a message is that of the account's key, by Ed25519
// and the rules of ZIP 215.
func (a Account) Verify(message, sig []byte) bool {
	return ed25519zip.VerifyWithOptions(a[:], message, sig, zip215)
}

// smallOrder has the canonical y coordinates of the eight points whose order divides
// eight.
var smallOrder = map[Account]struct{}{
	{}:  {}, // order 4
	{1}: {}, // order 1
	// order 8, two coordinates
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	}: {},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	}: {},
	// order 2: -1
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	}: {},
}

// AccountOf returns the account of a private key.
func AccountOf(key ed25519.PrivateKey) Account { return Account(key.Public().(ed25519.PublicKey)) }

// prefix is the human-readable part of an account's text.
const prefix = "alia"

// charset and checksum are bech32m, as BIP-350 has it: the encoding Bitcoin
// uses for addresses. It finds any error of up to four characters, so that a
// misread account cannot lose money.
const (
	charset  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksum = 0x2bc830a3

	dataChars     = 52 // of 256 bits, 5 in each character
	checksumChars = 6
)

// String returns the account's text, for people to copy: "alia1" and 58
// characters.
func (a Account) String() string {
	data := regroup(a[:], 8, 5)
	sum := polymod(append(expand(prefix), append(data, make([]byte, checksumChars)...)...)) ^ checksum
	var s strings.Builder
	s.WriteString(prefix + "1")
	for _, v := range data {
		s.WriteByte(charset[v])
	}
	for i := range checksumChars {
		s.WriteByte(charset[sum>>(5*(5-i))&31])
	}
	return s.String()
}

// Short returns the first 12 characters of the account's text, for log lines.
func (a Account) Short() string { return a.String()[:len(prefix)+8] }

// MarshalText is String.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAccount.
func (a *Account) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAccount(string(text))
	return err
}

// ParseAccount reads what String wrote, in lower or upper case, or 64
// hexadecimal digits.
func ParseAccount(s string) (Account, error) {
	var account Account
	isHex := false
	if len(s) == 2*len(account) {
		_, err := hex.Decode(account[:], []byte(s))
		isHex = err == nil
	}
	if !isHex {
		if err := account.decode(s); err != nil {
			return Account{}, fmt.Errorf("account %q: %w", s, err)
		}
	}
	return account, account.Check()
}

// decode reads the bech32m form.
func (a *Account) decode(s string) error {
	if strings.ToUpper(s) == s {
		s = strings.ToLower(s)
	}
	rest, ok := strings.CutPrefix(s, prefix+"1")
	if !ok || len(rest) != dataChars+checksumChars {
		return errors.New("want alia1 and 58 characters, or 64 hexadecimal digits")
	}
	data := make([]byte, len(rest))
	for i := range len(rest) {
		v := strings.IndexByte(charset, rest[i])
		if v < 0 {
			return fmt.Errorf("character %d, %q, stands in no account", len(prefix)+2+i, rest[i])
		}
		data[i] = byte(v)
	}
	if polymod(append(expand(prefix), data...)) != checksum {
		return errors.New("the checksum does not match, so a character is wrong: copy the account again")
	}
	copy(a[:], regroup(data[:dataChars], 5, 8))
	if a.String() != s { // the last character has four bits to spare
		return errors.New("the last bits are not zero: copy the account again")
	}
	return nil
}

// polymod is the checksum's polynomial over GF(32).
func polymod(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}

// expand spreads the human-readable part for the checksum.
func expand(part string) []byte {
	var high, low []byte
	for i := range len(part) {
		high, low = append(high, part[i]>>5), append(low, part[i]&31)
	}
	return append(append(high, 0), low...)
}

// regroup turns groups of from bits into groups of to bits, most significant
// first. Going up in number the last group is filled with zeros; going down,
// bits that fill no group are dropped.
func regroup(in []byte, from, to uint) []byte {
	var out []byte
	var acc, bits uint
	for _, v := range in {
		acc, bits = acc<<from|uint(v), bits+from
		for bits >= to {
			bits -= to
			out = append(out, byte(acc>>bits&(1<<to-1)))
		}
	}
	if bits > 0 && from > to {
		out = append(out, byte(acc<<(to-bits)&(1<<to-1)))
	}
	return out
}
