//go:build unix

package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol/disk/powercut"
)

// model is the slow obvious journal: the lines of each entry, in a map.
type model struct {
	lines map[journal.Key][]journal.Line
	// loose are the entries that a Trim may have forgotten, or forgotten in part.
	loose map[journal.Key]bool
}

func newModel() *model {
	return &model{lines: map[journal.Key][]journal.Line{}, loose: map[journal.Key]bool{}}
}

func (m *model) clone() *model {
	c := newModel()
	for k, lines := range m.lines {
		c.lines[k] = append([]journal.Line(nil), lines...)
	}
	for k := range m.loose {
		c.loose[k] = true
	}
	return c
}

// entry is what the lines of an entry amount to.
func (m *model) entry(k journal.Key) journal.Entry {
	e := journal.Entry{Key: k}
	for _, l := range m.lines[k] {
		switch r := l.Record.(type) {
		case journal.Issued:
			e.Tickets = append(e.Tickets, r.Ticket)
		case journal.Task:
			e.Tickets = append(e.Tickets, r.Ticket)
		case journal.Accepted:
			e.Accepted, e.State = &r, journal.Pending
		case journal.Done:
			e.Done = &r
		case journal.Taken:
			e.Taken, e.State = &r, journal.Pending
		case journal.Settled:
			e.State, e.Height = journal.Paid, r.Height
			continue
		case journal.Voided:
			e.Voided = append(e.Voided, journal.Attempt{Voided: r, Tickets: e.Tickets, Accepted: e.Accepted, Done: e.Done, Taken: e.Taken})
			e.Tickets, e.Accepted, e.Done, e.Taken = nil, nil, nil, nil
			e.State, e.Height = journal.Void, r.Height
			continue
		}
		if e.State == journal.Void {
			e.State = journal.Unaccepted
		}
	}
	return e
}

// random makes a line that the entry of k can take.
func (m *model) random(r *rand.Rand, k journal.Key) journal.Line {
	e := m.entry(k)
	known := len(m.lines[k]) > 0
	for {
		switch r.IntN(8) {
		case 0, 1:
			return issued(k, r.Uint64N(100))
		case 2:
			return task(k, r.Uint64N(100))
		case 3:
			if e.State != journal.Pending && e.State != journal.Paid {
				return accepted(k, byte(1+r.IntN(200)))
			}
		case 4:
			return done(k, byte(1+r.IntN(200)))
		case 5:
			if e.Done != nil && e.State != journal.Pending && e.State != journal.Paid {
				return taken(k, e.Done.Result[0])
			}
		case 6:
			if known && e.State != journal.Paid {
				return settled(k, r.Uint64N(30))
			}
		case 7:
			if known && e.State != journal.Void {
				return voided(k, r.Uint64N(30))
			}
		}
	}
}

// differs says how a journal differs from the model.
func (m *model) differs(j *journal.Journal) error {
	var want [4]int
	for k := range m.lines {
		e, ok, err := j.Get(k)
		if err != nil {
			return err
		}
		w := m.entry(k)
		if m.loose[k] {
			if ok && e.State != w.State {
				return fmt.Errorf("%s, trimmed, is %v, want %v", k, e.State, w.State)
			}
			if ok {
				want[e.State]++
			}
			continue
		}
		want[w.State]++
		if !ok {
			return fmt.Errorf("%s is lost", k)
		}
		if a, b := text(e), text(w); a != b {
			return fmt.Errorf("%s is\n%s\nwant\n%s", k, a, b)
		}
	}
	if got := counts(j); got != want {
		return fmt.Errorf("counts %v, want %v", got, want)
	}
	for s := journal.Unaccepted; s <= journal.Void; s++ {
		listed, err := j.List(s, 1<<20, nil)
		if err != nil || len(listed) != want[s] {
			return fmt.Errorf("%d entries are %v, listed are %d: %w", want[s], s, len(listed), err)
		}
	}
	return nil
}

// text writes an entry out; nil and empty slices are the same.
func text(e journal.Entry) string {
	show := func(x any) string {
		if v := reflect.ValueOf(x); v.Kind() == reflect.Pointer && v.IsNil() {
			return "-"
		}
		return fmt.Sprintf("%+v", reflect.Indirect(reflect.ValueOf(x)).Interface())
	}
	s := fmt.Sprintf("%v %v %v %v %s %s %s", e.Key, e.State, e.Height, e.Tickets, show(e.Accepted), show(e.Done), show(e.Taken))
	for _, v := range e.Voided {
		s += fmt.Sprintf(" voided %v %v %s %s %s", v.Voided, v.Tickets, show(v.Accepted), show(v.Done), show(v.Taken))
	}
	return s
}

// TestAgainstModel appends, trims, opens again, cuts the power and flips bits at
// random. Nothing acknowledged is ever lost, a batch is there whole or not at all,
// and damage is always named.
func TestAgainstModel(t *testing.T) {
	seeds, first := 12, uint64(1)
	if os.Getenv("ALIA_SOAK") != "" {
		seeds = 5000
	}
	if s := os.Getenv("ALIA_SEED"); s != "" {
		var err error
		if first, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
		seeds = 1
	}
	cuts, flips := 0, 0
	for seed := first; seed < first+uint64(seeds); seed++ {
		c, f, err := against(t, seed)
		if err != nil {
			t.Fatalf("ALIA_SEED=%d: %v", seed, err)
		}
		cuts, flips = cuts+c, flips+f
	}
	t.Logf("%d power cuts, %d bits flipped", cuts, flips)
	if seeds > 1 && (cuts < seeds || flips < seeds) {
		t.Errorf("only %d power cuts and %d flips in %d runs", cuts, flips, seeds)
	}
}

