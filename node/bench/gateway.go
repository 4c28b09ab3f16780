package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
)

// GatewayReport is what alia bench gateway prints. Seconds are of the clock, and CPU seconds
// of the whole process: of the clients, the gateway, the engine and, in a network, of the
// customer, the miner and the ledger node.
type GatewayReport struct {
	Model         string  `json:"model"`
	Untrained     string  `json:"untrained,omitempty"` // preset of a model made here, whose sentences run to their limit
	Kernels       string  `json:"kernels"`
	Threads       int     `json:"threads"`
	HeightSeconds float64 `json:"height_seconds"` // between heights of the network's ledger
	// Of a gateway in front of the models of this machine.
	Sentences []LoadRow `json:"sentences"` // POST /translate, one sentence each
	Documents []LoadRow `json:"documents"` // POST /api/jobs until the result is there
	// The same documents through both engines in turn.
	Overhead []OverheadRow `json:"overhead"`
	// Steady is the time of a further segment, network over local: of the differences between
	// the largest and the smallest documents. What a document costs by itself, such as its
	// escrow, is not in it. It is 0 for documents of one size.
	SteadyWall float64 `json:"steady_wall_ratio"`
	SteadyCPU  float64 `json:"steady_cpu_ratio"`
	// Cold is the first segment of the first document, for which the miner gets and opens
	// the model, and First those of the documents of Overhead, on an idle network.
	Cold  float64  `json:"first_segment_cold_seconds"`
	First Quantity `json:"first_segment_seconds"`
}

// LoadRow is the answers that a number of clients got, each of whom asks again as soon as it
// has an answer.
type LoadRow struct {
	Clients    int     `json:"clients"`
	Requests   int     `json:"requests"`
	Segments   int     `json:"segments"` // of a request
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
	PerSecond  float64 `json:"requests_per_second"`
	P50        float64 `json:"p50_seconds"`
	P95        float64 `json:"p95_seconds"`
	P99        float64 `json:"p99_seconds"`
}

// OverheadRow compares a network with the same miner's kernels and threads in one process.
type OverheadRow struct {
	Segments int      `json:"segments"` // of each document
	Local    Measured `json:"local"`
	Network  Measured `json:"network"`
	Wall     float64  `json:"wall_ratio"` // network over local, of the medians
	CPU      float64  `json:"cpu_ratio"`
	// IdleCPU is the part of a second that the processor works for an idle network, whose
	// ledger makes empty heights. It is in both engines' times.
	IdleCPU float64 `json:"idle_cpu_per_second"`
}

// Measured is what documents took in one engine, until their results were there.
type Measured struct {
	Seconds Quantity `json:"seconds"`
	CPU     Quantity `json:"cpu_seconds"`
	Settled Quantity `json:"settled_seconds"` // until the ledger had the claims
}

// Quantity is repeated measurements of one thing.
type Quantity struct {
	Runs   []float64 `json:"runs"`
	Median float64   `json:"median"`
	Worst  float64   `json:"worst"`
}

func (q *Quantity) add(x float64) {
	q.Runs = append(q.Runs, x)
	q.Median, q.Worst = quantile(q.Runs, 0.5), max(q.Worst, x)
}

