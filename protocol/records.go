package protocol

import "github.com/alia-network/alia/protocol/block"

// A Record is one of the structs of this file. Fields stand in the order in
// which they are encoded; optional ones may be zero.
type Record interface {
	Type() Type
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

// Seal is the end of every signed record: who signed it, and the signature over
// all the rest. Sign fills it.
type Seal struct {
	Account Account
	Sig     []byte // 64 bytes
}

func (s *Seal) seal() *Seal { return s }

// RunOffer announces a training run that seeks miners. The account is its
// coordinator. Of two offers for one run the higher Seq holds.
type RunOffer struct {
	_ struct{} `cbor:",toarray"`
	Header
	Run       block.Link // configuration of the run
	Seq       uint64
	Round     uint32 // the round now open
	Rounds    uint32 // of the whole run
	K         uint32 // units a round
	UnitCost  uint64 // MFLOP
	Addrs     []string
	ExpHeight uint64 // the offer is void above it; 0: no limit
	Seal
}

// JobOffer announces a document to be translated. The account is the customer.
// Of two offers for one job the higher Seq holds.
type JobOffer struct {
	_ struct{} `cbor:",toarray"`
	Header
	Job       block.Link
	Seq       uint64
	Src, Dst  string // languages, as BCP 47 tags
	Model     block.Link
	Units     uint32
	Cost      uint64     // MFLOP, of all units
	Price     uint64     // units per GFLOP, at most
	Escrow    block.Link // none: unpaid
	Addrs     []string
	ExpHeight uint64
	Seal
}

// Capability says what a miner has. It is measured, not promised: MFLOPS is the
// speed of the canonical probe.
type Capability struct {
	_ struct{} `cbor:",toarray"`
	Header
	Software string // version of the program
	Kernel   string // version of the table of operations and the kernels in use
	Device   string // processor or graphics card, for people
	Threads  uint32
	MFLOPS   uint64 // MFLOP per second
	Memory   uint64 // bytes
	Seal
}

// Bid answers an offer, on a stream to the offer's account. The last bid of an
// account for a work holds.
type Bid struct {
	_ struct{} `cbor:",toarray"`
	Header
	Offer      block.Link // CID of the offer's bytes
	Work       block.Link // the offer's run or job
	Price      uint64     // units per GFLOP
	MFLOPS     uint64     // speed at this work, MFLOP per second
	InFlight   uint32     // units wanted at a time
	Capability Capability // of the same account
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
	LeaseSeconds uint32
	Price        uint64   // units per GFLOP
	Hints        []string // addresses of peers that hold the inputs
	Seal
}

// Roles of an attestation.
const (
	Worker  = 0
	Auditor = 1
)

// Attestation states that a unit gives a result. The account computed it.
type Attestation struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work   block.Link
	Unit   block.Link
	Role   uint8
	Result block.Link
	Cost   uint64     // MFLOP, by the cost table
	Ticket block.Link // CID of the ticket's bytes; none for an auditor
	Seal
}

// Accept states that a publisher takes a miner's result.
type Accept struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work   block.Link
	Unit   block.Link
	Miner  Account
	Result block.Link
	Cost   uint64 // MFLOP
	Seal
}

// Head announces a ledger node's newest height. It is a hint, not a proof.
type Head struct {
	_ struct{} `cbor:",toarray"`
	Header
	Height  uint64
	BlockID [32]byte
	AppHash [32]byte
	Seal
}

// Receipt is what a customer keeps: who attests that Model makes Output of
// Input, and the ledger's proof of the settlement. It checks offline.
type Receipt struct {
	_ struct{} `cbor:",toarray"`
	Header
	Job          block.Link
	Model        block.Link
	Input        block.Link
	Output       block.Link
	Attestations []Attestation // one a unit, in the order of the job's units
	Accepts      []Accept      // the same
	Settlement   []byte        // the ledger's proof, in its own encoding
	Seal
}

// The records below are said on an authenticated stream, between the two
// accounts that opened it, and are not signed. Version is [Version].

// Reject answers an attestation or a bid that is not taken. Ticket is none
// when it is about the bid.
type Reject struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	Code    Reason
	Reason  string // detail for people, may be empty
}

// Cancel ends a lease: the publisher needs it no more, or the miner gives it up.
type Cancel struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	Code    Reason
	Reason  string
}

// Progress says how far a miner is with a unit.
type Progress struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Ticket  block.Link
	DonePPM uint32 // parts per million
}

// Credit changes how many units a miner wants at a time; 0 means none for now.
type Credit struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	InFlight uint32
}

// Idle tells a miner why it has no unit now.
type Idle struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Code    Reason
	Reason  string
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
	Offers  []Offer
	Cursor  uint64 // of the next page; 0: this is the last
}

// Offer is the canonical bytes of a RunOffer or a JobOffer.
type Offer struct {
	_    struct{} `cbor:",toarray"`
	Type Type
	Body []byte
}

// The types of the records.

func (*RunOffer) Type() Type    { return TypeRunOffer }
func (*JobOffer) Type() Type    { return TypeJobOffer }
func (*Capability) Type() Type  { return TypeCapability }
func (*Bid) Type() Type         { return TypeBid }
func (*Ticket) Type() Type      { return TypeTicket }
func (*Attestation) Type() Type { return TypeAttestation }
func (*Accept) Type() Type      { return TypeAccept }
func (*Head) Type() Type        { return TypeHead }
func (*Receipt) Type() Type     { return TypeReceipt }
func (*Reject) Type() Type      { return TypeReject }
func (*Cancel) Type() Type      { return TypeCancel }
func (*Progress) Type() Type    { return TypeProgress }
func (*Credit) Type() Type      { return TypeCredit }
func (*Idle) Type() Type        { return TypeIdle }
func (*OfferQuery) Type() Type  { return TypeOfferQuery }
func (*OfferPage) Type() Type   { return TypeOfferPage }
