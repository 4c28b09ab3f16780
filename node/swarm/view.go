package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// view is the state of a swarm as a person sees it. Notices and the ledger's books
// change it; render draws it.
type view struct {
	network string // name and short id
	pair    string // languages, source to target
	phase   string

	round, rounds int
	losses        []float64       // one for each round that was watched
	valid         float64         // the newest validation loss
	speed         float64         // target tokens per second, smoothed
	roundEnds     []time.Duration // of the last rounds

	miners []minerView
	others []string          // the other processes, as they are shown
	down   map[string]string // those of others that do not run, and why

	height         uint64
	minted, supply uint64 // amounts
	ledgerDown     bool

	notes []note
	noted int // notes since the start, including those dropped
}

// minerView is the line of a miner.
type minerView struct {
	name    string
	account protocol.Account
	device  string // what it computes with, such as avx512
	units   int    // accepted
	balance uint64 // amount
	state   procState
	reason  string
}

// note is a line below the miners.
type note struct {
	at   time.Duration
	text string
}

// procState is the state of a process.
type procState int

const (
	starting procState = iota
	idle
	working
	down
	later // not started yet
)

func (s procState) String() string {
	return [...]string{"starting", "idle", "working", "down", "later"}[s]
}

const (
	keepNotes = 100
	keepEnds  = 10 // rounds from which the time left is estimated
)

// newView returns the view of a swarm before anything has happened. order has the
// names of its processes.
func newView(n node.Network, cfg Config, members map[string]*member, order []string) view {
	v := view{
		network: n.Name + " " + n.Net().Short()[:8], pair: cfg.Source + " to " + cfg.Target,
		phase: "starting", down: map[string]string{},
	}
	for _, name := range order {
		number, err := minerNumber(name)
		if err != nil {
			v.others = append(v.others, name)
			continue
		}
		m := minerView{name: name, account: members[name].account, device: "auto"}
		if len(cfg.Devices) > 0 {
			m.device = cfg.Devices[(number-1)%len(cfg.Devices)]
		}
		v.miners = append(v.miners, m)
	}
	return v
}

// note adds a line.
func (v *view) note(at time.Duration, text string) {
	v.notes = append(v.notes, note{at, text})
	v.noted++
	if len(v.notes) > keepNotes {
		v.notes = slices.Delete(v.notes, 0, len(v.notes)-keepNotes)
	}
}

// state sets the state of a process, and its reason.
func (v *view) state(name string, s procState, reason string) {
	for i := range v.miners {
		if v.miners[i].name == name {
			v.miners[i].state, v.miners[i].reason = s, reason
			return
		}
	}
	if s == down {
		v.down[name] = reason
	} else {
		delete(v.down, name)
	}
}

// miner returns the miner of an account, or nil.
func (v *view) miner(a protocol.Account) *minerView {
	for i := range v.miners {
		if v.miners[i].account == a {
			return &v.miners[i]
		}
	}
	return nil
}

// nameOf returns a miner's name, or an account that is not a member's.
func (v *view) nameOf(a protocol.Account) string {
	if m := v.miner(a); m != nil {
		return m.name
	}
	return a.Short()
}

// notice takes in a notice of a process.
func (v *view) notice(at time.Duration, from string, n node.Notice) {
	switch n := n.(type) {
	case node.Ready:
		v.state(from, idle, "")
	case node.Decided:
		v.note(at, n.Text)
	case node.Planned:
		v.planned(at, n)
	case node.Resumed:
		v.note(at, n.Text)
	case node.RoundDone:
		v.roundDone(at, n)
	case node.UnitDone:
		v.unitDone(from, n)
	case node.UnitProgress:
		if n.Miner == (protocol.Account{}) { // a miner reports its own units without its account
			v.state(from, working, fmt.Sprintf("%s unit %.0f %%", n.Task, 100*n.Done))
		}
	case node.MinerIdle:
		v.state(from, idle, n.Text)
	case node.MinerJoined:
		v.joined(at, n)
	case node.MinerLeft:
		v.note(at, fmt.Sprintf("%s left: %s", v.nameOf(n.Miner), n.Text))
	case node.Refused:
		if n.Code != protocol.Superseded.String() { // normal: of two miners with one unit one is slower
			v.note(at, fmt.Sprintf("%s: %s", from, n.Text))
		}
	case node.Waiting:
		v.note(at, fmt.Sprintf("%s: %s", from, n.Text))
	}
}

