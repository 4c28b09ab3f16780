package node

import (
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// Event is something a role tells its user. Kind says which fields are set;
// every event in which work waits, or a miner earns nothing, has a Code a
// program can match and a Text a person can read.
type Event struct {
	Kind EventKind `json:"event"`

	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`

	Work  block.Link       `json:"-"`
	Unit  string           `json:"unit,omitempty"`
	Task  string           `json:"kind,omitempty"` // the unit's kind
	Miner protocol.Account `json:"miner,omitzero"`

	Round   int     `json:"round,omitempty"` // rounds done
	Rounds  int     `json:"rounds,omitempty"`
	Epoch   int     `json:"epoch,omitempty"`
	Loss    float64 `json:"loss,omitempty"`
	NLL     float64 `json:"nll,omitempty"`
	Valid   float64 `json:"valid,omitempty"` // NLL of the validation pairs
	BLEU    float64 `json:"bleu,omitempty"`  // of their translation
	ChrF    float64 `json:"chrf,omitempty"`
	Tokens  uint64  `json:"tokens,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Time    uint64  `json:"time,omitempty"` // when the round ended, in milliseconds since the Unix epoch
	MFLOP   uint64  `json:"mflop,omitempty"`
	Units   int     `json:"units,omitempty"`
	Miners  int     `json:"miners,omitempty"`

	Model string             `json:"model,omitempty"`
	Path  string             `json:"path,omitempty"`
	Tests map[string]float64 `json:"tests,omitempty"` // BLEU by test set
}

// EventKind names a kind of event.
type EventKind string

const (
	EventReady    EventKind = "ready"    // the role runs; Text has its address
	EventDecided  EventKind = "decided"  // a number left to the program is set: Text
	EventPlanned  EventKind = "planned"  // a run is planned: Rounds, Units
	EventJoined   EventKind = "joined"   // a miner has bid
	EventLeft     EventKind = "left"     // a miner is gone: Code, Text
	EventRound    EventKind = "round"    // a round is done
	EventWaiting  EventKind = "waiting"  // work waits: Code, Text
	EventUnit     EventKind = "unit"     // a miner did a unit and it was accepted
	EventRefused  EventKind = "refused"  // a result or a bid was refused: Code, Text
	EventIdle     EventKind = "idle"     // a miner has no unit: Code, Text
	EventSettled  EventKind = "settled"  // the ledger has settled Units
	EventFinished EventKind = "finished" // a run is done: Model, Path, Tests
)

// Reporter is told of events. It must not block.
type Reporter func(Event)

// RoundEvent is what there is to tell of a round of a plan, from its log.
func RoundEvent(p *run.Plan, r run.Round) Event {
	e := Event{
		Kind: EventRound, Work: p.Link, Round: int(r.Number) + 1, Rounds: p.Rounds(), Epoch: p.Epoch(int(r.Number)) + 1,
		Loss: run.Loss(r.Lines), NLL: run.NLL(r.Lines), Tokens: run.Tokens(r.Lines), Units: len(r.Lines),
		Seconds: took(r), Time: r.Combine.Started + r.Combine.Took,
	}
	if len(r.Valid) > 0 {
		e.Valid = run.NLL(r.Valid)
	}
	if len(r.Translated) > 0 {
		e.BLEU, e.ChrF = float64(r.Scores.BLEU)/10_000, float64(r.Scores.ChrF)/10_000
	}
	return e
}

// took is the seconds from the first unit's start to the end of the combine.
func took(r run.Round) float64 {
	first := r.Combine.Started
	for _, e := range r.Lines {
		first = min(first, e.Started)
	}
	return float64(r.Combine.Started+r.Combine.Took-first) / 1000
}

func (e Event) because(r protocol.Reason, detail string) Event {
	e.Code, e.Text = r.String(), r.Text()
	if detail != "" {
		e.Text += ": " + detail
	}
	return e
}
