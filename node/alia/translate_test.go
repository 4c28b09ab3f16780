package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/stream"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// TestTranslateSameText: a model's files give the same text with any kernels,
// threads and batch, in binary32 and in int8.
func TestTranslateSameText(t *testing.T) {
	if testing.Short() {
		t.Skip("translates many times in one process: go test without -short does")
	}
	model := smallModel(t, 32)
	var in strings.Builder
	random := rand.New(rand.NewPCG(5, 6))
	for range 18 {
		for range random.IntN(9) {
			fmt.Fprintf(&in, "%s ", []string{"eins", "zwei.", "Drei", "vier", "fünf\x00", "日本", "\xff", "six", "seven"}[random.IntN(9)])
		}
		in.WriteString("\n")
	}
	texts := map[string]bool{}
	for _, c := range []struct {
		beam uint16
		int8 bool
	}{{1, false}, {5, false}, {1, true}, {5, true}} {
		d := unit.Greedy
		d.Beam = c.beam
		want := ""
		for _, kernels := range kernel.Names() {
			for _, threads := range []int{1, 2} {
				dev, err := kernel.Open(kernels, threads)
				if err != nil {
					t.Fatal(err)
				}
				for _, batch := range []int{1, 7, 64} {
					m, err := node.OpenModel(model)
					if err != nil {
						t.Fatal(err)
					}
					if c.int8 || batch == 7 {
						if err := m.Prepare(dev, c.int8); err != nil {
							t.Fatal(err)
						}
					}
					engine := m.Model.NewEngine(dev)
					var out bytes.Buffer
					f := stream.Filter{Batch: batch, Fits: m.Fits, Out: &out, Translate: func(s []string) ([]text.Traced, error) { return m.Trace(engine, unit.NewText(s, nil), d, false) }}
					if err := f.Run(t.Context(), strings.NewReader(in.String())); err != nil {
						t.Fatal(err)
					}
					if want == "" {
						want = out.String()
					}
					if got := out.String(); got != want || strings.Count(got, "\n") != 18 {
						t.Errorf("%+v, %s, %d threads, batch %d: another text: %q, want %q", c, kernels, threads, batch, got, want)
					}
				}
			}
		}
		if len(strings.Fields(want)) < 36 {
			t.Errorf("%+v: a text with little in it: %q", c, want)
		}
		texts[want] = true
	}
	if len(texts) < 3 { // beam and --int8 do something
		t.Errorf("%d texts of four", len(texts))
	}
}

// smallModel writes the files of an untrained model.
func smallModel(t *testing.T, ffn uint32) (dir string) {
	t.Helper()
	tokens, err := text.Train(slices.Values([]string{"eins zwei drei vier", "one two three four eins"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	m := &model.Translator{Head: model.Head{Tokenizer: tokens, Model: model.Model{
		Version: 1, Source: "en", Target: "de", Vocab: uint32(tokens.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: ffn, Heads: 2, Encoder: 1, Decoder: 2},
	}}}
	m.Params = nmt.Init(m.Model.Config(), 1)
	dir = t.TempDir()
	for name, data := range m.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOpenModelReadsOnce: the parameters of a model that is opened are read into memory once.
func TestOpenModelReadsOnce(t *testing.T) {
	dir := smallModel(t, 1<<15)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := node.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took, size := after.TotalAlloc-before.TotalAlloc, 4*m.Params.Elements(); size < 12<<20 || took > uint64(size)+10<<20 {
		t.Errorf("%d bytes of memory for %d bytes of parameters", took, size)
	}
}

// TestTranslateKeepsInput: a process that begins to serve the home while another command
// of the home begins gets all that the command's user pipes in.
func TestTranslateKeepsInput(t *testing.T) {
	path, err := os.MkdirTemp("", "home") // t.TempDir has a path too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(path)
	dir := home.Dir(path)
	store, err := dir.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	// The process has the home, but nobody answers at its socket yet.
	early, err := net.Listen("unix", dir.Socket())
	if err != nil {
		t.Fatal(err)
	}

	const text = "Good morning.\n"
	status := make(chan int, 1)
	go func() {
		a := &app{
			started: time.Now(), args: []string{"translate", "--home", path, "--model", "bafyreidvh6bj3htz4yrzwtchml3pc2mwn75cgflvfydiqp2ppgctreaomi"},
			env: os.LookupEnv, stdin: strings.NewReader(text), stdout: io.Discard, stderr: io.Discard,
		}
		a.host = newHost(a)
		status <- a.run(t.Context())
	}()
	c, err := early.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	early.Close()

	got := make(chan string, 1)
	s, err := daemon.Serve(dir.Socket(), func(_ context.Context, g *daemon.Guest) int {
		data, err := io.ReadAll(g.Stdin)
		if err != nil {
			t.Error(err)
		}
		got <- string(data)
		return exitDone
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if n := <-status; n != exitDone {
		t.Fatalf("exit status %d", n)
	}
	if g := <-got; g != text {
		t.Errorf("the command read %q, want %q", g, text)
	}
}