// quantile is the smallest of xs that a part p of xs does not exceed.
func quantile(xs []float64, p float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// GatewayBench is a measurement of the gateway.
type GatewayBench struct {
	Dir      string            // an empty one, for the homes and the documents
	Model    *model.Translator // nil: an untrained one of the preset
	Preset   string
	Device   func() (kernel.Device, error) // called for the local engine, and for the miner
	Threads  int                           // of a device
	Clients  []int                         // each number has a row
	Window   time.Duration                 // for which clients send sentences
	Segments int                           // of a document of the load
	Sizes    []int                         // segments of the documents that are compared
	Runs     int                           // of each comparison
	Interval time.Duration                 // between heights
	Note     func(format string, args ...any)
	Log      *slog.Logger // of the gateways

	lines []string // that documents are made of
}

// price is an amount for a GFLOP. It is low: an ALIA has to do for all documents.
const price = client.DefaultPrice / 200

// Run measures. A translation that differs between the two engines is an error.
func (b *GatewayBench) Run(ctx context.Context) (r *GatewayReport, err error) {
	r = &GatewayReport{Threads: b.Threads, HeightSeconds: b.Interval.Seconds()}
	b.lines = english()
	if b.Model == nil {
		r.Untrained = b.Preset
		if b.Model, err = untrained(b.Preset, b.lines); err != nil {
			return nil, err
		}
	}
	r.Model = b.Model.ID().String()
	dev, err := b.Device()
	if err != nil {
		return nil, err
	}
	r.Kernels = dev.Name()
	dir := filepath.Join(b.Dir, "model")
	if err := writeModel(dir, b.Model); err != nil {
		return nil, err
	}
	here, err := b.open("local", engine.NewLocal(engine.LocalConfig{Dirs: []string{dir}, Device: dev}))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, here.close()) }()
	if err := b.load(ctx, here, r); err != nil {
		return nil, err
	}
	b.Note("founding a network")
	there, end, err := b.network(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, there.close(), end()) }()
	return r, b.compare(ctx, here, there, r)
}

// untrained is a model that has learnt nothing, with a tokenizer of the lines.
func untrained(preset string, lines []string) (*model.Translator, error) {
	cfg, err := train.Preset(preset)
	if err != nil {
		return nil, err
	}
	tok, err := text.Train(slices.Values(lines), int(cfg.Pieces))
	if err != nil {
		return nil, err
	}
	m := model.Model{Source: "en", Target: "de", Vocab: uint32(tok.Pieces()), Shape: cfg.Shape}
	return model.NewTranslator(m, nmt.Init(m.Config(), 1), tok)
}

func writeModel(dir string, t *model.Translator) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range t.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// load measures the gateway in front of this machine's models.
func (b *GatewayBench) load(ctx context.Context, s *served, r *GatewayReport) error {
	lines := b.lines
	if _, err := s.users[0].sentence(ctx, lines[0]); err != nil { // opens the model
		return err
	}
	for _, n := range b.Clients {
		b.Note("sentences, %d clients", n)
		row, err := s.flood(ctx, n, func(ctx context.Context, u *user, i int) (bool, error) {
			_, err := u.sentence(ctx, lines[i%len(lines)])
			return true, err
		}, b.Window)
		if err != nil {
			return err
		}
		row.Segments = 1
		r.Sentences = append(r.Sentences, row)
	}
	data, err := writeDOCX(paragraphs(b.lines, b.Segments, 0))
	if err != nil {
		return err
	}
	for _, n := range b.Clients {
		b.Note("documents of %d segments, %d clients", b.Segments, n)
		row, err := s.flood(ctx, n, func(ctx context.Context, u *user, _ int) (bool, error) {
			_, err := u.document(ctx, data)
			return n < 3, err // few clients send some more, for a median
		}, b.Window)
		if err != nil {
			return err
		}
		row.Segments = b.Segments
		r.Documents = append(r.Documents, row)
	}
	return nil
}

// network founds a network with one miner, and a gateway of a customer in front of it.
func (b *GatewayBench) network(ctx context.Context) (_ *served, end func() error, err error) {
	dev, err := b.Device()
	if err != nil {
		return nil, nil, err
	}
	n, err := testnet.Config{
		Interval: b.Interval, Model: b.Model, Device: b.Device, Threads: b.Threads,
		MFLOPS: uint64(MatmulRate(dev, MatmulShapes[0], 100*time.Millisecond) / 1e6),
	}.Start(ctx, filepath.Join(b.Dir, "network"))
	if err != nil {
		return nil, nil, err
	}
	var c *client.Client
	end = func() error {
		defer n.Close()
		if c != nil {
			return c.Close()
		}
		return nil
	}
	if err = n.Mine("miner"); err == nil {
		home, e := n.Customer(ctx, "customer")
		if err = e; err == nil {
			c, err = client.Open(ctx, home)
		}
	}
	var s *served
	if err == nil {
		s, err = b.open("network gateway", &engine.Network{Client: c, Named: []block.Link{n.Model}, Holders: n.Holder.Mesh.Addrs()})
	}
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return s, end, nil
}

