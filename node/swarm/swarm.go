// Package swarm is a whole network on one machine: a ledger node, a
// coordinator, miners and a customer, each an operating system's process of
// its own with its own home and keys, with faults on schedule.
//
// [Run] starts the processes, restarts those that die unasked, follows them by
// the events they print, and asks the ledger what became of their work. When
// the model is trained, the miner that earned most sells some tokens to the
// customer, who has a document translated for them.
//
//	result, err := swarm.Run(ctx, swarm.Config{
//		Program: exe, Home: dir, Miners: 3, Train: []string{"--preset", "demo"}, Once: true,
//		Screen: swarm.NewScreen(os.Stderr),
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

// Config says what to run.
type Config struct {
	Program string   // the alia binary
	Home    string   // the homes of all processes are below it
	Miners  int      // to begin with
	Devices []string // one for each miner in turn; empty: each chooses
	Train   []string // arguments of alia train that decide the model
	// Source and Target are the languages of the model.
	Source, Target string
	Faults         []Fault
	Document       string // path of the text the customer has translated
	Once           bool   // end when the document is translated
	Started        time.Time
	Screen         *Screen
	// Done is told of the result when it is there; without Once the swarm
	// goes on after that.
	Done func(*report.SwarmResult) error
}

// swarm is a running swarm. Its loop owns it.
type swarm struct {
	cfg     Config
	crowd   *crowd
	members map[string]*member
	network node.Network
	client  *light.Client
	rpc     string // host:port of the ledger
	procs   map[string]*process
	order   []string // of procs, as they are shown
	script  script
	view    view
	units   map[string]bool // accepted, by CID: a resumed run may tell of one twice

	books     chan books
	trained   *report.Trained // the coordinator's result
	sale      chan saleResult // of the sale in progress
	sold      bool            // the sale has begun
	firstMint time.Duration
}

const (
	tick        = 200 * time.Millisecond
	settledLife = 30 * time.Second // a process that lived so long has started well
	maxFailures = 3
	maxPause    = 30 * time.Second
)

// Run runs a swarm until ctx ends, or with Once until it is done. It returns
// when every process is gone.
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
	s.cfg.Screen.Close()
	s.drain()
	cancel()
	return err
}

// open makes the homes and plans the processes.
func open(ctx context.Context, cfg Config) (*swarm, error) {
	s := &swarm{
		cfg: cfg, crowd: newCrowd(cfg.Program), procs: map[string]*process{}, script: script{slices.Clone(cfg.Faults)},
		units: map[string]bool{}, books: make(chan books), sale: make(chan saleResult, 1),
	}
	s.order = []string{LedgerName, CoordinatorName}
	for i := range cfg.Miners {
		s.order = append(s.order, MinerName(i+1))
	}
	for _, f := range cfg.Faults {
		if n, err := minerNumber(f.Target); err == nil && n > cfg.Miners && !slices.Contains(s.order, f.Target) {
			s.order = append(s.order, f.Target)
		}
	}
	var err error
	if s.members, s.network, err = settle(cfg.Home, append([]string{CustomerName}, s.order...)); err != nil {
		return nil, err
	}
	s.client, err = light.Dial(ctx, light.Config{Addrs: s.network.Ledger, Genesis: s.network.Genesis})
	if err != nil {
		return nil, err
	}
	s.rpc = s.network.Ledger[0][len("http://"):]
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
	switch name {
	case LedgerName:
		return append([]string{"ledger", "start", "--rpc", s.rpc, "--approve-runs"}, common...)
	case CoordinatorName:
		args := append([]string{"train", "--stay", "--threads", s.threads()}, s.cfg.Train...)
		return append(args, common...)
	case CustomerName:
		return common
	}
	args := []string{"miner", "run", "--threads", s.threads(), "--languages", s.cfg.Source + "-" + s.cfg.Target}
	if n, _ := minerNumber(name); len(s.cfg.Devices) > 0 { // its name was made or parsed here
		args = append(args, "--device", s.cfg.Devices[(n-1)%len(s.cfg.Devices)])
	}
	return append(args, common...)
}

// threads shares the processors out among the miners.
func (s *swarm) threads() string {
	return strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/max(1, s.cfg.Miners)))
}

// startAll starts what the swarm begins with. Miners above the number asked
// for wait for the script.
func (s *swarm) startAll() error {
	for _, name := range s.order {
		if n, err := minerNumber(name); err == nil && n > s.cfg.Miners {
			s.view.state(name, stateLater, "starts by the fault script")
			s.procs[name].killed = true
			continue
		}
		if err := s.crowd.start(s.procs[name]); err != nil {
			return err
		}
	}
	return nil
}

