package chain

import (
	"crypto/sha256"
	"sync"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// keepParsed is the bytes of the transactions in one generation of [parsedTxs]: a full
// mempool, which is checked again after every height. In memory a transaction takes
// about twice its bytes.
const keepParsed = maxWaitingBytes

// parsedTxs caches transactions whose signatures were checked: the node sees each
// transaction three or four times before its height is final, and a claim can
// have thousands of signatures. Two generations of bounded size approximate a cache of the
// least recently used.
type parsedTxs struct {
	net protocol.Net

	mu         sync.Mutex // guards the rest
	young, old map[[sha256.Size]byte]*ledger.Tx
	size       int // bytes of the transactions in young
}

func newParsedTxs(net protocol.Net) *parsedTxs {
	return &parsedTxs{net: net, young: make(map[[sha256.Size]byte]*ledger.Tx)}
}

// parse is ledger.ParseTx with a cache of its successes.
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
