package check

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// Slots is the places of a run's plan to which pay belongs, found from the record of the run
// and from its corpus, without any parameters.
//
// The slots of a round are those of its learning units by index, of its combine, and, where
// the run validates after the round, of its evaluations and its translations by index. One
// more group follows the last round: the average, where the run may have several sets of
// parameters to average, and the translations of all test sets.
//
// A slot whose unit reads the same as an earlier one of its kind and round costs 0: the same
// computation is not paid twice. That holds with dropout too. Its masks differ from one index
// to the next, but where it is small they hardly ever do.
type Slots struct {
	Function block.Link // see [run.Plan.Function]
	// Groups has the slots of round r at r, and those that follow the last round at the
	// end.
	Groups []protocol.SlotGroup
	Root   [32]byte // of the groups: [protocol.PlanRoot]
	Cost   uint64   // the most that the run costs, in MFLOP

	plan *run.Plan
	t    *training
	// The slots of each validation, and those that follow the last round.
	validation, closing []protocol.Slot
}

// maxSlots is the most slots of a round that a claim can have: LEDGER.md, section 5.2.
const maxSlots = 4096

// Slots finds the slots of a plan. It reads the run's record from b. It fails for a plan that
// cannot be worked on as it stands: one of its batches fits no model of the run, or two of
// its training pairs are the same.
func (c *Checker) Slots(ctx context.Context, b block.Blocks, p *run.Plan) (*Slots, error) {
	s, err := c.slots(ctx, b, p)
	if err != nil {
		return nil, fmt.Errorf("slots of run %s: %w", p.Link, err)
	}
	return s, nil
}

func (c *Checker) slots(ctx context.Context, b block.Blocks, p *run.Plan) (*Slots, error) {
	i, j, found, err := p.Repeated()
	if err != nil {
		return nil, err
	}
	if found {
		return nil, fmt.Errorf("training pairs %d and %d (from 0) are the same: leave out the pairs that repeat others", i, j)
	}
	t, err := c.training(ctx, b, p.Link)
	if err != nil {
		return nil, err
	}
	s := &Slots{plan: p, t: t}
	if s.Function, err = p.Function(); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := s.close(); err != nil {
		return nil, err
	}
	// They are hashed again for each round, so a stranger's plan is refused before.
	if n := max(len(s.validation), len(s.closing)); n > maxSlots {
		return nil, fmt.Errorf("%d units measure the parameters after a round, and a round has at most %d slots", n, maxSlots)
	}
	for r := range p.Rounds() + 1 {
		slots, err := s.Round(ctx, r)
		if err != nil {
			return nil, err
		}
		g := protocol.GroupOf(slots)
		s.Groups, s.Cost = append(s.Groups, g), protocol.AddCosts(s.Cost, g.Cost)
	}
	s.Root = protocol.PlanRoot(s.Groups)
	return s, nil
}

// Round gives the slots of round r, or those that follow the last round. The caller must not
// change them.
func (s *Slots) Round(ctx context.Context, r int) ([]protocol.Slot, error) {
	switch rounds := s.plan.Rounds(); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case r < 0 || r > rounds:
		return nil, fmt.Errorf("round %d: the plan has rounds 0 to %d, and %d for what follows them", r, rounds-1, rounds)
	case r == rounds:
		return s.closing, nil
	}
	var g group
	kind := s.plan.Run.Kind(r)
	units, err := s.plan.Batches(r)
	if err != nil {
		return nil, err
	}
	for k, batches := range units {
		links, sizes, err := s.t.measure(batches)
		if err == nil {
			err = g.add(kind, links, s.t.learning(kind, sizes))
		}
		if err != nil {
			return nil, fmt.Errorf("%s unit %d of round %d: %w", kind, k, r, err)
		}
	}
	if err := g.add(unit.Combine, nil, s.t.combining(len(g.slots))); err != nil {
		return nil, err
	}
	if s.plan.Validates(r) {
		g.slots = append(g.slots, s.validation...)
	}
	return g.slots, nil
}

// validate finds the slots of a validation, the same after each round.
func (s *Slots) validate() error {
	var g group
	for k, batch := range s.plan.ValidBatches() {
		links, sizes, err := s.t.measure([]run.BatchRecord{batch})
		if err == nil {
			err = g.add(unit.Evaluate, links, s.t.evaluating(sizes[0]))
		}
		if err != nil {
			return fmt.Errorf("evaluation %d: %w", k, err)
		}
	}
	err := s.translate(&g, s.plan.ValidTexts())
	s.validation = g.slots
	return err
}

// close finds the slots that follow the last round.
func (s *Slots) close() error {
	var g group
	validations := 0
	for r := range s.plan.Rounds() {
		if s.plan.Validates(r) {
			validations++
		}
	}
	if sets := min(validations, int(s.plan.Run.Config.Average)); sets > 1 {
		if err := g.add(unit.Average, nil, s.t.averaging(sets)); err != nil {
			return err
		}
	}
	err := s.translate(&g, s.plan.TestTexts())
	s.closing = g.slots
	return err
}

// translate adds the slots of the greedy translations of texts.
func (s *Slots) translate(g *group, all []unit.Text) error {
	t := texts{tokenizer: s.plan.Tokenizer, meter: s.t.meter}
	for k, text := range all {
		var cost uint64
		for _, segment := range text.Segments {
			if n := model.SourceTokens(t.tokenizer, segment); n > 0 {
				cost += t.most(n, model.Search{Most: model.MostTokens(n)})
			}
		}
		data, err := block.Encode(text)
		if err != nil {
			return fmt.Errorf("translation %d: %w", k, err)
		}
		g.put(unit.Translate, link(data), cost)
	}
	return nil
}

// measure gives the links and the sizes of batches.
func (t *training) measure(batches []run.BatchRecord) (links []block.Link, sizes []nmt.Sizes, err error) {
	for _, record := range batches {
		batch, err := record.Batch(t.run)
		if err != nil {
			return nil, nil, err
		}
		size, err := t.sizes(batch)
		if err != nil {
			return nil, nil, err
		}
		data, err := block.Encode(record)
		if err != nil {
			return nil, nil, err
		}
		links, sizes = append(links, link(data)), append(sizes, size)
	}
	return links, sizes, nil
}

func link(node []byte) block.Link { return block.Link{Cid: block.Sum(block.CBOR, node)} }

// group is slots of one round.
type group struct {
	slots []protocol.Slot
	index map[unit.Kind]uint32 // the next, by kind
	done  map[task]bool
}

// task is what a unit reads beside parameters, by its kind.
type task struct {
	kind  unit.Kind
	reads block.Link
}

// add adds the slot of the next unit of a kind, which reads blocks and costs flop at most.
func (g *group) add(k unit.Kind, reads []block.Link, flop uint64) error {
	data, err := block.Encode(reads)
	if err != nil {
		return err
	}
	g.put(k, link(data), flop)
	return nil
}

// put adds the slot of the next unit of a kind, whose task is reads.
func (g *group) put(k unit.Kind, reads block.Link, flop uint64) {
	if g.index == nil {
		g.index, g.done = map[unit.Kind]uint32{}, map[task]bool{}
	}
	slot := protocol.Slot{Kind: uint16(k), Index: g.index[k], Task: reads}
	if !g.done[task{k, reads}] {
		slot.Most = unit.Result{Cost: flop}.MFLOP()
	}
	g.slots = append(g.slots, slot)
	g.index[k]++
	g.done[task{k, reads}] = true
}
