package bench

import (
	"testing"
	"time"

	"github.com/alia-network/alia/node/machine"
)

// TestLedger measures two validators for a moment, and checks what the figures add up to.
func TestLedger(t *testing.T) {
	b := LedgerBench{Dir: t.TempDir(), Validators: 2, Interval: 100 * time.Millisecond, Window: time.Second, Accounts: Transfers, Note: t.Logf}
	r, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Validators != 2 || r.Heights < 1 || r.Slots < claimRounds*benchMiners || r.Slots%benchMiners != 0 || r.Seconds < 1 {
		t.Errorf("claims: %+v", r)
	}
	if machine.CPUSeconds() > 0 && r.CPUSeconds <= 0 {
		t.Errorf("processor time: %+v", r)
	}
	if r.Transactions < 1 || r.TransactionsPerSecond <= 0 || r.ApplySeconds <= 0 || r.ApplyShare <= 0 {
		t.Errorf("transfers: %+v", r)
	}
	// A path of about log2(1000) hashes, and no record of a unit for ever.
	if r.ProofBytesP99 < 10*32 || r.ProofBytesP99 > 25*40 || r.StateBytes > 1e6 {
		t.Errorf("state: %+v", r)
	}
}
