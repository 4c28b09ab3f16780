package ledger

// Fate is what became of a transaction that was signed and perhaps sent, as its account's
// record says.
type Fate int

const (
	Waiting Fate = iota // no height has it, and one may
	Taken               // a height has carried it out
	Refused             // a height has it, and refused it
	Gone                // no height has it, and none will
	Untold              // it may have been taken: the record tells only the last transactions
)

// Fate says what became of the transaction with a nonce that no height above expires may
// have. a is the account's record after a height. With Refused, code says why.
func (a AccountState) Fate(nonce, expires, height uint64) (f Fate, code Code) {
	if code, known := a.Outcome(nonce); known {
		if code == OK {
			return Taken, OK
		}
		return Refused, code
	}
	if a.Nonce > nonce {
		// The outcomes are those of the last transactions, without a gap. So one before this
		// transaction, or room for one, shows that this transaction is not among them.
		if len(a.Outcomes) < keepOutcomes || a.Outcomes[0].Nonce < nonce {
			return Gone, OK
		}
		return Untold, OK
	}
	if height >= expires {
		return Gone, OK
	}
	return Waiting, OK
}
