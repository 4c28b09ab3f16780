package ledger

import (
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// maxMemo bounds a transfer's memo, in bytes.
const maxMemo = 256

// Transfer moves an amount to an account.
type Transfer struct {
	_      struct{} `cbor:",toarray"`
	To     protocol.Account
	Amount uint64
	Memo   string // for people; everybody can read it
}

// Kind returns KindTransfer.
func (Transfer) Kind() TxKind { return KindTransfer }

func (b Transfer) check() error {
	if len(b.Memo) > maxMemo {
		return fmt.Errorf("%w: memo of %d bytes, the limit is %d", TooLarge, len(b.Memo), maxMemo)
	}
	if b.Amount == 0 {
		return fmt.Errorf("%w: the transfer", BadAmount)
	}
	return nil
}

func (b Transfer) apply(d *draft, tx *Tx) error {
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	d.deposit(b.To, b.Amount)
	return nil
}
