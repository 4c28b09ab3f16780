package ledger

import (
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// maxDeadline is how many heights ahead an escrow's deadline may lie.
const maxDeadline = 1_000_000

// EscrowOpen sets an amount aside for a translation job. The ledger pays the
// units of the job that the sender accepts from the escrow, at Price.
type EscrowOpen struct {
	_        struct{} `cbor:",toarray"`
	Job      block.Link
	Amount   uint64
	Price    uint64 // amount per GFLOP
	Deadline uint64 // height until which the sender cannot close the escrow
}

// Kind returns KindEscrowOpen.
func (EscrowOpen) Kind() TxKind { return KindEscrowOpen }

func (b EscrowOpen) check() error {
	if b.Amount == 0 {
		return fmt.Errorf("%w: the escrow", BadAmount)
	}
	if b.Price == 0 {
		return fmt.Errorf("%w: the price of a GFLOP", BadAmount)
	}
	return need("job", b.Job)
}

func (b EscrowOpen) apply(d *draft, tx *Tx) error {
	key := EscrowKey(b.Job, tx.Account)
	if _, open := load[Escrow](d, key); open {
		return Already
	}
	if b.Deadline <= d.height || b.Deadline > d.height+maxDeadline {
		return fmt.Errorf("%w: height %d, and this is height %d", BadDeadline, b.Deadline, d.height)
	}
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	store(d, key, Escrow{
		Version: 1, Job: b.Job, Customer: tx.Account, Price: b.Price,
		Opened: b.Amount, Left: b.Amount, Deadline: b.Deadline,
	})
	supply := d.supply()
	supply.Escrowed += b.Amount
	store(d, SupplyKey(), supply)
	return nil
}

// EscrowClose returns the rest of the sender's escrow for a job. It is refused
// until the deadline has passed, so that miners can rely on the escrow.
type EscrowClose struct {
	_   struct{} `cbor:",toarray"`
	Job block.Link
}

// Kind returns KindEscrowClose.
func (EscrowClose) Kind() TxKind { return KindEscrowClose }

func (b EscrowClose) check() error { return need("job", b.Job) }

func (b EscrowClose) apply(d *draft, tx *Tx) error {
	key := EscrowKey(b.Job, tx.Account)
	e, open := load[Escrow](d, key)
	if !open {
		return UnknownEscrow
	}
	if d.height <= e.Deadline {
		return fmt.Errorf("%w: it is height %d, and this is height %d", NotDue, e.Deadline, d.height)
	}
	d.deposit(tx.Account, e.Left)
	d.remove(key)
	supply := d.supply()
	supply.Escrowed -= e.Left
	store(d, SupplyKey(), supply)
	return nil
}
