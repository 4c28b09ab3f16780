package light

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// TestStale: a node that shows an old state, however well it is signed, is passed over,
// and alone it gives no answer.
func TestStale(t *testing.T) {
	p := newPaper(t, 3000, always(validator(1)))
	liar, honest := p.serve(t), p.serve(t)
	liar.newest = 600
	c := dial(t, 3000, liar)
	_, _, err := c.Supply(t.Context())
	if !errors.Is(err, ErrStale) || !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "40m0s old") {
		t.Errorf("alone: %v, want ErrStale of 40 minutes", err)
	}
	if head, err := c.Head(t.Context()); !errors.Is(err, ErrStale) {
		t.Errorf("alone: head %+v, %v, want ErrStale", head, err)
	}
	c = dial(t, 3000, liar, honest)
	if _, height, err := c.Supply(t.Context()); err != nil || height != 2999 {
		t.Errorf("beside an honest node: height %d, %v", height, err)
	}
	if head, err := c.Head(t.Context()); err != nil || head.Height != 3000 {
		t.Errorf("beside an honest node: head %+v, %v", head, err)
	}
}

// TestClock: the bounds of a header's age.
func TestClock(t *testing.T) {
	p := newPaper(t, 100, always(validator(1)))
	n := p.serve(t)
	newest := p.time(100)
	for _, c := range []struct {
		clock  time.Duration // after the newest header
		maxAge time.Duration
		ok     bool
	}{
		{0, 0, true},
		{30 * time.Second, 0, true},
		{31 * time.Second, 0, false},
		{31 * time.Second, time.Minute, true},
		{2 * time.Second, time.Second, false},
		{-10 * time.Second, 0, true},
		{-11 * time.Second, 0, false}, // this machine's clock is behind
	} {
		client, err := Dial(t.Context(), Config{
			Addrs: []string{n.url}, Genesis: p.genesis, MaxAge: c.maxAge, Now: func() time.Time { return newest.Add(c.clock) },
		})
		check(t, err)
		if _, err := client.Head(t.Context()); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrStale) {
			t.Errorf("clock %v after the header, at most %v: %v, want ok %v", c.clock, c.maxAge, err, c.ok)
		}
	}
}

// TestBehind: a node that is some heights behind the others, but not yet stale, is
// passed over for one that is not.
func TestBehind(t *testing.T) {
	p := newPaper(t, 100, always(validator(1)))
	behind, ahead := p.serve(t), p.serve(t)
	behind.newest = 80
	if _, height, err := dial(t, 100, behind, ahead).Supply(t.Context()); err != nil || height != 99 {
		t.Errorf("read after height %d, %v; want 99", height, err)
	}
	if _, height, err := dial(t, 100, behind).Supply(t.Context()); err != nil || height != 79 {
		t.Errorf("one node alone: read after height %d, %v; want 79", height, err)
	}
	c := dial(t, 100, ahead, behind)
	if _, height, err := c.Supply(t.Context()); err != nil || height != 99 || c.agreed != 0 {
		t.Errorf("read after height %d, %v; want 99. The node behind has confirmed height %d", height, err, c.agreed)
	}
	// A few heights are the usual difference between two nodes.
	behind.set(func(n *paperNode) { n.newest = 95 })
	if _, height, err := dial(t, 100, behind, ahead).Supply(t.Context()); err != nil || height != 94 {
		t.Errorf("read after height %d, %v; want 94", height, err)
	}
}

