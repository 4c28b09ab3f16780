package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

var net = protocol.Net{1, 2, 3}

func link(s string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(s))} }

func key(s string) journal.Key { return journal.Key{Unit: link(s)} }

func open(t testing.TB, dir string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, net, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func add(t testing.TB, j *journal.Journal, lines ...journal.Line) {
	t.Helper()
	if err := j.Append(lines...); err != nil {
		t.Fatal(err)
	}
}

// The records of these tests are whole, and not signed: a journal does not verify
// signatures.

func ticket(k journal.Key, number uint64) protocol.Ticket {
	return protocol.Ticket{Work: link("run"), Unit: k.Unit, Number: number, Spec: bytes.Repeat([]byte{7}, 100)}
}

func issued(k journal.Key, number uint64) journal.Line {
	return journal.Line{Key: k, Record: journal.Issued{Ticket: ticket(k, number)}}
}

func task(k journal.Key, number uint64) journal.Line {
	return journal.Line{Key: k, Record: journal.Task{Ticket: ticket(k, number)}}
}

func attestation(k journal.Key, by byte) protocol.Attestation {
	return protocol.Attestation{
		Work: link("run"), Publisher: protocol.Account{9}, Place: protocol.Place{Kind: 1, Index: 7}, Unit: k.Unit,
		Result: block.Link{Cid: block.Sum(block.CBOR, []byte{by})}, Seal: protocol.Seal{Account: protocol.Account{by}},
	}
}

func acceptance(k journal.Key, by byte) protocol.Accept {
	a := attestation(k, by)
	return protocol.Accept{Work: a.Work, Place: a.Place, Unit: a.Unit, Miner: a.Account, Result: a.Result}
}

func accepted(k journal.Key, by byte) journal.Line {
	return journal.Line{Key: k, Record: journal.Accepted{Attestation: attestation(k, by), Accept: acceptance(k, by), Started: 1, Took: 2, BytesIn: 3, BytesOut: 4}}
}

func done(k journal.Key, by byte) journal.Line {
	return journal.Line{Key: k, Record: journal.Done{Result: []byte{by}, Attestation: attestation(k, by)}}
}

func taken(k journal.Key, by byte) journal.Line {
	return journal.Line{Key: k, Record: journal.Taken{Accept: acceptance(k, by)}}
}

func settled(k journal.Key, height uint64) journal.Line {
	return journal.Line{Key: k, Record: journal.Settled{Height: height}}
}

func voided(k journal.Key, height uint64) journal.Line {
	return journal.Line{Key: k, Record: journal.NewVoided(protocol.ResultMismatch, "the update is not finite", height)}
}

func get(t testing.TB, j *journal.Journal, k journal.Key) journal.Entry {
	t.Helper()
	e, ok, err := j.Get(k)
	if err != nil || !ok {
		t.Fatalf("Get(%s) = %v, %v", k, ok, err)
	}
	return e
}

func counts(j *journal.Journal) [4]int {
	return [4]int{j.Count(journal.Unaccepted), j.Count(journal.Pending), j.Count(journal.Paid), j.Count(journal.Void)}
}

func TestPublisher(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	a, b, c := key("a"), key("b"), key("c")
	add(t, j, issued(a, 1), issued(b, 2), issued(c, 3))
	add(t, j, issued(a, 4))
	add(t, j, accepted(b, 1))
	add(t, j, accepted(a, 2))
	add(t, j, accepted(a, 2)) // twice is once
	if err := j.Append(accepted(a, 3)); !errors.Is(err, journal.ErrAccepted) {
		t.Errorf("another result for the same slot: %v, want ErrAccepted", err)
	}
	a1 := journal.Key{Unit: a.Unit, Slot: 1}
	add(t, j, accepted(a1, 3))
	add(t, j, voided(b, 5), settled(a, 6), settled(key("unknown"), 6), voided(key("unknown"), 6))
	check := func(j *journal.Journal) {
		t.Helper()
		if got := counts(j); got != [4]int{1, 1, 1, 1} {
			t.Errorf("counts %v", got)
		}
		if e := get(t, j, a); e.State != journal.Paid || e.Height != 6 || len(e.Tickets) != 2 || e.Tickets[1].Number != 4 || e.Accepted.BytesOut != 4 || e.Accepted.Attestation.Account[0] != 2 {
			t.Errorf("a is %+v", e)
		}
		if e := get(t, j, b); e.State != journal.Void || e.Height != 5 || e.Accepted != nil || len(e.Voided) != 1 || e.Voided[0].Code != protocol.ResultMismatch || e.Voided[0].Accepted.Attestation.Account[0] != 1 {
			t.Errorf("b is %+v", e)
		}
		pending, err := j.List(journal.Pending, 9, nil)
		if err != nil || len(pending) != 1 || pending[0].Key != a1 {
			t.Errorf("pending %v, %v; want slot 1 of a", pending, err)
		}
		if got, err := j.List(journal.Unaccepted, 9, func(k journal.Key) bool { return k == c }); err != nil || len(got) != 0 {
			t.Errorf("c was to be skipped: %v, %v", got, err)
		}
	}
	check(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, journal.Options{})
	check(j)
	// A voided unit begins again.
	add(t, j, issued(b, 9), accepted(b, 8))
	if e := get(t, j, b); e.State != journal.Pending || e.Accepted.Attestation.Account[0] != 8 || len(e.Tickets) != 1 || len(e.Voided) != 1 {
		t.Errorf("b is %+v", e)
	}
	if pending, err := j.List(journal.Pending, 1, nil); err != nil || len(pending) != 1 || pending[0].Key != a1 {
		t.Errorf("the oldest pending entry is %v, %v; want slot 1 of a", pending, err)
	}
}

func TestMiner(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	a, b := key("a"), key("b")
	if err := j.Append(taken(a, 1)); err == nil {
		t.Error("an acceptance of no result was taken")
	}
	add(t, j, task(a, 1), task(b, 2), done(a, 1))
	add(t, j, done(a, 1), taken(a, 1))
	j.Close()
	j = open(t, dir, journal.Options{})
	if e := get(t, j, a); e.State != journal.Pending || e.Done.Result[0] != 1 || e.Taken.Accept.Place.Index != 7 || e.Tickets[0].Number != 1 {
		t.Errorf("a is %+v", e)
	}
	add(t, j, task(a, 3)) // leased again: the miner has the result
	add(t, j, voided(b, 1), settled(a, 2))
	if got := counts(j); got != [4]int{0, 0, 1, 1} {
		t.Errorf("counts %v", got)
	}
}

func TestAppendRefuses(t *testing.T) {
	j := open(t, t.TempDir(), journal.Options{})
	a, b := key("a"), key("b")
	wrong := accepted(a, 1).Record.(journal.Accepted)
	wrong.Accept.Result = link("other")
	for name, l := range map[string]journal.Line{
		"a ticket for another unit":        {Key: a, Record: issued(b, 1).Record},
		"a result of another unit":         {Key: a, Record: done(b, 1).Record},
		"an acceptance of another unit":    {Key: a, Record: accepted(b, 1).Record},
		"an acceptance of another result":  {Key: a, Record: wrong},
		"an attestation of another result": {Key: a, Record: journal.Done{Result: []byte{2}, Attestation: attestation(a, 1)}},
		"no record":                        {Key: a},
		"no unit":                          {Record: journal.Settled{}},
		"a text that is too long":          {Key: a, Record: journal.Voided{Text: strings.Repeat("x", 257)}},
		"a text that is no UTF-8":          {Key: a, Record: journal.Voided{Text: "\xff"}},
		"a result of 1 MiB": {Key: a, Record: func() journal.Record {
			d := journal.Done{Result: make([]byte, 1<<20), Attestation: attestation(a, 1)}
			d.Attestation.Result = block.Link{Cid: block.Sum(block.CBOR, d.Result)}
			return d
		}()},
	} {
		if err := j.Append(issued(b, 1), l); err == nil {
			t.Errorf("%s was appended", name)
		}
	}
	if got := counts(j); got != [4]int{} {
		t.Errorf("a batch with a refused line left %v", got)
	}
	if v := journal.NewVoided(protocol.UnitFailed, strings.Repeat("é", 200), 0); len(v.Text) != 256 || j.Append(issued(a, 1), journal.Line{Key: a, Record: v}) != nil {
		t.Errorf("a long text was not cut: %d bytes", len(v.Text))
	}
}

func TestSlots(t *testing.T) {
	j := open(t, t.TempDir(), journal.Options{})
	slot := func(n uint32) journal.Key { return journal.Key{Unit: link("a"), Slot: n} }
	if a, _, err := j.Accepted(link("a")); a != nil || err != nil {
		t.Errorf("an unknown unit is accepted: %v, %v", a, err)
	}
	add(t, j, issued(slot(0), 1), accepted(slot(0), 1), voided(slot(0), 1), accepted(slot(1), 2), accepted(slot(2), 3), accepted(key("b"), 4))
	if a, settled, err := j.Accepted(link("a")); err != nil || settled || a.Attestation.Account[0] != 2 {
		t.Errorf("the acceptance is %+v, settled %v, %v; want that of slot 1", a, settled, err)
	}
	add(t, j, settled(slot(2), 5))
	if a, settled, err := j.Accepted(link("a")); err != nil || !settled || a.Attestation.Account[0] != 3 {
		t.Errorf("the acceptance is %+v, settled %v, %v; want the settled one", a, settled, err)
	}
	entries, err := j.Slots(link("a"))
	if err != nil || len(entries) != 3 || entries[2].State != journal.Paid {
		t.Errorf("slots %v, %v", entries, err)
	}
	var each []journal.Key
	err = j.Each(journal.Pending, func(e journal.Entry) error {
		each = append(each, e.Key)
		return nil
	})
	if want := []journal.Key{slot(1), key("b")}; err != nil || !reflect.DeepEqual(each, want) {
		t.Errorf("pending are %v, %v; want %v", each, err, want)
	}
	if err := j.Each(journal.Pending, func(journal.Entry) error { return errDisk }); !errors.Is(err, errDisk) {
		t.Errorf("Each = %v, want the function's error", err)
	}
}

// fill appends n accepted units to a journal of small segments, one batch each,
// the first half of them settled at height 10.
func fill(t testing.TB, dir string, n int) *journal.Journal {
	t.Helper()
	j := open(t, dir, journal.Options{Segment: 2000})
	for i := range n {
		k := key(fmt.Sprint("unit ", i))
		add(t, j, issued(k, 1), accepted(k, 1))
		if i < n/2 {
			add(t, j, settled(k, 10))
		}
	}
	return j
}

func files(t testing.TB, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}

func TestTrim(t *testing.T) {
	dir := t.TempDir()
	j := fill(t, dir, 20)
	before := files(t, dir)
	if err := j.Trim(9); err != nil {
		t.Fatal(err)
	}
	if after := files(t, dir); len(after) != len(before) {
		t.Errorf("Trim before the window's end: %d segments of %d", len(after), len(before))
	}
	if err := j.Trim(10); err != nil {
		t.Fatal(err)
	}
	after := files(t, dir)
	if len(after) >= len(before)*3/4 || j.Count(journal.Paid) > 2 || j.Count(journal.Pending) != 10 {
		t.Errorf("Trim left %d segments of %d, %v entries", len(after), len(before), counts(j))
	}
	if _, ok, err := j.Get(key("unit 0")); ok || err != nil {
		t.Errorf("unit 0 is still there: %v, %v", ok, err)
	}
	want := counts(j)
	j.Close()
	j = open(t, dir, journal.Options{Segment: 2000})
	if got := counts(j); got != want {
		t.Errorf("opened again: %v, want %v", got, want)
	}
	// One entry that stays pending keeps its own segment, not those after it.
	for i := 11; i < 20; i++ {
		add(t, j, settled(key(fmt.Sprint("unit ", i)), 11))
	}
	if err := j.Trim(11); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, dir)); n > 3 || j.Count(journal.Pending) != 1 {
		t.Errorf("%d segments are left, entries %v", n, counts(j))
	}
	j.Close()
	j = open(t, dir, journal.Options{Segment: 2000})
	if e := get(t, j, key("unit 10")); e.State != journal.Pending {
		t.Errorf("unit 10 is %v", e.State)
	}
}