// loop acts on what the processes say, the clock and the ledger.
func (s *swarm) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.view.note(s.elapsed(), "stopping")
			return ctx.Err()
		case m := <-s.crowd.messages:
			if err := s.message(m); err != nil {
				return err
			}
		case b := <-s.books:
			s.account(b)
		case r := <-s.sale:
			if err := s.finish(r); err != nil || s.cfg.Once {
				return err
			}
		case <-ticker.C:
			if err := s.tick(ctx); err != nil {
				return err
			}
			s.cfg.Screen.Show(&s.view, s.elapsed())
		}
	}
}

func (s *swarm) elapsed() time.Duration { return time.Since(s.cfg.Started) }

// tick starts what is to be started, runs the fault script, and begins the
// sale when the model is there and somebody has tokens.
func (s *swarm) tick(ctx context.Context) error {
	now := time.Now()
	for _, name := range s.order {
		p := s.procs[name]
		if p.cmd == nil && !p.restart.IsZero() && now.After(p.restart) {
			s.view.state(name, stateStarting, "")
			if err := s.crowd.start(p); err != nil {
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

// faults does the steps of the script whose time has come.
func (s *swarm) faults() error {
	coordinator := s.procs[CoordinatorName]
	for _, f := range s.script.due(s.view.round, s.elapsed(), coordinator.cmd == nil && coordinator.killed) {
		if err := s.fault(f); err != nil {
			return err
		}
	}
	return nil
}

// fault does one step of the script.
func (s *swarm) fault(f Fault) error {
	p := s.procs[f.Target]
	s.view.note(s.elapsed(), "fault script: "+f.String())
	switch {
	case f.Kill && p.cmd != nil:
		p.killed = true
		s.view.state(p.name, stateDown, "killed by the fault script")
		kill(p.cmd)
	case f.Kill:
		p.killed, p.restart = true, time.Time{}
	case p.cmd == nil:
		s.view.state(p.name, stateStarting, "")
		return s.crowd.start(p)
	default: // it runs, or dies just now and is to come back
		p.killed = false
	}
	return nil
}

// message takes in what a process said or that it ended.
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
			s.view.phase = "the model is trained; selling tokens to the customer"
			s.view.note(s.elapsed(), "the model is trained")
		}
		return nil
	}
	switch n := m.notice.(type) {
	case node.Ready:
		m.from.ready, m.from.met = true, true
	case node.UnitDone:
		if m.from.name == CoordinatorName {
			if s.units[n.Unit] { // told again by a restarted coordinator
				return nil
			}
			s.units[n.Unit] = true
		}
	}
	s.view.notice(s.elapsed(), m.from.name, m.notice)
	if _, ok := m.notice.(node.RoundDone); ok {
		return s.faults()
	}
	return nil
}

// exited plans the restart of a process that ended unasked. One that cannot
// start, or ends with an error again and again, ends the swarm.
func (s *swarm) exited(p *process, err error) error {
	p.cmd = nil
	if p.killed {
		return nil
	}
	if !signalled(err) {
		p.failures++
	}
	if (!p.met && !signalled(err)) || p.failures >= maxFailures {
		return fmt.Errorf("%s: %s (its log is %s)", p.name, p.why(), p.home.Log())
	}
	pause := min(time.Second<<p.failures, maxPause)
	if signalled(err) {
		pause = time.Second
	}
	reason := "ended"
	if err != nil {
		reason = err.Error()
	}
	p.restart = time.Now().Add(pause)
	s.view.state(p.name, stateDown, reason)
	s.view.note(s.elapsed(), fmt.Sprintf("%s: %s; starting it again in %v", p.name, reason, pause))
	return nil
}

// drain asks every process to end, those that need others first, and kills
// what does not.
func (s *swarm) drain() {
	miners := []string{}
	for _, name := range s.order {
		if name != LedgerName && name != CoordinatorName {
			miners = append(miners, name)
		}
	}
	s.end(40*time.Second, CoordinatorName) // it settles what was accepted
	s.end(10*time.Second, miners...)
	s.end(15*time.Second, LedgerName)
	s.crowd.close()
}

// end terminates processes and waits for them, or kills them after a while.
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
		case m := <-s.crowd.messages:
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

// account takes in what the ledger says.
func (s *swarm) account(b books) {
	s.view.ledger(b.listing, b.err)
	if b.err == nil && s.firstMint == 0 && b.listing.Supply.Minted > 0 {
		s.firstMint = s.elapsed()
		s.view.note(s.firstMint, "the first token is minted")
	}
}
