package chain

import (
	"sync"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
)

// openDB opens one of CometBFT's databases.
func openDB(ctx *config.DBContext) (dbm.DB, error) {
	db, err := config.DefaultDBProvider(ctx)
	if err != nil {
		return nil, err
	}
	return &closable{DB: db}, nil
}

// closable is a database that has nothing in it once it is closed. CometBFT v0.40.0
// does not wait for the goroutines that serve its peers (consensus/reactor.go,
// queryMaj23Routine and the gossip routines) before it closes its databases. They
// read on for up to two seconds, and an error of the database would make them panic
// and the process die. They write nothing.
type closable struct {
	dbm.DB

	mu     sync.RWMutex // held for reading while the database is read
	closed bool
}

func (c *closable) Get(key []byte) ([]byte, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil, nil
	}
	return c.DB.Get(key)
}

func (c *closable) Has(key []byte) (bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return false, nil
	}
	return c.DB.Has(key)
}

func (c *closable) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.DB.Close()
}
