// Package swarm is a whole network on one machine: ledger nodes, a coordinator,
// miners and a customer, each a process with its own home and key. A fault script
// can kill and start the processes.
//
// [Run] starts the processes, starts those again that end by themselves, reads the
// notices that they print, and asks the ledger for the balances. When the model is
// trained, the miner with the largest balance sells tokens to the customer, who pays
// for the translation of a document.
//
//	err := swarm.Run(ctx, swarm.Config{
//		Program: exe, Home: dir, Validators: 1, Miners: 3, Train: []string{"--preset", "demo"}, Once: true,
//		Source: "en", Target: "de", Document: "letter.txt", Started: time.Now(),
//		Screen: swarm.NewScreen(os.Stderr, nil, false),
//		Done:   func(r *report.SwarmResult) error { fmt.Println(r.Translation); return nil },
//	})
package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
)

// Config describes a swarm.
type Config struct {
	Program    string   // the alia binary
	Home       string   // the homes of all processes are below it
	Validators int      // each with a ledger node
	Miners     int      // that the swarm begins with
	Devices    []string // of the miners in turn; empty lets each miner choose
	Train      []string // arguments of `alia train` that decide the model
	// Source and Target are the languages of the model.
	Source, Target string
	Faults         []Fault
	Document       string    // path of the text that the customer has translated
	Once           bool      // end when the document is translated
	Started        time.Time // from which times are counted
	Screen         *Screen   // nil shows nothing
	// Watch is told how the swarm is, a few times a second; nil tells nobody. What it says is
	// shown among the notes, unless it is empty.
	Watch func(Snapshot) string
	// Done is called with the result. Without Once the swarm continues after that.
	Done func(*report.SwarmResult) error
}

// swarm is a running swarm. Its loop owns it.
type swarm struct {
	cfg      Config
	children *children
	members  map[string]*member
	network  node.Network
	client   *light.Client
	procs    map[string]*process
	order    []string // of procs, as they are shown
	script   script
	view     view
	units    map[string]bool // accepted, by CID: a restarted coordinator reports some twice

	books     chan books
	trained   *report.Trained // the coordinator's result
	sale      chan saleResult // of the sale in progress
	sold      bool            // the sale has begun
	firstMint time.Duration
}

const (
	tick = 200 * time.Millisecond
	// heightTime is the time between heights. It is a quarter of that of other networks: who
	// tries a document waits for two heights, the one with the escrow and the one that proves
	// it, before the first segment.
	heightTime  = 250 * time.Millisecond
	settledLife = 30 * time.Second // a process that runs so long has started well
	maxFailures = 3
	maxPause    = 30 * time.Second
)

// Run runs a swarm until ctx ends or, with Once, until the document is translated. It
// returns when every process has ended.
func Run(ctx context.Context, cfg Config) error {
	s, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	err = s.startAll()
	if err == nil {
		go s.poll(ctx)
		err = s.loop(ctx)
	}
	s.cfg.Screen.close()
	s.drain()
	cancel()
	return err
}

// open makes the homes and plans the processes.
func open(ctx context.Context, cfg Config) (*swarm, error) {
	s := &swarm{
		cfg: cfg, children: newChildren(cfg.Program), procs: map[string]*process{}, script: script{slices.Clone(cfg.Faults)},
		units: map[string]bool{}, books: make(chan books), sale: make(chan saleResult, 1),
	}
	if err := CheckFaults(cfg.Faults, cfg.Validators, cfg.Miners); err != nil {
		return nil, err
	}
	// The processes: the ledger nodes, the coordinator, the first miners, and those that a
	// step of the fault script starts.
	for i := range cfg.Validators {
		s.order = append(s.order, ValidatorName(i+1))
	}
	s.order = append(s.order, CoordinatorName)
	for i := range cfg.Miners {
		s.order = append(s.order, MinerName(i+1))
	}
	for _, f := range cfg.Faults {
		if n, err := minerNumber(f.Target); err == nil && n > cfg.Miners && !slices.Contains(s.order, f.Target) {
			s.order = append(s.order, f.Target)
		}
	}
	var err error
	if s.members, s.network, err = makeHomes(cfg.Home, append([]string{CustomerName}, s.order...)); err != nil {
		return nil, err
	}
	s.client, err = light.Dial(ctx, light.Config{Addrs: s.network.Ledger, Genesis: s.network.Genesis})
	if err != nil {
		return nil, err
	}
	for _, name := range s.order {
		s.procs[name] = &process{name: name, home: s.members[name].home, args: s.arguments(name)}
	}
	s.view = newView(s.network, cfg, s.members, s.order)
	return s, nil
}

