// Package gateway answers HTTP requests for translations: the API of LibreTranslate at the
// root, version 2 of the API of DeepL below /v2, and a small API of its own below /api, for
// jobs that can be watched. openapi.json describes all of it.
//
// A [Gateway] asks an [engine.Engine], so it works in front of this machine's models and
// in front of a network alike:
//
//	g, err := gateway.Open(gateway.Config{Engine: e, Dir: dir})
//	defer g.Close()
//	l, err := net.Listen("tcp", "127.0.0.1:8080")
//	err = g.Run(ctx, l)
//
// A request passes these files, in this sequence: guard.go (addresses, headers, origins, bounds),
// routes.go (which handler), libre.go, deepl.go, glossaries.go or jobs_api.go (the handler of
// the API), fields.go (its parameters), keys.go and usage.go (who asks, and how much is
// left of the client's month). Then texts.go translates a text by the engine, and views.go gives
// what the page shows of a node. A document takes longer than a request. It passes upload.go (the
// document comes), room.go (is there space on the disk?), jobs.go (its state) and work.go (its
// translation).
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Config is what a gateway works with. Zero limits have defaults.
type Config struct {
	Engine engine.Engine
	// Memory has translations that were made before; nil has none, and keeps none. Its
	// settings are those of package translate.
	Memory *memory.TM
	// Arithmetic names how the engine computes with a model; nil is binary32.
	Arithmetic func(context.Context, block.Link) (string, error)
	// Receipts has the receipts of jobs, of which those of documents are made, and the network
	// whose receipts are checked. Without its Dir a document gets none.
	Receipts proof.Shelf
	// Corrections takes what people correct, under SuggestLicence; without both nobody can.
	Corrections    *corrections.Pool
	SuggestLicence string
	// Dir keeps documents, glossaries and the counters of keys. One process has it.
	Dir string
	// Keys is the file of API keys. A key is needed when the file has one, unless Open.
	Keys string
	// Open answers clients without a key, wherever the gateway listens.
	Open bool
	// Budget is the most to pay for one request, an amount, and Price that for a GFLOP.
	Budget, Price uint64
	// Pages are the files of the web page; nil has a page that names the APIs.
	Pages fs.FS
	// Views is what the pages show beside translations; nil is nothing.
	Views Views
	// Shows names those that the page has, of node, run and ledger; nil is all of Views.
	Shows []string
	// Token lets who has it steer the miners of Views; "" lets nobody.
	Token string
	// Origins are the web sites whose pages may ask, such as https://example.org; "*" is
	// every site.
	Origins []string
	// URL is the gateway's address for others, such as https://translate.example.org. ""
	// takes that of each request.
	URL     string
	Version string // of the program
	Limits  Limits
	Log     *slog.Logger     // nil: the default
	Now     func() time.Time // nil: the clock
}

// Limits bound what clients can have.
type Limits struct {
	Text     int64 // bytes of a request without a document; 1 MiB
	Document int64 // bytes of a document; 30 MiB
	Jobs     int   // documents that are kept; 200
	Disk     int64 // bytes of all documents; 2 GiB
	// Keep is how long a document is kept after its translation; an hour.
	Keep       time.Duration
	Concurrent int // requests of one address at a time; 128
	// Requests is how many a client without a key may send in a minute; 0 is no limit.
	Requests int
	Work     int // documents that are translated at a time; 2
	// Amount is what may be paid for all clients without a key in a calendar month of UTC, in
	// 1e-8 ALIA; 0 is no limit.
	Amount uint64
}

func (l Limits) filled() Limits {
	l.Text = cmp.Or(l.Text, 1<<20)
	l.Document = cmp.Or(l.Document, 30<<20)
	l.Jobs = cmp.Or(l.Jobs, 200)
	l.Disk = cmp.Or(l.Disk, 2<<30)
	l.Keep = cmp.Or(l.Keep, time.Hour)
	l.Concurrent = cmp.Or(l.Concurrent, 128)
	l.Work = cmp.Or(l.Work, 2)
	return l
}

// Gateway answers requests. It is safe for concurrent use.
type Gateway struct {
	Config
	store   *store
	keys    *keyring
	usage   *usage
	jobs    *jobs
	metrics *metrics
	models  modelCache
	views   viewCache
	slots   slots
	parsing chan struct{} // a slot for each document that may be in memory to be parsed
	origin  *http.CrossOriginProtection
	mux     *http.ServeMux

	local    atomic.Bool    // it listens on loopback alone: see checkHost
	stopping chan struct{}  // closed when Run drains
	later    sync.WaitGroup // what goes on after an answer, such as settlements
	work     context.Context
	stopWork context.CancelFunc
}

// Open opens a gateway with the documents and counters that its directory has.
func Open(c Config) (*Gateway, error) {
	c.Limits = c.Limits.filled()
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := disk.MakeDir(disk.OS, filepath.Join(c.Dir, "documents")); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if c.Shows == nil && c.Views != nil {
		c.Shows = []string{"node", "run", "ledger"}
	}
	g := &Gateway{Config: c, parsing: make(chan struct{}, parsers), stopping: make(chan struct{})}
	var err error
	if g.store, err = openStore(filepath.Join(c.Dir, "gateway.db")); err != nil {
		return nil, err
	}
	g.work, g.stopWork = context.WithCancel(context.Background())
	g.keys = &keyring{path: c.Keys}
	g.usage = newUsage(g)
	g.models.g = g
	if g.jobs, err = openJobs(g); err == nil {
		g.metrics = newMetrics(g)
		g.origin, err = trusting(c.Origins)
	}
	if err == nil {
		_, err = g.keys.all()
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	g.mux = g.routesMux()
	return g, nil
}

// Close ends what the gateway still does, and waits a while for settlements. Jobs that are
// not done go on when the directory is opened again.
func (g *Gateway) Close() error {
	late := time.AfterFunc(drainTime, g.stopWork)
	g.later.Wait()
	late.Stop()
	g.stopWork()
	return g.store.Close()
}

// trusting makes the protection against requests that pages of other sites send.
func trusting(origins []string) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for _, o := range origins {
		if o == "*" {
			continue
		}
		if err := p.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("origin %q: %w: give one such as https://example.org", o, err)
		}
	}
	return p, nil
}

// errStopping is the cause of work that the end of the gateway interrupts.
var errStopping = errors.New("the gateway is ending")