// TestTrimInterrupted: segments whose deletion a crash interrupted are deleted when
// the journal is opened; a segment that vanished is damage.
func TestTrimInterrupted(t *testing.T) {
	dir := t.TempDir()
	j := fill(t, dir, 20)
	kept := map[string][]byte{}
	for _, path := range files(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept[path] = data
	}
	if err := j.Trim(10); err != nil {
		t.Fatal(err)
	}
	want, left := counts(j), files(t, dir)
	j.Close()
	back := 0
	for path, data := range kept {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			back++
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	j = open(t, dir, journal.Options{Segment: 2000})
	if got := counts(j); back == 0 || got != want || !reflect.DeepEqual(files(t, dir), left) {
		t.Errorf("after %d deletions were lost: entries %v, want %v; files %v, want %v", back, got, want, files(t, dir), left)
	}
	j.Close()
	for _, path := range left[:len(left)-1] {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".away", filepath.Join(t.TempDir(), "away")); err != nil {
			t.Fatal(err)
		}
		_, err := journal.Open(dir, net, journal.Options{})
		if d := new(journal.Damage); !errors.As(err, &d) || d.File != path || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("without %s: %v", path, err)
		}
		if err := os.WriteFile(path, kept[path], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, ok := kept[path]; !ok {
			t.Fatalf("%s was begun by Trim", path)
		}
	}
}

