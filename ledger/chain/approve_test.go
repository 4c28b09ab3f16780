package chain

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// TestSlowProposals: coordinators who send their runs as slowly as they can do not keep
// this validator from the plan of another that takes two minutes, within the time for
// which a proposal is open.
func TestSlowProposals(t *testing.T) {
	a := newApp(t, Config{})
	const slow = 4
	var txs [][]byte
	for i := range slow + 1 {
		txs = append(txs, sign(t, a.net, fmt.Sprint("proposer", i), 1, propose(fmt.Sprint("run", i))))
	}
	if _, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: 1, Txs: txs}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Commit(t.Context(), &abci.RequestCommit{}); err != nil {
		t.Fatal(err)
	}
	open := a.latest().Proposals()
	if len(open) != slow+1 {
		t.Fatalf("%d runs are proposed", len(open))
	}
	honest := open[slow]
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tries := map[protocol.Account]int{}
		judge := &approver{latest: a.latest, log: slog.New(slog.DiscardHandler), verdicts: map[ledger.RunName]verdict{}}
		judge.approve = func(ctx context.Context, r ledger.RunState) (bool, error) {
			tries[r.Coordinator]++
			work := time.Duration(1<<63 - 1)
			if r.Coordinator == honest.Coordinator {
				work = 2 * time.Minute
			}
			select {
			case <-time.After(work):
				return true, nil
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		go judge.run(ctx)
		start := time.Now()
		for !judge.decided(honest) && time.Since(start) < ledger.ProposalLife*time.Second {
			time.Sleep(time.Second)
		}
		if !judge.decided(honest) {
			t.Errorf("the honest run is not judged in an hour, the tries are %v", tries)
		}
		cancel()
	})
}
