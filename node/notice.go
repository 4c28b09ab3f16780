package node

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/run"
)

// A Notice is a message of a node to its user. Each kind of notice is a
// struct of this file. String is one sentence for people.
type Notice interface {
	Kind() string // names the kind in JSON, such as "round"
	String() string
}

// Reporter receives notices. It must not block.
type Reporter func(Notice)

// Why is a reason: a code that a program can compare, and a text for people.
type Why struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// newWhy returns the Why of a reason of the protocol. detail may be empty.
func newWhy(r protocol.Reason, detail string) Why {
	w := Why{Code: r.String(), Text: r.Text()}
	if detail != "" {
		w.Text += ": " + detail
	}
	return w
}

// Ready says that a process answers at an address.
type Ready struct {
	Miner protocol.Account `json:"miner,omitzero"` // account of the process
	Text  string           `json:"text,omitempty"` // the address
}

// Decided says which value the program chose for an option set to auto.
type Decided struct {
	Text string `json:"text,omitempty"`
}

// Planned says that a training run begins or continues.
type Planned struct {
	Round  int    `json:"round,omitempty"` // rounds done before this process began
	Rounds int    `json:"rounds,omitempty"`
	Text   string `json:"text,omitempty"` // names the run
}

// Resumed says that what a notice of [Waiting] waited for has come, or from where a run
// goes on that is not quite as it was left, and why.
type Resumed struct {
	Round int    `json:"round,omitempty"` // rounds done
	Text  string `json:"text,omitempty"`
}

// MinerJoined says that a miner has bid for the work.
type MinerJoined struct {
	Miner  protocol.Account `json:"miner,omitzero"`
	Miners int              `json:"miners,omitempty"` // connected now
	MFLOP  uint64           `json:"mflop,omitempty"`  // per second, as the miner claims
	Text   string           `json:"text,omitempty"`   // what it computes with
}

// MinerLeft says that a miner is gone.
type MinerLeft struct {
	Why
	Miner  protocol.Account `json:"miner,omitzero"`
	Miners int              `json:"miners,omitempty"` // connected now
}

// RoundDone says that a round of a training run is done.
type RoundDone struct {
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
	Units   int     `json:"units,omitempty"`
	// Samples are some of the validation pairs, translated.
	Samples []Sample `json:"samples,omitempty"`
}

// Waiting says that the work cannot continue now, and why.
type Waiting struct {
	Why
	Units int `json:"units,omitempty"` // that wait
}

// Bidding says that this miner bids for a work.
type Bidding struct {
	Work string `json:"work,omitempty"`
	Text string `json:"text,omitempty"` // what is offered
}

// UnitProgress says which part of a unit a miner has computed.
type UnitProgress struct {
	Miner protocol.Account `json:"miner,omitzero"`
	Unit  string           `json:"unit,omitempty"`
	Task  string           `json:"kind,omitempty"` // the unit's kind
	Done  float64          `json:"done,omitempty"` // 0 to 1
}

// UnitDone says that a miner's result of a unit was accepted. A publisher
// reports it of its miners, a miner of itself.
type UnitDone struct {
	Miner   protocol.Account `json:"miner,omitzero"`
	Unit    string           `json:"unit,omitempty"`
	Task    string           `json:"kind,omitempty"`  // the unit's kind
	MFLOP   uint64           `json:"mflop,omitempty"` // its cost
	Seconds float64          `json:"seconds,omitempty"`
	Price   uint64           `json:"price,omitempty"` // amount for a GFLOP of a job; a run's rate is the ledger's
}

// Refused says that a result or a bid was refused, or a unit given up.
type Refused struct {
	Why
	Miner protocol.Account `json:"miner,omitzero"`
	Unit  string           `json:"unit,omitempty"`
}

// MinerIdle says why this miner has no unit.
type MinerIdle struct{ Why }

// PassedOver is an open offer on which this miner does not bid, and why.
type PassedOver struct {
	Work      string           `json:"work"`
	Publisher protocol.Account `json:"publisher"`
	Reason    Why              `json:"reason"`
}

