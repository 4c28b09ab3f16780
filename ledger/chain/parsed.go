package chain

import (
	"crypto/sha256"
	"sync"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// keepParsed is how many bytes of transactions a generation of [parsedTxs] is of.
const keepParsed = 16 << 20

// parsedTxs remembers transactions whose signatures were checked: each is met
// three or four times on its way into a block, and a settlement has 512
// signatures. Two generations of bounded size stand in for a queue of the
// recently used.
type parsedTxs struct {
	net protocol.Net

	mu         sync.Mutex // guards the rest
	young, old map[[sha256.Size]byte]*ledger.Tx
	size       int // bytes of the transactions in young
}

func newParsedTxs(net protocol.Net) *parsedTxs {
	return &parsedTxs{net: net, young: make(map[[sha256.Size]byte]*ledger.Tx)}
}

// parse is ledger.ParseTx, remembering successes.
func (p *parsedTxs) parse(data []byte) (*ledger.Tx, error) {
	id := sha256.Sum256(data)
	if tx := p.find(id); tx != nil {
		return tx, nil
	}
	tx, err := ledger.ParseTx(data, p.net)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.young[id] = tx
	if p.size += len(data); p.size > keepParsed {
		p.young, p.old, p.size = make(map[[sha256.Size]byte]*ledger.Tx), p.young, 0
	}
	return tx, nil
}

func (p *parsedTxs) find(id [sha256.Size]byte) *ledger.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tx := p.young[id]; tx != nil {
		return tx
	}
	return p.old[id]
}
