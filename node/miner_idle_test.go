package node

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// TestIdleIsReportedOnChange: a miner that gets all units of many short rounds tells once
// that between two rounds there is none. Another reason is told each time.
func TestIdleIsReportedOnChange(t *testing.T) {
	var told []string
	m := &Miner{Report: func(n Notice) { told = append(told, n.(MinerIdle).Code) }, idle: map[market.OfferKey]string{}}
	k := market.OfferKey{Publisher: protocol.Account{1}}
	for range 3 {
		for range 5 {
			m.busy(k)
			m.idles(k, newWhy(protocol.NoOpenUnits, ""))
		}
		m.busy(k)
		m.idles(k, newWhy(protocol.PeerGone, ""))
	}
	once := []string{protocol.NoOpenUnits.String(), protocol.PeerGone.String()}
	if want := slices.Repeat(once, 3); !slices.Equal(told, want) {
		t.Errorf("the miner tells %v, want %v", told, want)
	}
	if m.busy(k); (m.why != Why{}) {
		t.Errorf("a miner that has a unit gives the reason %v", m.why)
	}
}
