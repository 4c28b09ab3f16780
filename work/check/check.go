// Package check checks the form of results without computing them.
//
// An [Expectation] says what the result of a unit costs, how many tokens it counts,
// and the names, types, shapes and most bytes of every output. It follows from the
// unit's inputs, in microseconds to a few milliseconds. A result that a peer
// claims is checked by the cheapest check first: the record of the result, then the
// record of each output, and only then the outputs' elements.
//
// A result that passes can still be wrong in its values: only computing the unit
// again shows that. A result that does not pass is wrong for certain, except where
// the error's reason is [Unavailable] or [Defect].
//
//	c := check.New()
//	e, err := c.Expect(ctx, store, u)                    // before the unit is leased
//	err = e.Check(ctx, result, check.Held{Blocks: store}) // before its result is accepted
//	var bad *check.Error
//	if errors.As(err, &bad) { fmt.Println(bad.Reason, bad.Output, bad.Tensor) }
package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// Reason names the error in a result, for programs.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	WrongUnit   Reason = "wrong-unit"  // the result is of another unit, or of a version not known here
	Defect      Reason = "defect"      // the result claims to be not finite: believe it when another machine says so too
	NoDefect    Reason = "no-defect"   // a defect that this unit cannot have, or that no worker describes so
	Outputs     Reason = "outputs"     // another number of outputs than the kind gives
	Sums        Reason = "sums"        // losses that no batch has: NaN, infinite, negative, or of a kind without any
	Tokens      Reason = "tokens"      // another number of tokens
	Cost        Reason = "cost"        // another cost
	Codec       Reason = "codec"       // a CID that is not of the right codec, or is missing
	Unavailable Reason = "unavailable" // a block could not be had
	Malformed   Reason = "malformed"   // a record that is not canonical
	Form        Reason = "form"        // tensors of other names, types or shapes, or other numbers of leaves or segments
	Size        Reason = "size"        // a block of another size, or larger than it can be
	Value       Reason = "value"       // an element that no honest output holds: NaN, an infinity, a negative scale or second moment
	Text        Reason = "text"        // a segment that the model cannot have written
)

// Error describes an error in a result.
type Error struct {
	Reason Reason
	Output int    // the index of the output; -1 where it is the result itself
	Tensor string // the tensor of the output, where it is one's
	Err    error
}

func (e *Error) Error() string {
	var where string
	if e.Output >= 0 {
		where = fmt.Sprintf("output %d: ", e.Output)
	}
	if e.Tensor != "" {
		where += fmt.Sprintf("tensor %s: ", e.Tensor)
	}
	return where + e.Err.Error()
}

// Unwrap gives the detail.
func (e *Error) Unwrap() error { return e.Err }

// wrong is an error of a whole result, or of output number output.
func wrong(r Reason, output int, format string, args ...any) error {
	return &Error{Reason: r, Output: output, Err: fmt.Errorf(format, args...)}
}

// Want is a block to be fetched, and the most bytes it may have.
type Want struct {
	CID  cid.Cid
	Most int
}

// ErrTooLarge is wrapped by the error of a Fetch that found a block of more bytes
// than wanted.
var ErrTooLarge = errors.New("the block is larger than it can be")

// Blocks are the blocks of a result, wherever they are.
type Blocks interface {
	// Fetch brings blocks here. It takes no more bytes of one than wanted.
	Fetch(ctx context.Context, wants []Want) error
	// Get gives the bytes of a block that was fetched.
	Get(ctx context.Context, c cid.Cid) ([]byte, error)
}

// Held is blocks that are all here.
type Held struct{ Blocks block.Blocks }

// Fetch does nothing: whatever is missing is found out by Get.
func (h Held) Fetch(context.Context, []Want) error { return nil }

// Get gives a block.
func (h Held) Get(ctx context.Context, c cid.Cid) ([]byte, error) { return h.Blocks.Get(ctx, c) }

// Range is the numbers from Least to Most.
type Range struct{ Least, Most uint64 }

func exactly(n uint64) Range { return Range{n, n} }

func (r Range) holds(n uint64) bool { return r.Least <= n && n <= r.Most }

// String is "7" or "7 to 9".
func (r Range) String() string {
	if r.Least == r.Most {
		return fmt.Sprint(r.Least)
	}
	return fmt.Sprintf("%d to %d", r.Least, r.Most)
}

