package light

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"
)

// TestFollow: a client that was there at the beginning and one that comes later both
// follow a chain whose validators have all left several times over.
func TestFollow(t *testing.T) {
	p := newPaper(t, 300, rotating)
	n := p.serve(t)
	n.newest = 2
	clock := int64(2)
	early, err := Dial(t.Context(), Config{
		Addrs: []string{n.url}, Genesis: p.genesis, Now: func() time.Time { return p.time(clock) },
	})
	check(t, err)
	for _, height := range []int64{2, 30, 31, 140, 300} {
		n.set(func(n *paperNode) { n.newest = height })
		clock = height
		for name, c := range map[string]*Client{"early": early, "late": dial(t, height, n)} {
			if _, got, err := c.Supply(t.Context()); err != nil || got != uint64(height-1) {
				t.Errorf("height %d, %s client: read after height %d, %v", height, name, got, err)
			}
		}
	}
	before := n.count("commit")
	if _, err := dial(t, 300, n).Head(t.Context()); err != nil {
		t.Error(err)
	}
	// 30 changes of validators lie between, and bisection finds each in about log2(300) steps.
	if got := n.count("commit") - before; got > 200 {
		t.Errorf("a new client asks for %d headers", got)
	}
}

// TestOneHeader: while validators stay, one header is all that a read and a proof need.
func TestOneHeader(t *testing.T) {
	p := newPaper(t, 300, always(validator(1), validator(2), validator(3), validator(4)))
	n := p.serve(t)
	c := dial(t, 300, n)
	a, err := c.read(t.Context(), "supply", nil)
	check(t, err)
	if got := n.count("commit"); got != 1 {
		t.Errorf("%d headers were asked for, want 1", got)
	}
	if got := n.count("validators"); got != 0 {
		t.Errorf("validators were asked for %d times, want 0", got)
	}
	proof, err := a.header.headerProof()
	if err != nil || len(proof) != 1 || len(proof[0].Validators) != 0 {
		t.Errorf("header proof of %d headers, %v; want one header without validators", len(proof), err)
	}
}

// TestFewerHeaders: headers on the way that are no longer needed leave the path.
func TestFewerHeaders(t *testing.T) {
	grow := func(height int64) []cmted25519.PrivKey { // one joins every ten heights, nobody leaves
		var keys []cmted25519.PrivKey
		for i := range int(height)/10 + 1 {
			keys = append(keys, validator(i))
		}
		return keys
	}
	p := newPaper(t, 100, grow)
	n := p.serve(t)
	n.newest = 1
	c := dial(t, 1, n)
	for height := int64(1); height <= 100; height++ {
		n.set(func(n *paperNode) { n.newest = height })
		if _, err := c.fetchHeader(t.Context(), c.servers[0], 0); err != nil {
			t.Fatalf("height %d: %v", height, err)
		}
	}
	if got := len(c.trusted); got != 2 {
		t.Errorf("the path has %d headers, want the genesis and one", got)
	}
}

// TestForgers: validators who have left, fewer than two thirds of a former set, cannot
// make a client believe a chain of their own, however old the genesis is.
func TestForgers(t *testing.T) {
	crewA := []cmted25519.PrivKey{validator(0), validator(1), validator(2), validator(3)}
	forgers := append(slices.Clone(crewA[:2]), validator(66), validator(67))
	for name, signers := range map[string]crew{
		"half of the first set": always(forgers...),
		"strangers":             always(validator(66)),
	} {
		p := newPaper(t, 49, always(crewA...))
		p.extend(signers, fill(9)) // their validators, their state
		n := p.serve(t)
		if c, err := tryDial(50, n); !errors.Is(err, ErrProof) {
			head, headErr := c.Head(t.Context())
			t.Errorf("%s: dial %v, head %+v, %v; want ErrProof", name, err, head, headErr)
		}
	}
	// Two of the four are too few under the true set too.
	p := newPaper(t, 50, always(crewA...))
	h := *p.heights[49].Header
	p.heights[49].SignedHeader = sign(&h, setOf(crewA), crewA[:2])
	if _, err := tryDial(50, p.serve(t)); !errors.Is(err, ErrProof) {
		t.Errorf("a header with two of four signatures: %v, want ErrProof", err)
	}
}

// TestPruned: a node that has deleted the headers of former validators serves a client
// that has followed, and tells another one what is missing.
func TestPruned(t *testing.T) {
	p := newPaper(t, 300, rotating)
	n := p.serve(t)
	c := dial(t, 300, n)
	n.set(func(n *paperNode) { n.oldest = 200 })
	if _, _, err := c.Supply(t.Context()); err != nil {
		t.Errorf("the client that has followed: %v", err)
	}
	_, err := tryDial(300, n)
	if !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "keeps more heights") {
		t.Errorf("a new client: %v, want ErrProof and what to do", err)
	}
	// A deleted header between does not matter when a later one does as well: from height
	// 260 on one of the first four has left, from 280 on two.
	stay := newPaper(t, 300, func(height int64) []cmted25519.PrivKey {
		switch first := rotating(0); {
		case height < 260:
			return first
		case height < 280:
			return append(first[:3], validator(50))
		default:
			return append(first[:2], validator(50), validator(51))
		}
	})
	n = stay.serve(t)
	n.oldest = 250
	if _, _, err := dial(t, 300, n).Supply(t.Context()); err != nil {
		t.Errorf("headers of all former validators are there: %v", err)
	}
}

// TestHostileValidators: whatever a node sends as the validators of a header, the client
// neither panics nor believes it.
func TestHostileValidators(t *testing.T) {
	p := newPaper(t, 60, rotating)
	short := func(v types.Validator) *types.Validator { v.PubKey = cmted25519.PubKey{1, 2, 3}; return &v }
	power := func(v types.Validator, power int64) *types.Validator { v.VotingPower = power; return &v }
	for name, lie := range map[string]func([]*types.Validator) []*types.Validator{
		"none":       func([]*types.Validator) []*types.Validator { return nil },
		"null":       func(v []*types.Validator) []*types.Validator { return append(v[:3:3], nil) },
		"no key":     func(v []*types.Validator) []*types.Validator { return append(v[:3:3], &types.Validator{}) },
		"short key":  func(v []*types.Validator) []*types.Validator { return append(v[:3:3], short(*v[3])) },
		"twice":      func(v []*types.Validator) []*types.Validator { return append(v[:3:3], v[2]) },
		"fewer":      func(v []*types.Validator) []*types.Validator { return v[:3] },
		"negative":   func(v []*types.Validator) []*types.Validator { return append(v[:3:3], power(*v[3], -1)) },
		"overflow":   func(v []*types.Validator) []*types.Validator { return append(v[:3:3], power(*v[3], 1<<62)) },
		"other":      func([]*types.Validator) []*types.Validator { return setOf(rotating(500)).Validators },
		"very many":  func(v []*types.Validator) []*types.Validator { return slices.Repeat(v, 26) },
		"in reverse": func(v []*types.Validator) []*types.Validator { v = slices.Clone(v); slices.Reverse(v); return v },
	} {
		t.Run(name, func(t *testing.T) {
			liar, honest := p.serve(t), p.serve(t)
			liar.set(func(n *paperNode) { n.validators = lie })
			if _, err := tryDial(60, liar); !errors.Is(err, ErrProof) {
				t.Errorf("dial: %v, want ErrProof", err)
			}
			if _, _, err := dial(t, 60, liar, honest).Supply(context.Background()); err != nil {
				t.Errorf("beside an honest node: %v", err)
			}
		})
	}
}
