package market_test

import (
	"fmt"
	"log"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
)

// A publisher has two units, and a fast miner and a slow one bid. The fast miner
// gets both, because the slow one would finish later than both together.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	unit := func(n byte) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte{0x81, n})} }
	fast, slow := protocol.Account{1}, protocol.Account{2}

	var book market.Book
	for _, event := range []market.Event{
		market.AddUnits{Units: []market.Unit{{ID: unit(1), Cost: 10_000, Order: 1}, {ID: unit(2), Cost: 10_000, Order: 2}}},
		market.MinerJoined{Miner: fast, MFLOPS: 10_000, InFlight: 2},
		market.MinerJoined{Miner: slow, MFLOPS: 100, InFlight: 2},
	} {
		actions, err := book.Apply(now, event)
		if err != nil {
			log.Fatal(err)
		}
		for _, action := range actions {
			switch a := action.(type) {
			case market.IssueTicket:
				fmt.Printf("lease unit to miner %d for %d s\n", a.Miner[0], a.Seconds)
			case market.TellIdle:
				fmt.Printf("miner %d is idle: %s\n", a.Miner[0], a.Code)
			}
		}
	}
	// Output:
	// lease unit to miner 1 for 10 s
	// lease unit to miner 1 for 10 s
	// miner 2 is idle: no-open-units
}