// UnitsSettled says that units are claimed on the ledger, which pays them some heights later.
type UnitsSettled struct {
	Units int `json:"units,omitempty"`
}

// UnitsPaid says that the ledger has paid this miner for units, which it claimed some
// heights before.
type UnitsPaid struct {
	Amount uint64 `json:"amount,omitempty"` // since the last such notice
	Total  uint64 `json:"total,omitempty"`  // amount since the miner started
}

// EscrowClosed says that the unspent part of the escrow of a job came back to the
// customer.
type EscrowClosed struct {
	Job    string `json:"job"`
	Amount uint64 `json:"amount,omitempty"`
}

// The kinds are part of the JSON that programs read.

func (Ready) Kind() string        { return "ready" }
func (Decided) Kind() string      { return "decided" }
func (Planned) Kind() string      { return "planned" }
func (Resumed) Kind() string      { return "resumed" }
func (MinerJoined) Kind() string  { return "joined" }
func (MinerLeft) Kind() string    { return "left" }
func (RoundDone) Kind() string    { return "round" }
func (Waiting) Kind() string      { return "waiting" }
func (Bidding) Kind() string      { return "bid" }
func (UnitProgress) Kind() string { return "progress" }
func (UnitDone) Kind() string     { return "unit" }
func (Refused) Kind() string      { return "refused" }
func (MinerIdle) Kind() string    { return "idle" }
func (PassedOver) Kind() string   { return "passed-over" }
func (UnitsSettled) Kind() string { return "settled" }
func (UnitsPaid) Kind() string    { return "paid" }
func (EscrowClosed) Kind() string { return "escrow-closed" }

func (n Ready) String() string   { return "ready at " + n.Text }
func (n Decided) String() string { return n.Text }

func (n Planned) String() string {
	if n.Round > 0 {
		return fmt.Sprintf("%s: %d of %s done", n.Text, n.Round, english.Plural(n.Rounds, "round", ""))
	}
	return fmt.Sprintf("%s: %s", n.Text, english.Plural(n.Rounds, "round", ""))
}

func (n Resumed) String() string { return n.Text }

func (n MinerJoined) String() string {
	return fmt.Sprintf("miner %s joined, %s; %d connected", n.Miner.Short(), n.Text, n.Miners)
}

func (n MinerLeft) String() string {
	return fmt.Sprintf("miner %s left, %s; %d connected", n.Miner.Short(), n.Text, n.Miners)
}

func (n RoundDone) String() string {
	return fmt.Sprintf("round %d of %d, epoch %d, loss %.3f", n.Round, n.Rounds, n.Epoch, n.Loss)
}

func (n Waiting) String() string {
	if n.Units > 0 {
		return fmt.Sprintf("waiting with %s: %s", english.Plural(n.Units, "unit", ""), n.Text)
	}
	return "waiting: " + n.Text
}

func (n Bidding) String() string { return "bids for " + n.Text }

func (n UnitProgress) String() string {
	return fmt.Sprintf("%s unit %s%s: %.0f %% done", n.Task, n.Unit, of(n.Miner), 100*n.Done)
}

func (n UnitDone) String() string {
	return fmt.Sprintf("%s unit %s%s done: %d MFLOP in %.1f s", n.Task, n.Unit, of(n.Miner), n.MFLOP, n.Seconds)
}

func (n Refused) String() string {
	if n.Unit == "" {
		return fmt.Sprintf("refused%s: %s", of(n.Miner), n.Text)
	}
	return fmt.Sprintf("unit %s%s refused: %s", n.Unit, of(n.Miner), n.Text)
}

func (n MinerIdle) String() string { return "idle: " + n.Text }
func (n UnitsSettled) String() string {
	return english.Plural(n.Units, "unit", "") + " claimed on the ledger"
}

func (n PassedOver) String() string {
	return fmt.Sprintf("passes over the offer of %s for %s: %s", n.Publisher.Short(), n.Work, n.Reason.Text)
}