// compare has both engines translate the same documents in turn.
func (b *GatewayBench) compare(ctx context.Context, here, there *served, r *GatewayReport) error {
	b.Note("a document through the network for the first time")
	first, err := b.pair(ctx, 0, 10, nil, there)
	if err != nil {
		return err
	}
	r.Cold = first[0].first.Seconds()
	number := 1
	for _, n := range b.Sizes {
		row := OverheadRow{Segments: n}
		began, cpu := time.Now(), machine.CPUSeconds()
		if err := pause(ctx, 2*b.Interval); err != nil {
			return err
		}
		row.IdleCPU = (machine.CPUSeconds() - cpu) / time.Since(began).Seconds()
		for i := range b.Runs {
			b.Note("documents of %d segments, run %d of %d", n, i+1, b.Runs)
			// The network waits for heights: the runs begin at moments spread over one.
			if err := pause(ctx, b.Interval*time.Duration(2*i+1)/time.Duration(2*b.Runs)); err != nil {
				return err
			}
			both, err := b.pair(ctx, number, n, here, there)
			if err != nil {
				return err
			}
			number++
			row.Local.add(both[0])
			row.Network.add(both[1])
			r.First.add(both[1].first.Seconds())
		}
		row.Wall = row.Network.Seconds.Median / row.Local.Seconds.Median
		if row.Local.CPU.Median > 0 {
			row.CPU = row.Network.CPU.Median / row.Local.CPU.Median
		}
		r.Overhead = append(r.Overhead, row)
	}
	small, large := r.Overhead[0], r.Overhead[len(r.Overhead)-1]
	r.SteadyWall = growth(small, large, func(m Measured) float64 { return m.Seconds.Median })
	r.SteadyCPU = growth(small, large, func(m Measured) float64 { return m.CPU.Median })
	return nil
}

// growth is how much more a network takes for a larger document, over how much more this
// machine takes; 0 if this machine takes no more.
func growth(small, large OverheadRow, of func(Measured) float64) float64 {
	if here := of(large.Local) - of(small.Local); here > 0 {
		return (of(large.Network) - of(small.Network)) / here
	}
	return 0
}

func (m *Measured) add(d delivery) {
	m.Seconds.add(d.done.Seconds())
	m.CPU.add(d.cpu)
	m.Settled.add(d.settled.Seconds())
}

// pair has a document of n segments translated by servers in turn, those that are not nil.
func (b *GatewayBench) pair(ctx context.Context, number, n int, servers ...*served) (all []delivery, err error) {
	data, err := writeDOCX(paragraphs(b.lines, n, number))
	if err != nil {
		return nil, err
	}
	for _, s := range servers {
		if s == nil {
			continue
		}
		d, err := s.users[0].document(ctx, data)
		if err != nil {
			return nil, err
		}
		if all = append(all, d); !bytes.Equal(d.result, all[0].result) {
			return nil, fmt.Errorf("document %d of %d segments: the network's translation differs from this machine's", number, n)
		}
	}
	return all, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// served is a gateway that answers on loopback, and its users.
type served struct {
	users []*user
	close func() error
}

// open opens a gateway with a key for each user.
func (b *GatewayBench) open(name string, e engine.Engine) (*served, error) {
	dir := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	keys := filepath.Join(dir, "keys.json")
	var secrets []string
	for i := range slices.Max(append([]int{1}, b.Clients...)) {
		secret, _, err := gateway.AddKey(keys, gateway.APIKey{Name: strconv.Itoa(i)})
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	g, err := gateway.Open(gateway.Config{
		Engine: e, Dir: dir, Keys: keys, Budget: protocol.Coin, Price: price, Log: b.Log,
		Limits: gateway.Limits{Jobs: math.MaxInt, Disk: math.MaxInt64, Concurrent: 4 * len(secrets), Keep: time.Minute},
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, l) }()
	s := &served{}
	for _, secret := range secrets {
		s.users = append(s.users, newUser("http://"+l.Addr().String(), secret, b.Model.Model.Source, b.Model.Model.Target))
	}
	s.close = func() error {
		for _, u := range s.users {
			u.http.CloseIdleConnections()
		}
		cancel()
		return errors.Join(<-ended, g.Close())
	}
	return s, nil
}