// planned begins the run, or continues one that an earlier process began.
func (v *view) planned(at time.Duration, n node.Planned) {
	v.round, v.rounds, v.phase = max(v.round, n.Round), n.Rounds, "training"
	v.note(at, n.String())
}

// joined notes what a miner computes with: the first word of its description.
func (v *view) joined(at time.Duration, n node.MinerJoined) {
	device, _, _ := strings.Cut(n.Text, " ")
	if m := v.miner(n.Miner); m != nil && device != "" {
		m.device = device
	}
	v.note(at, v.nameOf(n.Miner)+" joined")
}

func (v *view) roundDone(at time.Duration, n node.RoundDone) {
	if n.Round <= v.round { // a restarted coordinator repeats its last rounds
		return
	}
	v.round, v.rounds = n.Round, n.Rounds
	v.losses = append(v.losses, n.Loss)
	if n.Valid != 0 {
		v.valid = n.Valid
		v.note(at, fmt.Sprintf("epoch %d: loss %.3f, validation %.3f, BLEU %.2f", n.Epoch, n.Loss, n.Valid, n.BLEU))
	}
	if n.Seconds > 0 {
		speed := float64(n.Tokens) / n.Seconds
		if v.speed > 0 {
			speed = 0.8*v.speed + 0.2*speed
		}
		v.speed = speed
	}
	if v.roundEnds = append(v.roundEnds, at); len(v.roundEnds) > keepEnds {
		v.roundEnds = slices.Delete(v.roundEnds, 0, 1)
	}
	if v.round == v.rounds {
		v.phase = "translating the held-out pairs"
	}
}

// unitDone counts an accepted unit as the coordinator reports it. From a miner's own
// report only the miner's state is taken.
func (v *view) unitDone(from string, n node.UnitDone) {
	for i := range v.miners {
		m := &v.miners[i]
		if from == CoordinatorName && m.account == n.Miner {
			m.units++
		}
		if m.name == from && m.state != down {
			m.state, m.reason = working, ""
		}
	}
}

// trained takes in the coordinator's result. A run that ended early, or in an
// earlier swarm, had all of its rounds.
func (v *view) trained(at time.Duration, t *report.Trained) {
	v.round, v.rounds, v.roundEnds = t.Rounds, t.Rounds, nil
	if len(v.losses) == 0 {
		v.losses, v.valid = []float64{t.TrainLoss}, t.ValidLoss
	}
	v.phase = "trained; the customer buys tokens"
	v.note(at, "the model is trained")
}

// ledger takes in the books of a height, or the error of reading them.
func (v *view) ledger(b books) {
	v.ledgerDown = errors.Is(b.err, light.ErrUnreachable) && v.height > 0
	if b.err != nil {
		return
	}
	v.height, v.minted, v.supply = b.height, b.supply.Minted, b.supply.Total()
	for i := range v.miners {
		v.miners[i].balance = b.balance(v.miners[i].account)
	}
}

// ledgers counts the ledger nodes, and those of them that run.
func (v *view) ledgers() (up, all int) {
	for _, name := range v.others {
		if !isValidator(name) {
			continue
		}
		all++
		if _, isDown := v.down[name]; !isDown {
			up++
		}
	}
	return up, all
}

// left estimates the time until the last round ends; 0 means that it is unknown.
func (v *view) left() time.Duration {
	n := len(v.roundEnds)
	if n < 3 {
		return 0
	}
	return (v.roundEnds[n-1] - v.roundEnds[0]) / time.Duration(n-1) * time.Duration(v.rounds-v.round)
}
