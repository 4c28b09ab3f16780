package swarm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
)

// view is what a person sees of a swarm. It changes by events; how it is shown
// is render's business.
type view struct {
	network string // name and short id
	pair    string // languages, source to target
	phase   string

	round, rounds, epoch int
	losses               []float64 // of every round
	valid                float64   // the last one
	speed                float64   // target tokens per second, smoothed
	paces                []time.Duration

	miners []minerView
	down   map[string]string // processes other than miners that do not run, and why

	height         uint64
	minted, supply uint64
	ledgerDown     bool

	notes []note
	noted int // notes ever made
}

// minerView is a miner's line.
type minerView struct {
	name    string
	account protocol.Account
	device  string
	units   int
	balance uint64
	state   state
	reason  string
}

// note is a line of the log below.
type note struct {
	at   time.Duration
	text string
}

// state is what a process is doing.
type state int

const (
	stateStarting state = iota
	stateWaiting
	stateWorking
	stateDown
	stateLater
)

func (s state) String() string {
	return [...]string{"starting", "waiting", "working", "down", "not yet here"}[s]
}

const (
	keepNotes = 100
	keepPaces = 10 // rounds that the estimate of the end looks back at
)

func newView(n node.Network, cfg Config, members map[string]*member, order []string) view {
	v := view{
		network: n.Name + " " + n.Net().Short()[:8], pair: cfg.Source + " to " + cfg.Target,
		phase: "starting", down: map[string]string{},
	}
	for _, name := range order {
		number, err := minerNumber(name)
		if err != nil {
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

// note adds a line to the log.
func (v *view) note(at time.Duration, text string) {
	v.notes = append(v.notes, note{at, text})
	v.noted++
	if len(v.notes) > keepNotes {
		v.notes = slices.Delete(v.notes, 0, len(v.notes)-keepNotes)
	}
}

// state notes what a process is doing.
func (v *view) state(name string, s state, reason string) {
	for i := range v.miners {
		if v.miners[i].name == name {
			v.miners[i].state, v.miners[i].reason = s, reason
			return
		}
	}
	if s == stateDown {
		v.down[name] = reason
	} else {
		delete(v.down, name)
	}
}

// nameOf is the miner's name, or an account that is no member's.
func (v *view) nameOf(a protocol.Account) string {
	for _, m := range v.miners {
		if m.account == a {
			return m.name
		}
	}
	return a.Short()
}

// notice takes in a notice of a process.
func (v *view) notice(at time.Duration, from string, n node.Notice) {
	switch n := n.(type) {
	case node.Ready:
		v.state(from, stateWaiting, "")
	case node.Decided:
		v.note(at, n.Text)
	case node.Planned:
		v.rounds, v.phase = n.Rounds, "training"
		v.note(at, fmt.Sprintf("%s of %d rounds", n.Text, n.Rounds))
	case node.RoundDone:
		v.roundDone(at, n)
	case node.UnitDone:
		v.unit(from, n)
	case node.UnitProgress:
		if n.Miner == (protocol.Account{}) { // the miner's own word
			v.state(from, stateWorking, fmt.Sprintf("%.0f %% of a %s unit", 100*n.Done, n.Task))
		}
	case node.MinerIdle:
		v.state(from, stateWaiting, n.Text)
	case node.MinerJoined:
		v.note(at, v.nameOf(n.Miner)+" bids")
	case node.MinerLeft:
		v.note(at, fmt.Sprintf("%s has left: %s", v.nameOf(n.Miner), n.Text))
	case node.Refused:
		if n.Code != protocol.Superseded.String() { // of two miners with one unit, the slower: nothing is wrong
			v.note(at, fmt.Sprintf("%s: %s", from, n.Text))
		}
	case node.Waiting:
		v.note(at, fmt.Sprintf("%s: %s", from, n.Text))
	}
}

func (v *view) roundDone(at time.Duration, e node.RoundDone) {
	if e.Round <= v.round { // told again by a restarted coordinator
		return
	}
	v.round, v.rounds, v.epoch = e.Round, e.Rounds, e.Epoch
	v.losses = append(v.losses, e.Loss)
	if e.Valid != 0 {
		v.valid = e.Valid
		v.note(at, fmt.Sprintf("epoch %d: loss %.3f, validation %.3f, BLEU %.2f", e.Epoch, e.Loss, e.Valid, e.BLEU))
	}
	if e.Seconds > 0 {
		speed := float64(e.Tokens) / e.Seconds
		if v.speed > 0 {
			speed = 0.8*v.speed + 0.2*speed
		}
		v.speed = speed
	}
	if v.paces = append(v.paces, at); len(v.paces) > keepPaces {
		v.paces = slices.Delete(v.paces, 0, 1)
	}
	if v.round == v.rounds {
		v.phase = "translating the held-out pairs"
	}
}

// unit counts an accepted unit. The coordinator says whose it was; from a
// miner's own word only its state is taken.
func (v *view) unit(from string, e node.UnitDone) {
	for i := range v.miners {
		m := &v.miners[i]
		if from == CoordinatorName && m.account == e.Miner {
			m.units++
		}
		if m.name == from && m.state != stateDown {
			m.state, m.reason = stateWorking, ""
		}
	}
}

// ledger takes in the books of a height, or why there are none.
func (v *view) ledger(l ledger.Listing, err error) {
	v.ledgerDown = errors.Is(err, light.ErrUnreachable) && v.height > 0
	if err != nil {
		return
	}
	v.height, v.minted, v.supply = l.Height, l.Supply.Minted, l.Supply.Total()
	for i := range v.miners {
		v.miners[i].balance = balanceOf(l, v.miners[i].account)
	}
}

// left is the time until the last round, 0 when it cannot be said yet.
func (v *view) left() time.Duration {
	n := len(v.paces)
	if n < 3 {
		return 0
	}
	return (v.paces[n-1] - v.paces[0]) / time.Duration(n-1) * time.Duration(v.rounds-v.round)
}
