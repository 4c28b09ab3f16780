package memory_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/node/memory"
)

var model = memory.Settings{From: "en", To: "de", Model: "bafyreidvh6bj3htz4yrzwtchml3pc2mwn75cgflvfydiqp2ppgctreaomi", How: "beam 1"}

func entry(s memory.Settings, source, target string) memory.Known {
	return memory.Known{Settings: s, Source: source, Target: target}
}

func open(t testing.TB, dir string, limit int64) *memory.TM {
	t.Helper()
	m, err := memory.Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func want(t *testing.T, m *memory.TM, s memory.Settings, source, target string) {
	t.Helper()
	if got, ok := m.Get(s, source); got != target || ok != (target != "") {
		t.Errorf("Get(%q) = %q, %v; want %q", source, got, ok, target)
	}
}

func TestMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "memory")
	m := open(t, dir, memory.DefaultLimit)
	want(t, m, model, "Good morning.", "")
	odd := "two\nlines, \"quotes\" <b> \u2028 \\ \t日本"
	if err := m.Put(entry(model, "Good morning.", "Guten Morgen."), entry(model, odd, "zwei\nZeilen")); err != nil {
		t.Fatal(err)
	}
	if err := m.Sync(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as it is, and opened again
		want(t, m, model, "Good morning.", "Guten Morgen.")
		want(t, m, model, odd, "zwei\nZeilen")
		// Whatever a translation depends on makes another.
		for _, other := range []memory.Settings{
			{From: "fr", To: model.To, Model: model.Model, How: model.How}, {From: model.From, To: "fr", Model: model.Model, How: model.How},
			{From: model.From, To: model.To, Model: "another", How: model.How}, {From: model.From, To: model.To, Model: model.Model, How: "beam 2"},
			{From: "e", To: "nde", Model: model.Model, How: model.How},
		} {
			want(t, m, other, "Good morning.", "")
		}
		want(t, m, model, "Good morning", "")
		m = open(t, dir, memory.DefaultLimit)
	}
	// The newest translation counts, and that of a person before all.
	if err := m.Put(entry(model, "Good morning.", "Moin.")); err != nil {
		t.Fatal(err)
	}
	want(t, m, model, "Good morning.", "Moin.")
	if err := m.Put(entry(memory.Settings{From: "en", To: "de"}, "Good morning.", "Einen guten Morgen!")); err != nil {
		t.Fatal(err)
	}
	want(t, m, model, "Good morning.", "Einen guten Morgen!")
	want(t, m, memory.Settings{From: "en", To: "de", Model: "another"}, "Good morning.", "Einen guten Morgen!")
	if info, err := os.Stat(filepath.Join(dir, "translations.1")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}
	// What is there already takes no more room.
	before := m.Stats()
	if err := m.Put(entry(model, odd, "zwei\nZeilen")); err != nil || m.Stats() != before {
		t.Errorf("%+v became %+v, %v", before, m.Stats(), err)
	}
	if err := m.Clear(); err != nil || m.Stats().Entries != 0 {
		t.Errorf("after Clear: %+v, %v", m.Stats(), err)
	}
	want(t, m, model, odd, "")
	if err := m.Put(entry(model, odd, "x")); err != nil {
		t.Fatal(err)
	}
	want(t, open(t, dir, memory.DefaultLimit), model, odd, "x")
}

// TestJob: the memory remembers which job's receipt proves a translation, and entries of
// before jobs were remembered are read as ever.
func TestJob(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, memory.DefaultLimit)
	plain, bought := entry(model, "one", "eins"), entry(model, "two", "zwei")
	bought.Job = "bafyjob"
	if err := m.Put(plain, bought); err != nil {
		t.Fatal(err)
	}
	m = open(t, dir, memory.DefaultLimit)
	for _, want := range []memory.Known{plain, bought} {
		if e, ok := m.Find(model, want.Source); !ok || e != want {
			t.Errorf("%+v, %v, want %+v", e, ok, want)
		}
	}
	// A later job that gives the same translation proves it as well.
	plain.Job = "bafylater"
	if err := m.Put(plain); err != nil {
		t.Fatal(err)
	}
	if e, _ := m.Find(model, "one"); e.Job != "bafylater" || m.Stats().Entries != 2 {
		t.Errorf("%+v, %+v", e, m.Stats())
	}
	if e, ok := m.Find(model, "three"); ok {
		t.Errorf("found %+v", e)
	}
}

// TestCut: at whatever byte a crash ends the file, what was whole is found, and the next Put
// is.
func TestCut(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, memory.DefaultLimit)
	var ends []int64
	for i := range 4 {
		if err := m.Put(entry(model, fmt.Sprint("source ", i), fmt.Sprint("Ziel ", i))); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, m.Stats().Bytes)
	}
	path := filepath.Join(dir, "translations.1")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		cut := t.TempDir()
		if err := os.WriteFile(filepath.Join(cut, "translations.1"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		m := open(t, cut, memory.DefaultLimit)
		check := func(m *memory.TM) {
			for i, end := range ends {
				target := ""
				if int64(n) >= end {
					target = fmt.Sprint("Ziel ", i)
				}
				want(t, m, model, fmt.Sprint("source ", i), target)
			}
		}
		check(m)
		if err := m.Put(entry(model, "after", "danach")); err != nil {
			t.Fatal(err)
		}
		check(m)
		want(t, m, model, "after", "danach")
		m = open(t, cut, memory.DefaultLimit)
		check(m)
		want(t, m, model, "after", "danach")
		if s := m.Stats(); s.Damaged != 0 {
			t.Errorf("cut at %d: %d damaged lines are left", n, s.Damaged)
		}
		m.Close()
	}
}