// TestLocked: a journal is open in one place at a time.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	if _, err := journal.Open(dir, net, journal.Options{}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("Open of an open journal = %v", err)
	}
	add(t, j, issued(key("a"), 1))
	j.Close()
	open(t, dir, journal.Options{}).Close()
}

func TestRefusesAnotherNetwork(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, journal.Options{}).Close()
	if _, err := journal.Open(dir, protocol.Net{9}, journal.Options{}); protocol.ReasonOf(err) != protocol.WrongNetwork {
		t.Errorf("opened for another network: %v", err)
	}
}

// TestRefusesOldFormat: the journals that development versions wrote were files.
func TestRefusesOldFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("\x00\x00\x00\x01"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(path, net, journal.Options{}); err == nil || !strings.Contains(err.Error(), "before 0.1.0") {
		t.Errorf("Open of a file: %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) != 4 {
		t.Errorf("the old journal was changed: %v", err)
	}
}

func TestRefusesForeignFiles(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, journal.Options{}).Close()
	for _, name := range []string{"notes.txt", "1", "00000000"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Open(dir, net, journal.Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("with a file %s: %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// failing is a disk whose syncs fail.
type failing struct {
	mu   sync.Mutex
	left int // syncs until one fails
	n    int // syncs that fail then
}

var errDisk = errors.New("input/output error")

func (f *failing) Sync(*os.File) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 && f.left >= -f.n {
		return errDisk
	}
	return nil
}

func TestFailedSync(t *testing.T) {
	for name, lost := range map[string]int{"undone": 1, "not undone": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := &failing{left: 1 << 30}
			j := open(t, dir, journal.Options{Disk: f})
			add(t, j, issued(key("a"), 1))
			f.left, f.n = 0, lost
			if err := j.Append(issued(key("b"), 1)); !errors.Is(err, errDisk) {
				t.Fatalf("Append = %v, want the failed sync", err)
			}
			if _, ok, _ := j.Get(key("b")); ok {
				t.Error("the batch that failed is there")
			}
			err := j.Append(issued(key("c"), 1))
			if (err == nil) != (lost == 1) {
				t.Errorf("the next Append = %v", err)
			}
			j.Close()
			j = open(t, dir, journal.Options{})
			want := 2
			if lost == 2 {
				want = 1
			}
			if n := j.Count(journal.Unaccepted); n != want {
				t.Errorf("%d entries, want %d", n, want)
			}
		})
	}
}