// Expectation is the expected form of a unit's result, known before the unit is computed.
type Expectation struct {
	Unit block.Link
	Kind unit.Kind
	// Read is the tokens of the batches' targets, or for Translate of the segments,
	// EOS included.
	Read uint64
	// Tokens and Cost, in FLOP, are the ranges of these fields in the result. They are exact but for
	// Translate, where they depend on what is written.
	Tokens, Cost Range
	Outputs      []Output

	measures bool   // losses are summed
	smooths  bool   // the loss is not the negative log-likelihood
	texts    *texts // of Translate
	cannot   string // why the result cannot be a defect, if so
}

// MFLOP is the most the unit costs in the unit of attestations and the ledger.
func (e *Expectation) MFLOP() uint64 { return unit.Result{Cost: e.Cost.Most}.MFLOP() }

// Bytes is the most bytes of all outputs.
func (e *Expectation) Bytes() (n uint64) {
	for _, o := range e.Outputs {
		n += o.Bytes()
	}
	return n
}

// Checker finds the expected form of results. It keeps what it read of runs, models and
// tokenizers, which changes how fast it is and nothing else. It is safe for
// concurrent use.
type Checker struct {
	mu         sync.Mutex // guards the rest
	meters     []kept[nmt.Config, *nmt.Meter]
	runs       []kept[block.Link, *training]
	tokenizers []kept[vocabulary, model.Tokenizer]
}

// kept is a value and its key.
type kept[K comparable, V any] struct {
	key   K
	value V
}

// keep is how many values of a sort a Checker keeps: those of the runs and models
// that one node works for at a time.
const keep = 8

// New returns a Checker that knows nothing yet.
func New() *Checker { return &Checker{} }

// recall gives the value of a key in one of c's lists, and makes it where it is
// not there. Two who make it at the same time make the same.
func recall[K comparable, V any](c *Checker, list *[]kept[K, V], key K, make func() (V, error)) (V, error) {
	c.mu.Lock()
	for i, k := range *list {
		if k.key == key { // the one used last stands last
			*list = append(slices.Delete(*list, i, i+1), k)
			c.mu.Unlock()
			return k.value, nil
		}
	}
	c.mu.Unlock()
	v, err := make()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(*list) == keep {
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, kept[K, V]{key, v})
	return v, nil
}

func (c *Checker) meter(cfg nmt.Config) *nmt.Meter {
	m, _ := recall(c, &c.meters, cfg, func() (*nmt.Meter, error) { return nmt.NewMeter(cfg), nil })
	return m
}

// expect is, by kind, how the expectation of a unit is found.
var expect = map[unit.Kind]func(*Checker, context.Context, block.Blocks, unit.Unit, *Expectation) error{
	unit.Gradient:   (*Checker).gradient,
	unit.LocalSteps: (*Checker).gradient,
	unit.Combine:    (*Checker).combine,
	unit.Evaluate:   (*Checker).evaluate,
	unit.Average:    (*Checker).average,
	unit.Translate:  (*Checker).translate,
}

// Expect finds the expected form of a unit's result. It reads from b the
// records that the unit names, its batches, its text and its tokenizer, but no
// parameters. It takes no memory that these do not fill. It fails where a
// worker could not do the unit either.
func (c *Checker) Expect(ctx context.Context, b block.Blocks, u unit.Unit) (*Expectation, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	e := &Expectation{Unit: u.ID(), Kind: u.Kind}
	if err := expect[u.Kind](c, ctx, b, u, e); err != nil {
		return nil, fmt.Errorf("expect of %s unit %s: %w", u.Kind, e.Unit, err)
	}
	return e, nil
}

// Check compares a result with the expectation: [Expectation.CheckRecord], and
// then its outputs, whose blocks it has fetched as far as they are worth it.
func (e *Expectation) Check(ctx context.Context, r unit.Result, b Blocks) error {
	err := e.CheckRecord(r)
	if err == nil && e.texts != nil {
		err = e.checkText(ctx, r, b)
	} else {
		for i := 0; i < len(e.Outputs) && err == nil; i++ {
			err = e.Outputs[i].check(ctx, i, r.Outputs[i], b)
		}
	}
	if err != nil {
		return fmt.Errorf("%s unit %s: %w", e.Kind, e.Unit, err)
	}
	return nil
}