func against(t *testing.T, seed uint64) (cuts, flips int, err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := newModel()
	var dir string
	var d *powercut.Disk
	var j *journal.Journal
	place := func() string { return filepath.Join(dir, "journal") }
	start := func(in string) error {
		if dir = in; d != nil {
			d.Close()
		}
		var err error
		if d, err = powercut.New(dir, r.Uint64()); err != nil {
			return err
		}
		opened, err := journal.Open(place(), net, journal.Options{Segment: 300 + r.Int64N(1500), Disk: d})
		if err == nil {
			j = opened
		}
		return err
	}
	if err := start(t.TempDir()); err != nil {
		return 0, 0, err
	}
	defer func() { j.Close(); d.Close() }()
	serial := 0
	for range 60 {
		// What happens next, and whether the power is cut in the middle of it.
		into := ""
		if r.IntN(4) == 0 {
			into = t.TempDir()
			d.CutAt(1+r.IntN(4), into)
		}
		next := m.clone()
		var opErr error
		switch r.IntN(12) {
		case 0: // trim
			past := r.Uint64N(30)
			for k := range m.lines {
				if e := m.entry(k); (e.State == journal.Paid || e.State == journal.Void) && e.Height <= past {
					next.loose[k] = true
				}
			}
			m.loose = next.loose // a trim that is interrupted may have forgotten them too
			opErr = j.Trim(past)
		case 1: // open again
			opErr = j.Close()
			if into == "" && opErr == nil {
				if opErr = start(dir); opErr == nil && j.Torn() > 0 {
					return cuts, flips, fmt.Errorf("%d bytes were cut off without a crash", j.Torn())
				}
			}
		case 2: // flip a bit of a copy
			flips++
			if err := flip(t, r, place()); err != nil {
				return cuts, flips, err
			}
		case 3: // settle most of what is pending
			var lines []journal.Line
			for k := range m.lines {
				if e := m.entry(k); e.State != journal.Paid && !m.loose[k] && r.IntN(20) > 0 {
					lines = append(lines, settled(k, r.Uint64N(30)))
					next.lines[k] = append(next.lines[k], lines[len(lines)-1])
				}
			}
			opErr = j.Append(lines...)
		default: // append
			var lines []journal.Line
			for range 1 + r.IntN(6) {
				k := key(fmt.Sprint(r.IntN(serial + 1)))
				if k.Slot = uint32(r.IntN(2)); next.loose[k] || r.IntN(3) == 0 {
					serial++
					k = key(fmt.Sprint(serial))
				}
				l := next.random(r, k)
				lines = append(lines, l)
				switch l.Record.(type) {
				case journal.Issued, journal.Task, journal.Done:
					if next.entry(k).State == journal.Paid {
						continue // it adds nothing
					}
				}
				next.lines[k] = append(next.lines[k], l)
			}
			opErr = j.Append(lines...)
		}
		switch {
		case opErr == nil:
			m = next
		case !errors.Is(opErr, powercut.ErrPower):
			return cuts, flips, opErr
		}
		// After a cut the journal holds what was acknowledged, and the batch that
		// was being written whole or not at all.
		if into != "" {
			for d.Step() == nil { // the power is cut at a later step
			}
			cuts++
			j.Close()
			if err := start(into); err != nil {
				return cuts, flips, fmt.Errorf("after a power cut: %w", err)
			}
			before := m.differs(j)
			if before != nil {
				if err := next.differs(j); err != nil {
					return cuts, flips, fmt.Errorf("after a power cut: %w; and with the batch that was not acknowledged: %w", before, err)
				}
				m = next
			}
		}
		if err := m.differs(j); err != nil {
			return cuts, flips, err
		}
	}
	return cuts, flips, nil
}

// flip flips a bit of a copy of the journal, which is then refused.
func flip(t *testing.T, r *rand.Rand, dir string) error {
	damaged := t.TempDir()
	if err := os.CopyFS(damaged, os.DirFS(dir)); err != nil {
		return err
	}
	paths := files(t, damaged)
	path := paths[r.IntN(len(paths))]
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := r.IntN(len(data))
	data[at] ^= 1 << r.IntN(8)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	_, err = journal.Open(damaged, net, journal.Options{})
	if d := new(journal.Damage); !errors.As(err, &d) || d.File != path || d.Offset > int64(at) {
		return fmt.Errorf("a bit of byte %d of %s was flipped: %w", at, path, err)
	}
	return nil
}

// TestFullDisk lets the system refuse writes past a length, as a full disk would.
func TestFullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skip("no file size limit here:", err)
	}
	for room := uint64(0); room < 1200; room += 100 {
		dir := t.TempDir()
		j := open(t, dir, journal.Options{})
		add(t, j, issued(key("a"), 1))
		path := files(t, dir)[0]
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(len(before)) + room, Max: old.Max}); err != nil {
			t.Skip("no file size limit here:", err)
		}
		err = j.Append(issued(key("b"), 1), accepted(key("b"), 1), issued(key("c"), 1), issued(key("d"), 1))
		// Nothing else may be written under the limit: the test binary logs the files
		// that it opens.
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		after, rerr := os.ReadFile(path)
		if rerr != nil {
			t.Fatal(rerr)
		}
		if !errors.Is(err, syscall.EFBIG) {
			t.Fatalf("Append = %v, want EFBIG wrapped", err)
		}
		if string(after) != string(before) {
			t.Errorf("with room for %d bytes: the file of %d bytes has %d", room, len(before), len(after))
		}
		add(t, j, issued(key("e"), 1))
		j.Close()
		if j = open(t, dir, journal.Options{}); counts(j) != [4]int{2, 0, 0, 0} || j.Torn() != 0 {
			t.Errorf("once there is room again: entries %v", counts(j))
		}
	}
}
