package ledger

import "testing"

func TestFate(t *testing.T) {
	outcomes := func(nonces ...uint64) (all []TxOutcome) {
		for _, n := range nonces {
			all = append(all, TxOutcome{Nonce: n})
		}
		return all
	}
	for name, test := range map[string]struct {
		a               AccountState
		expires, height uint64
		want            Fate
		code            Code
	}{
		"not sent":                      {AccountState{}, 10, 9, Waiting, OK},
		"last height that may have it":  {AccountState{Nonce: 4, Outcomes: outcomes(1, 2, 3, 4)}, 10, 9, Waiting, OK},
		"expired":                       {AccountState{Nonce: 4, Outcomes: outcomes(1, 2, 3, 4)}, 10, 10, Gone, OK},
		"taken":                         {AccountState{Nonce: 5, Outcomes: outcomes(2, 3, 4, 5)}, 10, 99, Taken, OK},
		"taken, and others since":       {AccountState{Nonce: 9, Outcomes: outcomes(5, 7, 8, 9)}, 10, 8, Taken, OK},
		"refused":                       {AccountState{Nonce: 5, Outcomes: []TxOutcome{{Nonce: 5, Code: InsufficientFunds}}}, 10, 8, Refused, InsufficientFunds},
		"overtaken, few transactions":   {AccountState{Nonce: 6, Outcomes: outcomes(4, 6)}, 10, 8, Gone, OK},
		"overtaken, one before is told": {AccountState{Nonce: 8, Outcomes: outcomes(4, 6, 7, 8)}, 10, 8, Gone, OK},
		"forgotten":                     {AccountState{Nonce: 9, Outcomes: outcomes(6, 7, 8, 9)}, 10, 8, Untold, OK},
		"forgotten, and expired":        {AccountState{Nonce: 9, Outcomes: outcomes(6, 7, 8, 9)}, 10, 99, Untold, OK},
	} {
		if f, code := test.a.Fate(5, test.expires, test.height); f != test.want || code != test.code {
			t.Errorf("%s: %v, %v; want %v, %v", name, f, code, test.want, test.code)
		}
	}
}
