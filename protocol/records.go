package protocol

import (
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// A Record is one of the structs of this file that has a type number:
// PROTOCOL.md, sections 4 and 5. Fields stand in the order in which they are
// encoded.
type Record interface {
	Type() RecordType
	check() error // version and bounds, without signatures
}

// A Signed record starts with a Header and ends with a Seal.
type Signed interface {
	Record
	header() *Header
	seal() *Seal
}

// Header is the start of every signed record. Sign fills it.
type Header struct {
	Version uint16
	Net     Net
}

func (h *Header) header() *Header { return h }

// Seal is the end of every signed record: the account that signed it, and the
// signature over all the rest. Sign fills it.
type Seal struct {
	Account Account
	Sig     []byte // 64 bytes
}

func (s *Seal) seal() *Seal { return s }

// RunOffer announces a training run that seeks miners. The account is the run's
// coordinator. Of two offers of one coordinator for one run the later one counts.
type RunOffer struct {
	_ struct{} `cbor:",toarray"`
	Header
	Run    block.Link // CID of the run's record
	Time   uint64     // when it was signed, milliseconds since 1970
	Rounds uint32     // of the whole run
	Units  uint32     // of one round
	Addrs  []string   // multiaddrs of the coordinator
	Seal
}

// JobOffer announces a document to be translated. The account is the customer.
// Of two offers of one customer for one job the later one counts.
type JobOffer struct {
	_ struct{} `cbor:",toarray"`
	Header
	Job      block.Link // CID of the job's record
	Time     uint64     // when it was signed, milliseconds since 1970
	Src, Dst string     // languages, as BCP 47 tags
	Model    block.Link // CID of the model that translates
	Price    uint64     // the most paid for a GFLOP, an amount; 0: unpaid
	Addrs    []string   // multiaddrs of the customer
	Seal
}

// Capability says what a miner computes with. MFLOPS is measured by the
// canonical probe.
type Capability struct {
	_        struct{} `cbor:",toarray"`
	Numerics string   // specification of the arithmetic, such as "ALIA-F32 v1"
	Kernel   string   // kernels in use, such as "avx2"
	Device   string   // processor architecture, for people
	Software string   // version of the program
	Threads  uint32
	MFLOPS   uint64 // MFLOP per second
}

// Bid answers an offer, on a stream to the offer's account. The last bid of an
// account for a work holds.
type Bid struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work       block.Link // CID of the offer's run or job
	Price      uint64     // asked for a GFLOP, an amount
	InFlight   uint32     // units wanted at a time, at least 1
	Capability Capability
	Seal
}

// Ticket leases a unit to a miner. The account is the work's publisher.
type Ticket struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work         block.Link
	Number       uint64     // unique to the publisher
	Unit         block.Link // CID of Spec
	Spec         []byte     // the unit's canonical bytes
	Miner        Account
	LeaseSeconds uint32      // from the ticket's arrival
	Hints        []string    // addresses of peers that hold the inputs
	Proof        []SlotProof // that the ledger pays for the unit; none, or one
	Escrow       uint64      // number of the escrow that pays for the unit; 0 for a run and for unpaid work
	Seal
}

// Place says where in a work a unit stands: what pay belongs to. Within a work no two
// units have the same place.
type Place struct {
	_     struct{} `cbor:",toarray"`
	Round uint32   // of a run; 0 in a job
	Kind  uint16   // of the unit
	Index uint32   // among the units of the round and the kind, or of the job
}

// Attestation states that a unit gives a result. The account computed it, for the
// publisher. So no other publisher of the same work can use the attestation, and no
// other place of the work.
type Attestation struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work      block.Link
	Publisher Account // whose ticket leased the unit
	Place     Place
	Unit      block.Link
	Result    block.Link
	Ticket    block.Link // CID of the ticket's bytes; none if the publisher computed the unit itself
	Seal
}

// Accept states that a publisher takes a miner's result.
type Accept struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work   block.Link
	Place  Place
	Unit   block.Link
	Miner  Account
	Result block.Link
	Seal
}

// Receipt is what a customer says of a translated document, and what miners attest. The
// account is the customer. Everything that follows from the job's record is left out:
// unit i of the job translates Units[i].Input with the job's model and decoding.
type Receipt struct {
	_ struct{} `cbor:",toarray"`
	Header
	Job   []byte       // canonical bytes of the job's record
	Units ReceiptUnits // all units of the job, by their index
	Seal
}

