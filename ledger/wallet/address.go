package wallet

import (
	"errors"
	"fmt"
	"strings"
)

// prefix is the human-readable part of an address.
const prefix = "alia"

// charset and checksum are bech32m, as BIP-350 has it: the encoding Bitcoin
// uses for addresses. It finds any error of up to four characters, so that a
// misread address cannot lose money.
const (
	charset  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksum = 0x2bc830a3
)

// Address returns the text form of an account, for people to copy: "alia1" and
// 58 characters.
func Address(account [32]byte) string {
	data := regroup(account[:], 8, 5)
	sum := polymod(append(expand(prefix), append(data, make([]byte, 6)...)...)) ^ checksum
	var s strings.Builder
	s.WriteString(prefix + "1")
	for _, v := range data {
		s.WriteByte(charset[v])
	}
	for i := range 6 {
		s.WriteByte(charset[sum>>(5*(5-i))&31])
	}
	return s.String()
}

// ParseAddress reads what [Address] wrote, in lower or upper case.
func ParseAddress(s string) ([32]byte, error) {
	var account [32]byte
	if strings.ToUpper(s) == s {
		s = strings.ToLower(s)
	}
	rest, ok := strings.CutPrefix(s, prefix+"1")
	if !ok || len(rest) != 52+6 {
		return account, fmt.Errorf("address %q: want alia1 and 58 characters", s)
	}
	data := make([]byte, len(rest))
	for i := range len(rest) {
		v := strings.IndexByte(charset, rest[i])
		if v < 0 {
			return account, fmt.Errorf("address %q: character %q is not of an address", s, rest[i])
		}
		data[i] = byte(v)
	}
	if polymod(append(expand(prefix), data...)) != checksum {
		return account, errors.New("address " + s + ": a character is wrong")
	}
	copy(account[:], regroup(data[:52], 5, 8))
	if Address(account) != s { // the last character has four bits to spare
		return account, fmt.Errorf("address %q: not canonical", s)
	}
	return account, nil
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