// TestSecondNode: a second node is asked once in some heights, and one that is away
// holds nothing up.
func TestSecondNode(t *testing.T) {
	p := newPaper(t, 200, always(validator(1)))
	first, second := p.serve(t), p.serve(t)
	first.newest, second.newest = 100, 98
	clock := int64(100)
	c, err := Dial(t.Context(), Config{
		Addrs: []string{first.url, second.url, first.url}, Genesis: p.genesis, Now: func() time.Time { return p.time(clock) },
	})
	check(t, err)
	read := func(height int64) {
		t.Helper()
		clock = height
		first.set(func(n *paperNode) { n.newest = height })
		for range 3 {
			if _, got, err := c.Supply(t.Context()); err != nil || got != uint64(height-1) {
				t.Fatalf("read after height %d, %v; want %d", got, err, height-1)
			}
		}
	}
	for height := int64(100); height <= 108; height++ {
		read(height)
	}
	if got := second.count("all"); got != 1 {
		t.Errorf("the second node was asked %d times within ten heights, want 1", got)
	}
	second.set(func(n *paperNode) { n.newest = 110 })
	read(111)
	if got := second.count("all"); got != 2 {
		t.Errorf("the second node was asked %d times, want 2", got)
	}
	second.set(func(n *paperNode) { n.silent = true })
	for height := int64(130); height < 150; height++ {
		read(height)
	}
	if got := second.count("all"); got != 3 {
		t.Errorf("a second node that is away was asked %d times, want 1 more", got)
	}
	read(170)
	if got := second.count("all"); got != 4 {
		t.Errorf("after a pause a second node that was away was asked %d times, want 1 more", got)
	}
}

// TestConflict: two signed headers of one height are reported, with both as evidence.
func TestConflict(t *testing.T) {
	crew := always(validator(1), validator(2), validator(3), validator(4))
	a, b := newPaper(t, 99, crew), newPaper(t, 99, crew)
	a.extend(crew, a.state.AppHash())
	b.extend(crew, fill(9)) // another state
	for name, heights := range map[string]struct{ a, b int64 }{
		"same height":     {100, 100},
		"first is ahead":  {104, 100},
		"second is ahead": {100, 104},
	} {
		t.Run(name, func(t *testing.T) {
			for len(a.heights) < int(heights.a) {
				a.extend(crew, a.state.AppHash())
			}
			for len(b.heights) < int(heights.b) {
				b.extend(crew, fill(9))
			}
			first, second := a.serve(t), b.serve(t)
			first.newest, second.newest = heights.a, heights.b
			_, err := tryDial(104, first, second)
			var conflict *Conflict
			if !errors.As(err, &conflict) {
				t.Fatalf("dial: %v, want a Conflict", err)
			}
			if conflict.A.Height != conflict.B.Height || string(conflict.A.Hash()) == string(conflict.B.Hash()) {
				t.Errorf("evidence: %X at %d and %X at %d", conflict.A.Hash(), conflict.A.Height, conflict.B.Hash(), conflict.B.Height)
			}
		})
	}
	// One node alone that shows two headers, one after the other.
	n := a.serve(t)
	c := dial(t, 104, n)
	n.set(func(n *paperNode) { n.paper = b })
	var conflict *Conflict
	if _, err := c.Head(t.Context()); !errors.As(err, &conflict) {
		t.Errorf("one node: %v, want a Conflict", err)
	}
}

// TestHeightOfNode: the height of an answer is the node's word, and is believed only
// with its header.
func TestHeightOfNode(t *testing.T) {
	p := newPaper(t, 100, always(validator(1)))
	for name, lie := range map[string]func(int64) int64{
		"wraps":     func(int64) int64 { return math.MaxInt64 },
		"last":      func(int64) int64 { return math.MaxInt64 - 1 },
		"negative":  func(int64) int64 { return -1 },
		"least":     func(int64) int64 { return math.MinInt64 },
		"future":    func(h int64) int64 { return h + 50 },
		"next week": func(h int64) int64 { return h + 600_000 },
	} {
		t.Run(name, func(t *testing.T) {
			liar, honest := p.serve(t), p.serve(t)
			liar.queryHeight = lie
			if _, height, err := dial(t, 100, liar).Supply(t.Context()); !errors.Is(err, ErrProof) {
				t.Errorf("read after height %d, %v; want ErrProof", height, err)
			}
			if _, height, err := dial(t, 100, liar, honest).Supply(t.Context()); err != nil || height != 99 {
				t.Errorf("beside an honest node: read after height %d, %v; want 99", height, err)
			}
		})
	}
}