// arguments is the command line of a process.
func (s *swarm) arguments(name string) []string {
	m := s.members[name]
	common := []string{"--home", string(m.home), "--network", m.home.Network(), "--listen", m.listen(), "--log-level", "info", "--events"}
	switch {
	case isValidator(name):
		return append([]string{"ledger", "start", "--approve-runs", "--interval", heightTime.String()}, common...)
	case name == CoordinatorName:
		args := append([]string{"train", "--stay", "--threads", s.threads()}, s.cfg.Train...)
		return append(args, common...)
	case name == CustomerName:
		return common
	}
	args := []string{"miner", "run", "--threads", s.threads(), "--languages", s.cfg.Source + "-" + s.cfg.Target}
	if n, _ := minerNumber(name); len(s.cfg.Devices) > 0 { // its name was made or parsed here
		args = append(args, "--device", s.cfg.Devices[(n-1)%len(s.cfg.Devices)])
	}
	return append(args, common...)
}

// threads divides the processors among the miners.
func (s *swarm) threads() string {
	return strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/max(1, s.cfg.Miners)))
}

// startAll starts the processes that the swarm begins with. The other miners wait for
// the fault script.
func (s *swarm) startAll() error {
	for _, name := range s.order {
		if n, err := minerNumber(name); err == nil && n > s.cfg.Miners {
			s.view.state(name, later, "the fault script starts it")
			s.procs[name].killed = true
			continue
		}
		if err := s.children.start(s.procs[name]); err != nil {
			return err
		}
	}
	return nil
}

// loop acts on the messages of the processes, on the clock and on the ledger's books.
func (s *swarm) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.view.note(s.elapsed(), "stopping")
			return ctx.Err()
		case m := <-s.children.messages:
			if err := s.message(m); err != nil {
				return err
			}
		case b := <-s.books:
			s.balances(b)
		case r := <-s.sale:
			if err := s.finish(r); err != nil || s.cfg.Once {
				return err
			}
		case <-ticker.C:
			if err := s.tick(ctx); err != nil {
				return err
			}
			if s.cfg.Watch != nil {
				if text := s.cfg.Watch(s.snapshot()); text != "" {
					s.view.note(s.elapsed(), text)
				}
			}
			s.cfg.Screen.show(&s.view, s.elapsed())
		}
	}
}

func (s *swarm) elapsed() time.Duration { return time.Since(s.cfg.Started) }

// tick starts the processes that are due, runs the fault script, and begins the sale
// when the model is trained and a miner has tokens.
func (s *swarm) tick(ctx context.Context) error {
	now := time.Now()
	for _, name := range s.order {
		p := s.procs[name]
		if p.cmd == nil && !p.restart.IsZero() && now.After(p.restart) {
			s.view.state(name, starting, "")
			if err := s.children.start(p); err != nil {
				return err
			}
		}
		if p.cmd != nil && now.Sub(p.began) > settledLife {
			p.failures = 0
		}
	}
	if err := s.faults(); err != nil {
		return err
	}
	if s.trained != nil && !s.sold {
		if seller, amount := s.seller(); amount > 0 {
			s.sold = true
			go s.sell(ctx, seller, amount)
		}
	}
	return nil
}

// faults executes the steps of the fault script that are due.
func (s *swarm) faults() error {
	coordinator := s.procs[CoordinatorName]
	for _, f := range s.script.due(s.view.round, s.elapsed(), coordinator.cmd == nil && coordinator.killed) {
		if err := s.fault(f); err != nil {
			return err
		}
	}
	return nil
}

// fault executes one step of the fault script.
func (s *swarm) fault(f Fault) error {
	p := s.procs[f.Target]
	s.view.note(s.elapsed(), "fault script: "+f.String())
	switch {
	case f.Kill && p.cmd != nil:
		p.killed = true
		s.view.state(p.name, down, "killed by the fault script")
		kill(p.cmd)
	case f.Kill:
		p.killed, p.restart = true, time.Time{}
	case p.cmd == nil:
		s.view.state(p.name, starting, "")
		return s.children.start(p)
	default: // it runs, or is ending just now and must start again
		p.killed = false
	}
	return nil
}