// MaxResult is the most bytes of a result's record: its links are few and its
// detail is short.
const MaxResult = 2048

// Receive fetches the result that l names and checks it.
func (e *Expectation) Receive(ctx context.Context, l block.Link, b Blocks) (unit.Result, error) {
	r, err := e.receive(ctx, l, b)
	if err == nil {
		err = e.Check(ctx, r, b)
	}
	return r, err
}

func (e *Expectation) receive(ctx context.Context, l block.Link, b Blocks) (unit.Result, error) {
	if !l.Defined() || block.Codec(l.Type()) != block.CBOR {
		return unit.Result{}, wrong(Codec, -1, "%s is not the CID of a CBOR block", l)
	}
	data, err := get(ctx, -1, l, MaxResult, b)
	if err != nil {
		return unit.Result{}, err
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return r, wrong(Malformed, -1, "%w", err)
	}
	return r, nil
}

// CheckRecord compares the record of a result with the expectation, without its
// outputs. A well-formed claim that the result is not finite is an error of the
// reason [Defect] and a [unit.ErrDefect].
func (e *Expectation) CheckRecord(r unit.Result) error {
	switch {
	case r.Version != 1 || r.Unit != e.Unit:
		return wrong(WrongUnit, -1, "the result is of version %d and of unit %s", r.Version, r.Unit)
	case r.Defect != 0:
		return e.checkDefect(r)
	case len(r.Outputs) != len(e.Outputs):
		return wrong(Outputs, -1, "%d outputs, want %d", len(r.Outputs), len(e.Outputs))
	case r.Detail != "":
		return wrong(Outputs, -1, "a result with outputs has the detail of a defect, %q", r.Detail)
	}
	if err := e.checkSums(r); err != nil {
		return err
	}
	for i, l := range r.Outputs {
		if !l.Defined() || block.Codec(l.Type()) != block.CBOR {
			return wrong(Codec, i, "%s is not the CID of a CBOR block", l)
		}
	}
	return nil
}

// checkSums checks losses, tokens and cost.
func (e *Expectation) checkSums(r unit.Result) error {
	loss, nll := math.Float32frombits(r.Loss), math.Float32frombits(r.NLL)
	switch {
	case !e.measures && (r.Loss != 0 || r.NLL != 0):
		return wrong(Sums, -1, "loss %v and negative log-likelihood %v of a unit that measures none", loss, nll)
	case r.Loss&exponent == exponent || r.NLL&exponent == exponent:
		return wrong(Sums, -1, "loss %v, negative log-likelihood %v", loss, nll)
	case r.NLL&sign != 0: // the log of the sum of exponentials is at least each logit
		return wrong(Sums, -1, "a negative log-likelihood of %v, which is below zero", nll)
	case e.measures && !e.smooths && r.Loss != r.NLL:
		return wrong(Sums, -1, "loss %v differs from the negative log-likelihood %v in a run that smooths no labels", loss, nll)
	case !e.Tokens.holds(uint64(r.Tokens)):
		return wrong(Tokens, -1, "%d tokens, want %v", r.Tokens, e.Tokens)
	case !e.Cost.holds(r.Cost):
		return wrong(Cost, -1, "a cost of %d FLOP, want %v", r.Cost, e.Cost)
	}
	return nil
}

// checkDefect checks a result that has no outputs because it is not finite.
func (e *Expectation) checkDefect(r unit.Result) error {
	switch {
	case r.Defect != unit.NonFinite || !strings.Contains(r.Detail, nmt.ErrNonFinite.Error()):
		return wrong(NoDefect, -1, "defect %d with the detail %q, which no worker gives", r.Defect, r.Detail)
	case e.cannot != "":
		return wrong(NoDefect, -1, "defect %d, though %s", r.Defect, e.cannot)
	case len(r.Outputs) > 0:
		return wrong(Outputs, -1, "%d outputs of a result that is not finite", len(r.Outputs))
	case r.Loss != 0 || r.NLL != 0:
		return wrong(Sums, -1, "losses of a result that is not finite")
	case r.Tokens != 0:
		return wrong(Tokens, -1, "%d tokens of a result that is not finite", r.Tokens)
	case r.Cost != 0:
		return wrong(Cost, -1, "a cost of %d FLOP of a result that is not finite", r.Cost)
	}
	return wrong(Defect, -1, "%s: %w", r.Detail, unit.ErrDefect)
}
