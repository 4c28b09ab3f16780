// Package engine translates texts, for everybody who asks: the command line, the gateway
// and the pages.
//
// An [Engine] has models. [Local] computes translations in this process with the models of
// this machine; nobody is paid. [Network] has the miners of a network compute them, and
// pays from the customer's account. Both do it in one way:
//
//	job, err := e.Start(ctx, engine.Request{Texts: texts, Model: m.Link})
//	defer job.Close()
//	for done, err := range job.Texts(ctx) { // as they come, in any sequence
//		...
//		out[done.Index] = done.Text
//	}
//	receipt, err := job.Settle(ctx)
package engine

import (
	"context"
	"iter"
	"slices"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Engine translates texts. It is safe for concurrent use.
type Engine interface {
	// Models returns the models that can be asked for now, the best of each pair of
	// languages first.
	Models(ctx context.Context) ([]Model, error)
	// Start begins the translation of texts. It fails where the request cannot be served;
	// the work itself is done by the job.
	Start(ctx context.Context, r Request) (Job, error)
}

// Model is a model that an engine offers, for one pair of languages. A model with several
// target languages is there for each.
type Model struct {
	Link           block.Link
	Source, Target string // languages, such as "en" and "de"
	// ChrF is the model's score on the test set of its pair, in 0 to 100; 0 is not known.
	ChrF float64
	// Price is the lowest amount that is asked for a GFLOP; 0 where nobody is paid.
	Price uint64
	// Holders is how many miners said that they have the model; 0 for a model of this
	// machine.
	Holders int
}

// each lists a model for each of its target languages, as its codes name them, and first for the
// one that its record names. A text that asks for that one can name another by a code.
func (m Model) each(codes []string) []Model {
	all := []Model{m}
	for _, c := range codes {
		one := m
		if one.Target = text.Tag(c); !slices.ContainsFunc(all, func(m Model) bool { return text.Tag(m.Target) == one.Target }) {
			all = append(all, one)
		}
	}
	return all
}

// Request is what is to be translated, and how.
type Request struct {
	// Texts are translated one by one. A text may have several sentences and lines; its
	// translation has the same white space between them.
	Texts []string
	Model block.Link
	// To is the language to translate into, for a model with several: the Target of a [Model].
	To       string
	Decoding unit.Decoding // zero is [unit.Greedy]
	// Terms are the lines of a glossary, each source once, as package work/terms reads them.
	// Where a source term stands in a sentence, the translation of the sentence contains its
	// target term, verbatim. Start fails if the model cannot write a term.
	Terms []unit.Term
	// Privacy says who may read the texts, and Miners which miners may do the work; see
	// [client.Document]. A local engine ignores both: nobody else reads anything.
	Privacy client.Privacy
	Miners  []protocol.Account
	// Budget is the most to pay, an amount, and Price that for a GFLOP. A local engine
	// ignores both.
	Budget, Price uint64
}

// Quote is what a job can cost at most.
type Quote struct {
	Amount uint64 // 0 where nobody is paid
	MFLOP  uint64
	Units  int
	Job    block.Link // its name; a local job has none
}

// Translated is one text of a job.
type Translated struct {
	Index int // in Request.Texts
	Text  string
}

// Job is a translation that was started.
type Job interface {
	// Quote is known before the work.
	Quote() Quote
	// Texts yields each text once, when it is there. An error ends the sequence. Texts that
	// were done before an interruption come first when the same request is started again.
	Texts(ctx context.Context) iter.Seq2[Translated, error]
	// Settle claims the pay of the miners and returns the job's receipt. All texts must
	// have been yielded.
	Settle(ctx context.Context) (Receipt, error)
	// Close releases the job. A job that was not settled can be started again.
	Close() error
}

// ErrNoFunds is returned, wrapped, where the account that pays has less than a job may cost.
var ErrNoFunds = client.ErrNoFunds

// Receipt is where the receipt of a job is kept, and what it says. A local job has none:
// all fields are zero.
type Receipt struct {
	Job    block.Link
	File   string
	Status string // as [client.Status]
	Amount uint64 // paid, or claimed
	Due    uint64 // the height at which everything is paid; 0 if it is
	Units  int
	// Checked is how many sentences this machine translated again, to check the miners.
	Checked int
	Opened  []client.Opened // the sentences of each unit, of which the receipt has hashes
}
