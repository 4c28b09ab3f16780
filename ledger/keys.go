package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The keys of the state (LEDGER.md, section 3.1). A record that exists many times has a
// prefix that ends in "/", and the rest of the key identifies the record; a record that
// exists once has a whole key. A key with a part that a sender chooses has the sender
// too, so that nobody can take the key of somebody else's record.
const (
	accountPrefix  = "a/"
	payoutPrefix   = "p/"
	escrowPrefix   = "e/"
	runPrefix      = "n/"
	functionPrefix = "f/"
	roundPrefix    = "l/"
	duePrefix      = "t/"
	schedulePrefix = "s/"
	supplyKey      = "m/supply"
	genesisKey     = "m/genesis"
	proposalsKey   = "m/proposals"
	endedKey       = "m/ended"
	owingKey       = "m/owing"
	jobsKey        = "m/jobs"
	validatorsKey  = "m/validators"
)

// recordKind describes the records under one prefix or key.
type recordKind struct {
	key   string
	query string // path of a query for such a record, see [QueryKey]; "" for none
	// weigh decodes a record, checks it alone and returns its amounts.
	weigh func(key, value []byte) (weight, error)
	// follow, when set, checks a change of the record at a height: old is present, and
	// value is nil when the record is deleted.
	follow func(height uint64, key, old, value []byte) error
}

// recordKinds has a row for each kind of record. A kind of record that is not
// listed here cannot enter the state.
var recordKinds = [...]recordKind{
	{accountPrefix, "account", weighAccount, followAccount},
	{payoutPrefix, "payout", weighNothing[Payout], followPayout},
	{escrowPrefix, "escrow", weighEscrow, followEscrow},
	{runPrefix, "run", weighRun, nil},
	{functionPrefix, "function", weighFunction, followFunction},
	{roundPrefix, "round", weighRound, followRound},
	{duePrefix, "", weighNothing[dueJobs], nil},
	{schedulePrefix, "schedule", weighNothing[Schedule], nil},
	{supplyKey, "supply", weighNothing[Supply], nil},
	{genesisKey, "genesis", weighNothing[Genesis], nil},
	{proposalsKey, "", weighNothing[runList], nil},
	{endedKey, "", weighNothing[runList], nil},
	{owingKey, "", weighNothing[owing], nil},
	{jobsKey, "", weighNothing[jobQueue], nil},
	{validatorsKey, "validators", weighNothing[ValidatorSet], nil},
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
//	account     an account
//	payout      an account
//	escrow      a customer and a job
//	run         a run and its coordinator
//	function    a function
//	round       a function and the round's number, 4 bytes, big endian
//	schedule    a height, 8 bytes, big endian
//	supply      nothing
//	genesis     nothing
//	validators  nothing
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

// PayoutKey returns the key of a [Payout].
func PayoutKey(a protocol.Account) []byte { return append([]byte(payoutPrefix), a[:]...) }

// EscrowKey returns the key of an [Escrow].
func EscrowKey(customer protocol.Account, job block.Link) []byte {
	return slices.Concat([]byte(escrowPrefix), customer[:], job.Bytes())
}

// RunKey returns the key of a [RunState].
func RunKey(run block.Link, coordinator protocol.Account) []byte {
	return slices.Concat([]byte(runPrefix), run.Bytes(), coordinator[:])
}

// FunctionKey returns the key of a [FunctionState].
func FunctionKey(function block.Link) []byte {
	return append([]byte(functionPrefix), function.Bytes()...)
}

// RoundKey returns the key of a [RoundState].
func RoundKey(function block.Link, round uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(roundPrefix), function.Bytes()...), round)
}

// dueKey returns the key of a [dueJobs].
func dueKey(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte(duePrefix), number) }

// ScheduleKey returns the key of a [Schedule].
func ScheduleKey(height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(schedulePrefix), height)
}

// SupplyKey returns the key of the [Supply].
func SupplyKey() []byte { return []byte(supplyKey) }

// GenesisKey returns the key of the [Genesis].
func GenesisKey() []byte { return []byte(genesisKey) }

// ValidatorsKey returns the key of the [ValidatorSet].
func ValidatorsKey() []byte { return []byte(validatorsKey) }