// message takes in a message of a process.
func (s *swarm) message(m message) error {
	if m.exited {
		return s.exited(m.from, m.err)
	}
	if m.result != nil {
		if m.from.name == CoordinatorName && s.trained == nil {
			s.trained = &report.Trained{}
			if err := json.Unmarshal(m.result, s.trained); err != nil {
				return fmt.Errorf("the coordinator's result: %w", err)
			}
			s.view.trained(s.elapsed(), s.trained)
			s.never(s.trained.Rounds)
		}
		return nil
	}
	switch n := m.notice.(type) {
	case node.Ready:
		m.from.wasReady = true
	case node.Planned:
		s.never(n.Rounds)
	case node.UnitDone:
		if m.from.name == CoordinatorName {
			if s.units[n.Unit] { // a restarted coordinator reports it again
				return nil
			}
			s.units[n.Unit] = true
		}
	}
	s.view.notice(s.elapsed(), m.from.name, m.notice)
	if _, ok := m.notice.(node.RoundDone); ok { // steps may be due
		return s.faults()
	}
	return nil
}

// never drops the steps of the fault script whose round never comes, and says so.
func (s *swarm) never(last int) {
	for _, f := range s.script.late(last) {
		s.view.note(s.elapsed(), fmt.Sprintf("fault script: %q never happens: the run has %d rounds", f, last))
	}
}

// exited plans the restart of a process that ended by itself. A process that cannot
// start, or that ends with an error again and again, ends the swarm.
func (s *swarm) exited(p *process, err error) error {
	p.cmd = nil
	if p.killed {
		return nil
	}
	if _, other := minerNumber(p.name); other == nil && err == nil && p.wasReady {
		p.killed = true // its user had it finish, or stopped it: only the fault script starts it again
		s.view.state(p.name, down, "it has ended, as it was told")
		s.view.note(s.elapsed(), p.name+" has ended, as it was told")
		return nil
	}
	if !signalled(err) {
		p.failures++
	}
	// An error at the first start, such as a wrong flag, would only repeat itself.
	if (!p.wasReady && !signalled(err)) || p.failures >= maxFailures {
		return fmt.Errorf("%s ended: %s (its log is %s)", p.name, p.why(), p.home.Log())
	}
	pause := min(time.Second<<p.failures, maxPause)
	if signalled(err) {
		pause = time.Second
	}
	reason := "it ended"
	if err != nil {
		reason = err.Error()
	}
	p.restart = time.Now().Add(pause)
	s.view.state(p.name, down, reason)
	s.view.note(s.elapsed(), fmt.Sprintf("%s: %s; starting it again in %v", p.name, reason, pause))
	return nil
}

// drain asks every process to end, first those that need others, and kills a process
// that does not.
func (s *swarm) drain() {
	var miners, ledgers []string
	for _, name := range s.order {
		switch {
		case isValidator(name):
			ledgers = append(ledgers, name)
		case name != CoordinatorName:
			miners = append(miners, name)
		}
	}
	s.end(40*time.Second, CoordinatorName) // which claims the accepted units
	s.end(10*time.Second, miners...)
	s.end(15*time.Second, ledgers...)
	s.children.close()
}

// end asks processes to end and waits for them. It kills them when its patience ends.
func (s *swarm) end(patience time.Duration, names ...string) {
	left := 0
	for _, name := range names {
		if p := s.procs[name]; p.cmd != nil {
			terminate(p.cmd)
			left++
		}
	}
	timeout := time.After(patience)
	for left > 0 {
		select {
		case m := <-s.children.messages:
			if m.exited {
				m.from.cmd = nil
				if slices.Contains(names, m.from.name) {
					left--
				}
			}
		case <-timeout:
			for _, name := range names {
				if p := s.procs[name]; p.cmd != nil {
					kill(p.cmd)
				}
			}
			timeout = nil
		}
	}
}

// balances takes in the ledger's books.
func (s *swarm) balances(b books) {
	s.view.ledger(b)
	if b.err == nil && s.firstMint == 0 && b.supply.Minted > 0 {
		s.firstMint = s.elapsed()
		s.view.note(s.firstMint, "the first token is minted")
	}
}
