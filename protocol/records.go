package protocol

import "github.com/alia-network/alia/protocol/block"

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
	LeaseSeconds uint32   // from the ticket's arrival
	Hints        []string // addresses of peers that hold the inputs
	Seal
}

// Attestation states that a unit gives a result. The account computed it.
type Attestation struct {
	_ struct{} `cbor:",toarray"`
	Header
	Work   block.Link
	Unit   block.Link
	Result block.Link
	Cost   uint64     // MFLOP, by the cost table
	Ticket block.Link // CID of the ticket's bytes
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

// Receipt is what a customer keeps: who attests that Model makes Output of
// Input, and the ledger's proof of the settlement. It checks offline.
type Receipt struct {
	_ struct{} `cbor:",toarray"`
	Header
	Job          block.Link
	Model        block.Link
	Input        block.Link
	Output       block.Link
	Attestations []Attestation // one for each unit, in the order of the job's units
	Accepts      []Accept      // the same
	Settlement   []byte        // the ledger's proof, in its own encoding
	Seal
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