// TestFlip: a changed bit takes at most its line and the next one, and changes none.
func TestFlip(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, memory.DefaultLimit)
	for i := range 5 {
		if err := m.Put(entry(model, fmt.Sprint("source ", i), fmt.Sprint("Ziel ", i))); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "translations.1")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		data := bytes.Clone(whole)
		data[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m := open(t, dir, memory.DefaultLimit)
		found := 0
		for i := range 5 {
			got, ok := m.Get(model, fmt.Sprint("source ", i))
			if ok && got != fmt.Sprint("Ziel ", i) {
				t.Fatalf("bit at %d: source %d became %q", at, i, got)
			}
			if ok {
				found++
			}
		}
		if found < 3 {
			t.Errorf("bit at %d: %d of 5 are left", at, found)
		}
		m.Close()
	}
}

// TestLimit: the oldest translations go first, and the file stays below its limit.
func TestLimit(t *testing.T) {
	const limit = 20_000
	dir := t.TempDir()
	m := open(t, dir, limit)
	reader := open(t, dir, limit) // another process, which has not followed since
	if err := reader.Put(entry(model, "first", "erster")); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		if err := m.Put(entry(model, fmt.Sprint("source ", i), fmt.Sprint("Ziel ", i))); err != nil {
			t.Fatal(err)
		}
		want(t, m, model, fmt.Sprint("source ", i), fmt.Sprint("Ziel ", i))
	}
	want(t, m, model, "first", "")
	want(t, reader, model, "first", "erster")
	if info, err := os.Stat(filepath.Join(dir, "translations.1")); err != nil || info.Size() > limit || info.Size() < limit/2 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	gone := 0
	for i := range 400 {
		if _, ok := m.Get(model, fmt.Sprint("source ", i)); !ok && i != gone {
			t.Errorf("source %d is gone, and %d is not", i, gone)
		} else if !ok {
			gone++
		}
	}
	if gone < 200 || gone > 380 {
		t.Errorf("%d of 400 are gone", gone)
	}
	if err := reader.Put(entry(model, "last", "letzter")); err != nil {
		t.Fatal(err)
	}
	want(t, reader, model, "source 399", "Ziel 399")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// TestTogether: several processes write one memory at a time.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for p := range 4 {
		m := open(t, dir, memory.DefaultLimit)
		wg.Go(func() {
			for i := range 100 {
				if err := m.Put(entry(model, fmt.Sprint(p, " ", i), fmt.Sprint(p*i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	m := open(t, dir, memory.DefaultLimit)
	for p := range 4 {
		for i := range 100 {
			want(t, m, model, fmt.Sprint(p, " ", i), fmt.Sprint(p*i))
		}
	}
	if s := m.Stats(); s.Entries != 400 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLongText: what is longer than MaxText is left out, and does no harm.
func TestLongText(t *testing.T) {
	m := open(t, t.TempDir(), memory.DefaultLimit)
	long := strings.Repeat("x\x01", memory.MaxText/2)
	if err := m.Put(entry(model, long+"y", "z"), entry(model, long, long), entry(model, "a", "b")); err != nil {
		t.Fatal(err)
	}
	want(t, m, model, long+"y", "")
	want(t, m, model, long, long)
	want(t, m, model, "a", "b")
}

// FuzzFile: whatever stands in the file, the memory opens, keeps and finds.
func FuzzFile(f *testing.F) {
	dir := f.TempDir()
	m := open(f, dir, memory.DefaultLimit)
	if err := m.Put(entry(model, "one", "eins"), entry(memory.Settings{From: "en", To: "de"}, "two", "zwei")); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "translations.1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("00000000 00000000000000000000000000000000 {}\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "translations.1"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		m := open(t, dir, memory.DefaultLimit)
		defer m.Close()
		for _, err := range m.All() {
			if err != nil {
				t.Logf("an entry: %v", err) // a sum that fits over JSON that does not
			}
		}
		if err := m.Put(entry(model, "three", "drei")); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, memory.DefaultLimit)
		defer again.Close()
		want(t, again, model, "three", "drei")
	})
}

// TestExact: what a model gave is told whatever a person made of it, and what another
// process has added meanwhile.
func TestExact(t *testing.T) {
	dir := t.TempDir()
	m, err := memory.Open(dir, memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	other, err := memory.Open(dir, memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	person := memory.Known{Settings: memory.Settings{From: "en", To: "de"}, Source: "Hello.", Target: "Hallo."}
	if err := other.Put(person, memory.Known{Settings: model, Source: "Hello.", Target: "Halo."}); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := m.Exact(model, "Hello."); got != "Halo." || !ok || err != nil {
		t.Errorf("the model gave %q, %v, %v", got, ok, err)
	}
	if got, ok := m.Get(model, "Hello."); got != "Hallo." || !ok {
		t.Errorf("a person's translation does not go before: %q", got)
	}
	if _, ok, err := m.Exact(model, "Bye."); ok || err != nil {
		t.Error("a text that nobody translated", ok, err)
	}
}
