package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Key names an entry: a unit of work, and one of the unit's slots. A unit that is
// done by one miner has slot 0 only. A unit that is done again beside an accepted
// result, for example because the result's blocks were lost, has slot 1 too.
type Key struct {
	Unit block.Link
	Slot uint32
}

// String is the unit and the slot, for people.
func (k Key) String() string { return fmt.Sprintf("%s slot %d", k.Unit, k.Slot) }

// A Record is one line about an entry: [Issued], [Accepted], [Voided] or
// [Settled] by a publisher, [Task], [Done], [Taken], [Voided] or [Settled] by a
// miner.
type Record interface {
	kind() kind
	check(Key) error // reports why the record is not about the entry
}

// kind numbers the types of records in a segment file.
type kind uint8

const (
	kindIssued kind = iota + 1
	kindAccepted
	kindVoided
	kindSettled
	kindTask
	kindDone
	kindTaken
	kindMoved // a key alone: what was written about the entry before counts no more, and is written again behind this
	kindFirst // a [first]
	kindsEnd
)

// recordVersion is the version of every record that this program writes, and of
// those that it reads. Version 2 added the round of an [Accepted], version 3 the place of an
// attestation, version 4 the escrow of a ticket.
const recordVersion = 4

// Issued says that a publisher issued a ticket.
type Issued struct {
	_      struct{} `cbor:",toarray"`
	Ticket protocol.Ticket
}

// Accepted says that a publisher accepted a result.
type Accepted struct {
	_           struct{} `cbor:",toarray"`
	Attestation protocol.Attestation
	Accept      protocol.Accept
	// Started is when the unit was leased, in milliseconds since the Unix epoch,
	// and Took is how long its result took to come, in milliseconds.
	Started, Took uint64
	// Round is the unit's round of a training run; 0 in a translation. The unit is not
	// claimed before its round is combined: until then its result may be voided.
	Round uint32
	// BytesIn and BytesOut are the bytes that the unit moved over the network.
	BytesIn, BytesOut uint64
}

// Voided says that an entry counts no more: a publisher found that an accepted
// result is bad, or a miner gave a unit up.
type Voided struct {
	_      struct{} `cbor:",toarray"`
	Code   protocol.Reason
	Text   string // for people, at most 256 bytes
	Height uint64 // of the ledger; 0 when not known
}

// Settled says that the ledger has a claim of the unit, and pays it: nothing is left to do
// for it.
type Settled struct {
	_      struct{} `cbor:",toarray"`
	Height uint64   // of the ledger; 0 when not known
}

// Task says that a miner has a ticket for the unit.
type Task struct {
	_      struct{} `cbor:",toarray"`
	Ticket protocol.Ticket
}

// Done says that a miner has computed the unit.
type Done struct {
	_           struct{} `cbor:",toarray"`
	Result      []byte   // the block that Attestation.Result names
	Attestation protocol.Attestation
}

// Taken says that a miner has the publisher's acceptance of its result.
type Taken struct {
	_      struct{} `cbor:",toarray"`
	Accept protocol.Accept
}

// first is the number of the oldest segment. Older segment files are the remains of
// a Trim that was interrupted, and a younger one that is missing is damage.
type first struct {
	_      struct{} `cbor:",toarray"`
	Number uint32
}

func (Issued) kind() kind   { return kindIssued }
func (Accepted) kind() kind { return kindAccepted }
func (Voided) kind() kind   { return kindVoided }
func (Settled) kind() kind  { return kindSettled }
func (Task) kind() kind     { return kindTask }
func (Done) kind() kind     { return kindDone }
func (Taken) kind() kind    { return kindTaken }

func (r Issued) check(k Key) error { return sameUnit("ticket", r.Ticket.Unit, k) }
func (r Task) check(k Key) error   { return sameUnit("ticket", r.Ticket.Unit, k) }
func (r Taken) check(k Key) error  { return sameUnit("acceptance", r.Accept.Unit, k) }
func (Settled) check(Key) error    { return nil }

func (r Voided) check(Key) error {
	if len(r.Text) > maxText {
		return fmt.Errorf("text of %d bytes, the limit is %d", len(r.Text), maxText)
	}
	return nil
}

func (r Accepted) check(k Key) error {
	a, b := r.Attestation, r.Accept
	if a.Result != b.Result || a.Account != b.Miner || a.Place != b.Place {
		return errors.New("the acceptance is of another attestation")
	}
	return errors.Join(sameUnit("attestation", a.Unit, k), sameUnit("acceptance", b.Unit, k))
}

func (r Done) check(k Key) error {
	if got := block.Sum(block.CBOR, r.Result); got != r.Attestation.Result.Cid {
		return fmt.Errorf("the attestation is of result %s, the result is %s", r.Attestation.Result, got)
	}
	return sameUnit("attestation", r.Attestation.Unit, k)
}

// heightOf is the height that a record has.
func heightOf(r Record) uint64 {
	switch r := r.(type) {
	case Voided:
		return r.Height
	case Settled:
		return r.Height
	}
	return 0
}

func sameUnit(what string, unit block.Link, k Key) error {
	if unit != k.Unit {
		return fmt.Errorf("%s of unit %s", what, unit)
	}
	return nil
}

// maxText bounds the text of a [Voided], in bytes.
const maxText = 256

// NewVoided returns a [Voided] with as much of the text as it holds.
func NewVoided(code protocol.Reason, text string, height uint64) Voided {
	text = strings.ToValidUTF8(text[:min(len(text), maxText)], "")
	return Voided{Code: code, Text: text, Height: height}
}

// keySize is the length of an encoded key: a CID and the slot, big endian.
const keySize = 36 + 4

type keyBytes [keySize]byte

func (k Key) bytes() (keyBytes, error) {
	var b keyBytes
	if err := block.Check(k.Unit.Cid); err != nil {
		return b, err
	}
	copy(b[:], k.Unit.Bytes())
	binary.BigEndian.PutUint32(b[36:], k.Slot)
	return b, nil
}

func (b keyBytes) key() (Key, error) {
	c, err := cid.Cast(b[:36])
	if err == nil {
		err = block.Check(c)
	}
	return Key{Unit: block.Link{Cid: c}, Slot: binary.BigEndian.Uint32(b[36:])}, err
}

// decode reads the body of a record, without its key.
func decode(k kind, version uint8, body []byte) (Record, error) {
	if version != recordVersion {
		return nil, errVersion(k, version)
	}
	switch k {
	case kindIssued:
		return decodeAs[Issued](body)
	case kindAccepted:
		return decodeAs[Accepted](body)
	case kindVoided:
		return decodeAs[Voided](body)
	case kindSettled:
		return decodeAs[Settled](body)
	case kindTask:
		return decodeAs[Task](body)
	case kindDone:
		return decodeAs[Done](body)
	case kindTaken:
		return decodeAs[Taken](body)
	}
	return nil, fmt.Errorf("record type %d is unknown: use a newer version of the program", k)
}

// errVersion says that another version of the program wrote a record.
func errVersion(k kind, version uint8) error {
	return fmt.Errorf("record type %d has version %d, this program reads version %d: use the version of the program that wrote it", k, version, recordVersion)
}

func decodeAs[R Record](body []byte) (Record, error) {
	var r R
	err := block.Decode(body, &r)
	return r, err
}
