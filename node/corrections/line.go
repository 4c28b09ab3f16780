package corrections

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// A pool, and a file by which records travel from one home to another, is lines of text:
//
//	CRC KIND BASE64
//
// CRC is the CRC-32C of the line behind it, 8 digits; KIND is a letter, and BASE64 the
// canonical bytes of a record, in the alphabet of RFC 4648, section 5, without padding. A
// line has one form for each record.

// kind is what a line has.
type kind byte

const (
	kindCorrection kind = 'c' // a signed [protocol.Correction]
	kindReview     kind = 'r' // a signed [protocol.Review]
	kindBudget     kind = 'b' // a signed [protocol.Budget]
	kindTransfer   kind = 't' // a [Remittance], before it is sent
	kindSettled    kind = 's' // a settled, what became of a transfer
)

// maxLine bounds a line in bytes, without its end.
const maxLine = 64 << 10

// entry is a line.
type entry struct {
	kind kind
	data []byte
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	base       = base64.RawURLEncoding.Strict()
)

// errLine is wrapped by the errors of lines.
var errLine = errors.New("no signed line")

// appendLine appends the line of an entry, with its end.
func appendLine(b []byte, e entry) []byte {
	body := append([]byte{byte(e.kind), ' '}, base.EncodeToString(e.data)...)
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(body, castagnoli))
	return append(append(b, body...), '\n')
}

// parseLine reads a line without its end.
func parseLine(l []byte) (entry, error) {
	const head = 8 + 1 + 1 + 1
	if len(l) < head || len(l) > maxLine || l[8] != ' ' || l[10] != ' ' {
		return entry{}, fmt.Errorf("%w: it is not a checksum, a letter and a record", errLine)
	}
	if want := fmt.Appendf(nil, "%08x", crc32.Checksum(l[9:], castagnoli)); !bytes.Equal(l[:8], want) {
		return entry{}, fmt.Errorf("%w: its checksum is wrong: the line was changed or damaged", errLine)
	}
	data, err := base.AppendDecode(nil, l[head:])
	if err != nil || base.EncodedLen(len(data)) != len(l)-head {
		return entry{}, fmt.Errorf("%w: its record is not in base64", errLine)
	}
	return entry{kind(l[9]), data}, nil
}

// Remittance is a payment: one transfer on the ledger for corrections of one payee.
type Remittance struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	From, Payee protocol.Account // From has signed the transaction
	Amount      uint64
	Corrections []block.Link // CIDs
	Nonce       uint64       // of the transaction
	Expires     uint64       // the last height that may have it
	Tx          []byte       // the signed transaction
}

// Memo is what the transfer says on the ledger: the CID of the list of its corrections.
func (t *Remittance) Memo() string { return memo(t.Corrections) }

func memo(list []block.Link) string {
	data, err := block.Encode(list)
	if err != nil {
		panic("corrections: " + err.Error()) // links
	}
	return "ALIA corrections " + protocol.ID(data).String()
}

// settled says what became of a transfer.
type settled struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Nonce   uint64
	Paid    bool
	Text    string // for people
}

// maxTogether bounds the corrections of one transfer.
const maxTogether = 200
