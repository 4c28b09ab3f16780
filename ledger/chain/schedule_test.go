package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	cometstore "github.com/cometbft/cometbft/store"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// siege is a council whose validators are processes of their own, and two coordinators
// that claim the rounds of their runs, while a schedule of faults goes on.
type siege struct {
	*council
	document []byte
	rpcs     []string
	kill     []func() // by validator
	runs     []*testRun
	random   *rand.Rand

	mu     sync.Mutex           // guards the rest
	relays []context.CancelFunc // end the process of each coordinator
}

const siegeSlots = 4 // of a round

func newSiege(t *testing.T, rounds int) *siege {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := foundCouncil(t, 4, ledger.LocalParams())
	s := &siege{
		council: c, kill: make([]func(), 4), relays: make([]context.CancelFunc, 2), random: rand.New(rand.NewPCG(seed, 0)),
		runs: []*testRun{newRun("first", rounds, siegeSlots), newRun("second", rounds, siegeSlots)},
	}
	var err error
	s.document, err = Genesis(c.configs[0].Home)
	check(t, err)
	ports, err := machine.FreePorts(len(c.configs))
	check(t, err)
	for i := range c.configs {
		c.configs[i].RPCListen = fmt.Sprintf("127.0.0.1:%d", ports[i])
		s.rpcs = append(s.rpcs, "http://"+c.configs[i].RPCListen)
		s.begin(i)
	}
	return s
}

// begin starts the process of a validator.
func (s *siege) begin(i int) { _, s.kill[i] = spawn(s.t, s.configs[i]) }

// pause waits for a random time.
func (s *siege) pause(least, most time.Duration) {
	select {
	case <-s.t.Context().Done():
	case <-time.After(least + time.Duration(s.random.Int64N(int64(most-least)))):
	}
}

// fault does one thing that may happen, and undoes it.
func (s *siege) fault() {
	i, j := s.random.IntN(4), s.random.IntN(2)
	switch what := s.random.IntN(5); what {
	case 0: // a validator dies
		s.t.Logf("validator %d is killed", i)
		s.kill[i]()
		s.pause(100*time.Millisecond, 2*time.Second)
		s.begin(i)
	case 1: // two die: the others make no height until one is back
		other := (i + 1) % 4
		s.t.Logf("validators %d and %d are killed", i, other)
		s.kill[i]()
		s.kill[other]()
		s.pause(100*time.Millisecond, time.Second)
		s.begin(i)
		s.begin(other)
	case 2: // a validator is cut off from the others
		s.t.Logf("validator %d is cut off", i)
		s.part(i, true)
		s.pause(100*time.Millisecond, 2*time.Second)
		s.part(i, false)
	default: // a coordinator dies and forgets what it has sent
		s.t.Logf("coordinator %d is killed", j)
		s.mu.Lock()
		s.relays[j]()
		s.mu.Unlock()
	}
	s.pause(50*time.Millisecond, time.Second)
}

// coordinate has coordinator i claim its run to the end, in one process after another.
func (s *siege) coordinate(ctx context.Context, i int) error {
	for ctx.Err() == nil {
		life, end := context.WithCancel(ctx)
		s.mu.Lock()
		s.relays[i] = end
		s.mu.Unlock()
		done, err := s.claimAll(life, s.runs[i])
		end()
		if done {
			return nil
		}
		if err != nil && life.Err() == nil {
			return err
		}
	}
	return ctx.Err()
}