func (n UnitsPaid) String() string {
	return fmt.Sprintf("paid %s ALIA, %s ALIA since the start", protocol.FormatAmount(n.Amount), protocol.FormatAmount(n.Total))
}

func (n EscrowClosed) String() string {
	return fmt.Sprintf("%s ALIA that the translation %s did not cost came back", protocol.FormatAmount(n.Amount), n.Job)
}

// of names a miner, unless it is the reporting one itself.
func of(miner protocol.Account) string {
	if miner == (protocol.Account{}) {
		return ""
	}
	return " of miner " + miner.Short()
}

// EncodeNotice writes a notice as one JSON object, whose first key is "event".
func EncodeNotice(n Notice) ([]byte, error) {
	fields, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("notice %s: %w", n.Kind(), err)
	}
	head := fmt.Sprintf(`{"event":%q`, n.Kind())
	if !bytes.Equal(fields, []byte("{}")) {
		head += ","
	}
	return append([]byte(head), fields[1:]...), nil
}

// DecodeNotice reads what EncodeNotice wrote.
func DecodeNotice(data []byte) (Notice, error) {
	var head struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("notice: %w", err)
	}
	decode, ok := notices[head.Event]
	if !ok {
		return nil, fmt.Errorf("notice of unknown kind %q", head.Event)
	}
	return decode(data)
}

// notices has a decoder for each kind.
var notices = map[string]func([]byte) (Notice, error){
	Ready{}.Kind():        decodeAs[Ready],
	Decided{}.Kind():      decodeAs[Decided],
	Planned{}.Kind():      decodeAs[Planned],
	Resumed{}.Kind():      decodeAs[Resumed],
	MinerJoined{}.Kind():  decodeAs[MinerJoined],
	MinerLeft{}.Kind():    decodeAs[MinerLeft],
	RoundDone{}.Kind():    decodeAs[RoundDone],
	Waiting{}.Kind():      decodeAs[Waiting],
	Bidding{}.Kind():      decodeAs[Bidding],
	UnitProgress{}.Kind(): decodeAs[UnitProgress],
	UnitDone{}.Kind():     decodeAs[UnitDone],
	Refused{}.Kind():      decodeAs[Refused],
	MinerIdle{}.Kind():    decodeAs[MinerIdle],
	PassedOver{}.Kind():   decodeAs[PassedOver],
	UnitsSettled{}.Kind(): decodeAs[UnitsSettled],
	UnitsPaid{}.Kind():    decodeAs[UnitsPaid],
	EscrowClosed{}.Kind(): decodeAs[EscrowClosed],
}

func decodeAs[N Notice](data []byte) (Notice, error) {
	var n N
	if err := json.Unmarshal(data, &n); err != nil {
		return nil, fmt.Errorf("notice %s: %w", n.Kind(), err)
	}
	return n, nil
}

// RoundNotice is the notice of a round of a plan, made from the round's log.
func RoundNotice(p *run.Plan, r run.Round) RoundDone {
	n := RoundDone{
		Round: int(r.Number) + 1, Rounds: p.Rounds(), Epoch: p.Epoch(int(r.Number)) + 1,
		Loss: run.Loss(r.Lines), NLL: run.NLL(r.Lines), Tokens: run.Tokens(r.Lines), Units: len(r.Lines),
		Seconds: roundSeconds(r), Time: r.Ended(),
	}
	if len(r.Valid) > 0 {
		n.Valid = run.NLL(r.Valid)
	}
	if len(r.Translated) > 0 {
		n.BLEU, n.ChrF = float64(r.Scores.BLEU)/10_000, float64(r.Scores.ChrF)/10_000
	}
	return n
}

// roundSeconds is the time from the first unit's start to the end of the combine.
func roundSeconds(r run.Round) float64 {
	first := r.Combine.Started
	for _, e := range r.Lines {
		first = min(first, e.Started)
	}
	return float64(r.Ended()-first) / 1000
}