// ReceiptUnit is a translated unit, and the attestation of its result.
type ReceiptUnit struct {
	_      struct{}   `cbor:",toarray"`
	Input  block.Link // the unit's text
	Most   uint64     // what the unit costs at most, in MFLOP
	Result []byte     // canonical bytes of the result's record
	Source []uint32   // bytes of each segment of the text
	Target []uint32   // bytes of each segment of the translation, as many as Source
	Miner  Account    // who attests
	Ticket block.Link // of the attestation; none if it names none
	Sig    []byte     // of the attestation, 64 bytes
}

// ReceiptUnits is the units of a receipt. Their number is bounded before anything is
// allocated: a byte of a hostile receipt could otherwise take 200 bytes of memory.
type ReceiptUnits []ReceiptUnit

// MarshalCBOR is the encoding of an array.
func (u ReceiptUnits) MarshalCBOR() ([]byte, error) { return block.Encode([]ReceiptUnit(u)) }

// UnmarshalCBOR reads an array of at most maxUnits units.
func (u *ReceiptUnits) UnmarshalCBOR(data []byte) error {
	n, err := block.Len(data)
	if err != nil {
		return err
	}
	if n > maxUnits {
		return fmt.Errorf("a receipt of %d units, the limit is %d", n, maxUnits)
	}
	return block.Decode(data, (*[]ReceiptUnit)(u))
}

// The records below are said on an authenticated stream, between the two
// accounts that opened it, and are not signed. Version is [Version].

// Reject answers an attestation or a bid that is refused. Ticket is zero when
// the bid is refused.
type Reject struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	Code    Reason
	Detail  string // for people, may be empty
}

// Cancel ends a lease: the publisher no longer needs the unit, or the miner
// gives the unit up.
type Cancel struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	Code    Reason
	Detail  string
}

// Progress says which part of a unit a miner has computed.
type Progress struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	DonePPM uint32 // parts per million
}

// Idle tells a miner why no unit is leased to it now.
type Idle struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Code    Reason
}

// OfferQuery asks a peer for the open offers it knows, from a cursor on.
type OfferQuery struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Cursor  uint64 // 0: from the start
}

// OfferPage is a part of the offers a peer knows.
type OfferPage struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Offers  []EncodedOffer
	Cursor  uint64 // of the next page; 0: this is the last
}

// EncodedOffer is the canonical bytes of a RunOffer or a JobOffer.
type EncodedOffer struct {
	_    struct{} `cbor:",toarray"`
	Type RecordType
	Body []byte
}

// ModelQuery asks a peer which models it serves.
type ModelQuery struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target string // languages; both empty: of every pair
}

// ModelPage is the models that a peer serves, its best first. The peer's connection
// proves whose word it is. It remains a claim: the model's record says the languages, and
// only an evaluation says the score.
type ModelPage struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Models  []HeldModel // at most [MaxHeldModels]
}

// HeldModel is a model that a peer serves, and how it translates with it.
type HeldModel struct {
	_              struct{} `cbor:",toarray"`
	Model          block.Link
	Source, Target string // languages
	// ChrF is the model's score on the test set of the run that made it, in millionths; 0
	// is not known.
	ChrF  uint32
	Price uint64 // least amount for a GFLOP for which the peer translates; 0: it names no price
}

// MaxHeldModels bounds the models of a page.
const MaxHeldModels = 256

// The types of the records.

func (*RunOffer) Type() RecordType    { return TypeRunOffer }
func (*JobOffer) Type() RecordType    { return TypeJobOffer }
func (*Bid) Type() RecordType         { return TypeBid }
func (*Ticket) Type() RecordType      { return TypeTicket }
func (*Attestation) Type() RecordType { return TypeAttestation }
func (*Accept) Type() RecordType      { return TypeAccept }
func (*Receipt) Type() RecordType     { return TypeReceipt }
func (*Reject) Type() RecordType      { return TypeReject }
func (*Cancel) Type() RecordType      { return TypeCancel }
func (*Progress) Type() RecordType    { return TypeProgress }
func (*Idle) Type() RecordType        { return TypeIdle }
func (*OfferQuery) Type() RecordType  { return TypeOfferQuery }
func (*OfferPage) Type() RecordType   { return TypeOfferPage }
func (*ModelQuery) Type() RecordType  { return TypeModelQuery }
func (*ModelPage) Type() RecordType   { return TypeModelPage }