// claimAll claims what the ledger does not have of a run, as a relay does: at least once.
func (s *siege) claimAll(ctx context.Context, r *testRun) (done bool, err error) {
	client, err := light.Dial(ctx, light.Config{Addrs: s.rpcs, Genesis: s.document})
	if err != nil {
		return false, err
	}
	sender := client.Sender(key(r.name))
	for ctx.Err() == nil {
		if err := s.step(ctx, client, sender, r); err == errClaimed {
			return true, nil
		} else if errors.Is(err, light.ErrProof) {
			return false, err
		}
		// Every other error is one that passes: no node answers, the run is not approved,
		// or a height has refused what another has taken.
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false, nil
}

var errClaimed = errors.New("all rounds are claimed")

// step brings the ledger one transaction nearer to the end of a run.
func (s *siege) step(ctx context.Context, client *light.Client, sender *light.Sender, r *testRun) error {
	var body ledger.Body = r.propose()
	if _, known, err := client.Run(ctx, link(r.name), protocol.AccountOf(key(r.name))); err != nil {
		return err
	} else if known {
		f, _, err := client.Function(ctx, r.plan().Function)
		if err != nil {
			return err
		}
		if int(f.Next) == len(r.slots) {
			return errClaimed
		}
		claim := ledger.Claim{Run: link(r.name)}
		for round := int(f.Next); round < min(int(f.Next)+2, len(r.slots)); round++ {
			claim.Rounds = append(claim.Rounds, r.claim(s.t, s.net, round, r.name, fmt.Sprint("miner ", round%3)).Rounds...)
		}
		body = claim
	}
	nonce, err := sender.Send(ctx, body)
	if err != nil {
		return err
	}
	return sender.Confirm(ctx, nonce)
}

// end begins no fault any more, and checks what is left of it all.
func (s *siege) end() {
	s.t.Helper()
	for i := range s.nodes {
		s.kill[i]()
		s.start(i) // in this process, so that the test sees its blocks
	}
	s.advance("after the last fault", 3, 0, 1, 2, 3)
	waitFor(s.t, "pay", func() bool {
		st := s.nodes[0].State()
		f, _ := st.Function(s.runs[0].plan().Function)
		g, _ := st.Function(s.runs[1].plan().Function)
		return f.Paid == f.Next && g.Paid == g.Next && st.Supply().Owed == 0
	})
	s.same()
	top := int64(s.height(0))
	for i := range s.nodes {
		if _, err := s.nodes[i].State().Audit(); err != nil {
			s.t.Errorf("validator %d: %v", i, err)
		}
	}
	state, claims := replay(s.t, s.document, s.nodes[0].comet.BlockStore(), top)
	if _, err := state.Audit(); err != nil {
		s.t.Error(err)
	}
	for _, r := range s.runs {
		for round := range r.slots {
			for _, slot := range r.slots[round] {
				if n := claims[slot.Task]; n != 1 {
					s.t.Errorf("slot %d of round %d of the run %s is claimed %d times", slot.Index, round, r.name, n)
				}
			}
		}
	}
	// What the miners have is what was minted for their slots.
	var earned uint64
	for i := range 3 {
		earned += state.Account(protocol.AccountOf(key(fmt.Sprint("miner ", i)))).Earned
	}
	if minted := state.Supply().Minted; earned != minted || minted == 0 {
		s.t.Errorf("the miners have earned %d of %d", earned, minted)
	}
}

// replay makes all heights of a chain again from its blocks, and compares the app hashes.
// It returns the last state, and how often each task of a slot was claimed.
func replay(t *testing.T, document []byte, blocks *cometstore.BlockStore, top int64) (*ledger.State, map[block.Link]int) {
	t.Helper()
	doc, err := genesis.Parse(document)
	check(t, err)
	state, err := ledger.New(doc.Net, doc.Ledger)
	check(t, err)
	claims := map[block.Link]int{}
	for h := int64(1); h <= top; h++ {
		b := blocks.LoadBlock(h)
		if b == nil {
			t.Fatalf("there is no block %d", h)
		}
		if !bytes.Equal(b.AppHash, state.AppHash()) {
			t.Fatalf("block %d has the app hash %x, and the height before makes %x", h, b.AppHash, state.AppHash())
		}
		if len(b.Evidence.Evidence) > 0 {
			t.Fatalf("block %d says that a validator has signed twice: %v", h, b.Evidence.Evidence)
		}
		var txs []*ledger.Tx
		for _, data := range b.Txs {
			tx, err := ledger.ParseTx(data, doc.Net)
			check(t, err)
			txs = append(txs, tx)
		}
		next, results, _, err := state.Apply(ledger.Block{Height: uint64(h), Txs: txs})
		check(t, err)
		state = next
		for i, r := range results {
			if claim, ok := txs[i].Body.(ledger.Claim); ok && r.Code == ledger.OK {
				for _, round := range claim.Rounds {
					for _, slot := range round.Slots {
						claims[slot.Slot.Task]++
					}
				}
			}
		}
	}
	return state, claims
}

// TestSiege: validators are killed and cut off, and coordinators are killed, at random.
// The chain goes on, all have the same one, and each slot is claimed once.
func TestSiege(t *testing.T) {
	if testing.Short() {
		t.Skip("a schedule of faults takes half a minute: go test without -short runs it")
	}
	rounds, faults := 6, 6
	if os.Getenv("ALIA_SOAK") != "" {
		rounds, faults = 200, 100
	}
	s := newSiege(t, rounds)
	var relays sync.WaitGroup
	for i := range s.runs {
		s.relays[i] = func() {} // until it begins
		relays.Go(func() {
			if err := s.coordinate(t.Context(), i); err != nil {
				t.Errorf("coordinator %d: %v", i, err)
			}
		})
	}
	for range faults {
		s.fault()
	}
	relays.Wait()
	s.end()
}
