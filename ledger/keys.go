package ledger

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The keys of the state (LEDGER.md, section 3.1). A record that exists many times has a prefix that
// ends in "/", and the rest of the key identifies the record; a record that
// exists once has a whole key.
const (
	accountPrefix  = "a/"
	escrowPrefix   = "e/"
	runPrefix      = "n/"
	roundPrefix    = "l/"
	unitPrefix     = "u/"
	schedulePrefix = "s/"
	supplyKey      = "m/supply"
	genesisKey     = "m/genesis"
	proposalsKey   = "m/proposals"
)

// recordKind describes the records under one prefix or key.
type recordKind struct {
	key   string
	query string // path of a query for such a record, see [QueryKey]; "" for none
	// weigh decodes a record, checks it alone and returns its amounts.
	weigh func(key, value []byte) (weight, error)
	// follow, when set, checks a change of the record: old is present, and
	// value is nil when the record is deleted.
	follow func(key, old, value []byte) error
}

// recordKinds has a row for each kind of record. A kind of record that is not
// listed here cannot enter the state.
var recordKinds = [...]recordKind{
	{accountPrefix, "account", weighAccount, followAccount},
	{escrowPrefix, "escrow", weighEscrow, nil},
	{runPrefix, "run", weighRun, nil},
	{roundPrefix, "round", weighNothing[CommittedRound], nil},
	{unitPrefix, "unit", weighUnit, followUnit},
	{schedulePrefix, "schedule", weighNothing[Schedule], nil},
	{supplyKey, "supply", weighNothing[Supply], nil},
	{genesisKey, "genesis", weighNothing[Genesis], nil},
	{proposalsKey, "", weighNothing[proposals], nil},
}

// kindOf returns the row of the record under a key.
func kindOf(key []byte) (recordKind, error) {
	for _, k := range recordKinds {
		if string(key) == k.key || strings.HasSuffix(k.key, "/") && strings.HasPrefix(string(key), k.key) {
			return k, nil
		}
	}
	return recordKind{}, fmt.Errorf("unknown key %x", key)
}

// QueryKey returns the key of a record that a client asks for by a path and an
// argument:
//
//	account   an account
//	escrow    a job and its customer
//	run       a run
//	round     a run and the round's number, 8 bytes, big endian
//	unit      a unit
//	schedule  a height, 8 bytes, big endian
//	supply    nothing
//	genesis   nothing
func QueryKey(path string, arg []byte) ([]byte, error) {
	for _, k := range recordKinds {
		if path != "" && path == k.query {
			return append([]byte(k.key), arg...), nil
		}
	}
	return nil, fmt.Errorf("unknown query %q", path)
}

// AccountKey returns the key of an [AccountState].
func AccountKey(a protocol.Account) []byte { return append([]byte(accountPrefix), a[:]...) }

// EscrowKey returns the key of an [Escrow].
func EscrowKey(job block.Link, customer protocol.Account) []byte {
	return append(append([]byte(escrowPrefix), job.Bytes()...), customer[:]...)
}

// RunKey returns the key of a [RunState].
func RunKey(run block.Link) []byte { return append([]byte(runPrefix), run.Bytes()...) }

// RoundKey returns the key of a [CommittedRound].
func RoundKey(run block.Link, round uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(roundPrefix), run.Bytes()...), round)
}

// UnitKey returns the key of a [Settlement].
func UnitKey(unit block.Link) []byte { return append([]byte(unitPrefix), unit.Bytes()...) }

// ScheduleKey returns the key of a [Schedule].
func ScheduleKey(height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(schedulePrefix), height)
}

// SupplyKey returns the key of the [Supply].
func SupplyKey() []byte { return []byte(supplyKey) }

// GenesisKey returns the key of the [Genesis].
func GenesisKey() []byte { return []byte(genesisKey) }
