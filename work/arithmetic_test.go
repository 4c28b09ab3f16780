package work_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// in8 is ways to train with products of 8-bit codes, each with the parameters that the model
// then has, whatever the processor and the kernels.
var in8 = []struct {
	name   string
	change func(*train.Config)
	golden string
}{
	{"gradients", func(c *train.Config) { c.Accumulate = 2 }, "bafyreiftltgvvok5s7bvoihcfre4ucsey74d25qjh7e63nczheol7qp2na"},
	{"local steps after a lead", func(c *train.Config) {
		c.LocalSteps, c.Lead, c.Epochs, c.DeltaBits, c.UpdateBits = 2, 1, 4, 2, 4
	}, "bafyreigw2gwa2ekzvsgztrmps2hhvl53hdshn77x7wjgcrjwha3mzpz5uu"},
	{"adapters", func(c *train.Config) { c.LoRA, c.Seed = 2, 5 }, "bafyreighthkpxtu7en3jkj2vjbxl2q3jalr66lzbscb6oajsequjhqqcbu"},
}

// TestInt8Runs: a run with products of codes ends in the same model on every device and on
// several threads, and when it is stopped and resumed. It is another model than that of a run
// in binary32, and whoever computes the run again finds the same.
func TestInt8Runs(t *testing.T) {
	for _, v := range in8 {
		t.Run(v.name, func(t *testing.T) {
			plain := config()
			v.change(&plain)
			cfg := plain
			cfg.Arithmetic = train.Int8
			onDevices(t, cfg, v.golden, nil)
			if got := onThreads(t, cfg, 2).Result.String(); got != v.golden {
				t.Errorf("two threads: the model has parameters %s, want %s", got, v.golden)
			}
			if got := onThreads(t, plain, 1).Result.String(); got == v.golden {
				t.Error("binary32 gives the same model")
			}
			stoppedAndVerified(t, cfg, v.golden)
		})
	}
}

// onThreads trains the little run on some threads.
func onThreads(t *testing.T, cfg train.Config, threads int) run.Round {
	t.Helper()
	dev, err := kernel.Open("", threads)
	if err != nil {
		t.Fatal(err)
	}
	store := &block.MemoryStore{}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	tr := &run.Training{Plan: planOf(t, store, cfg), Store: store, Crew: crew, Home: crew, Done: func(run.Round, block.Link) error { return nil }}
	last, err := tr.Run(t.Context(), block.Link{})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// TestArithmeticRecord: a record with an arithmetic is of version 3, with adapters or without.
// A record in binary32 has no field for it. A program that knows no arithmetics, which reads
// records of versions 1 and 2, refuses one.
func TestArithmeticRecord(t *testing.T) {
	store := &block.MemoryStore{}
	cfg := config()
	cfg.Arithmetic = train.Int8
	plan := planOf(t, store, cfg)
	for name, c := range map[string]struct {
		change func(*run.Record)
		want   string
	}{
		"version 1":              {func(r *run.Record) { r.Version = 1 }, `version 1 with adapters of rank 0 and arithmetic "int8", want version 3`},
		"version 2":              {func(r *run.Record) { r.Version = 2 }, "want version 3"},
		"version 4":              {func(r *run.Record) { r.Version = 4 }, "want version 3"},
		"version 3 and binary32": {func(r *run.Record) { r.Config.Arithmetic = train.Binary32 }, "want version 1"},
		"an unknown arithmetic":  {func(r *run.Record) { r.Config.Arithmetic = "int4" }, `arithmetic "int4", want one of binary32, int8`},
		"none":                   {func(r *run.Record) { r.Config.Arithmetic = "" }, `arithmetic "", want one of binary32, int8`},
		"adapters without base":  {func(r *run.Record) { r.Config.LoRA = 2 }, "without a model to begin with"},
	} {
		r := plan.Run
		c.change(&r)
		link, err := block.PutNode(t.Context(), store, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Open(t.Context(), store, link); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	cfg.LoRA = 2
	if p := planOf(t, store, cfg); p.Run.Version != 3 {
		t.Errorf("adapters and an arithmetic: version %d", p.Run.Version)
	}
	if got, err := run.Read(t.Context(), store, plan.Link); err != nil || got.Config != plan.Run.Config || got.Version != 3 {
		t.Errorf("read as %+v, %v", got, err)
	}

	// Binary32 spelled out, in a record of any version.
	r := plan.Run
	r.Config.Arithmetic = train.Binary32
	for version := range uint16(4) {
		long := longRecord{Version: version, Config: r.Config, Corpus: r.Corpus, Tokenizer: r.Tokenizer, Vocab: r.Vocab, Steps: r.Steps, Base: r.Base}
		link, err := block.PutNode(t.Context(), store, long)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Read(t.Context(), store, link); err == nil {
			t.Errorf("a record of version %d that spells binary32 out is read", version)
		}
	}

	data, err := store.Get(t.Context(), plan.Link.Cid)
	if err != nil {
		t.Fatal(err)
	}
	var one shortRecord[train.PlainConfig]
	var two shortRecord[train.AdaptedConfig]
	if block.Decode(data, &one) == nil || block.Decode(data, &two) == nil {
		t.Error("a program without arithmetics reads the record")
	}
}

// longRecord is a record with a configuration that has all its fields.
type longRecord = shortRecord[train.Config]

// shortRecord is a record whose configuration is a C.
type shortRecord[C any] struct {
	_                 struct{} `cbor:",toarray"`
	Version           uint16
	Config            C
	Corpus, Tokenizer block.Link
	Vocab, Steps      uint32
	Base              []block.Link
}

// TestArithmeticsApart: a run goes on from no round of the same run in the other arithmetic,
// and no unit of one run is of the other.
func TestArithmeticsApart(t *testing.T) {
	store := &block.MemoryStore{}
	cfg := config()
	plain := planOf(t, store, cfg)
	var head block.Link // the log of the first round
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	tr := &run.Training{Plan: plain, Store: store, Crew: crew, Home: crew, Done: func(_ run.Round, l block.Link) error {
		head = l
		return errStop
	}}
	if _, err := tr.Run(t.Context(), block.Link{}); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	cfg.Arithmetic = train.Int8
	coded := planOf(t, store, cfg)
	if plain.Link == coded.Link {
		t.Fatal("one run")
	}
	tr.Plan = coded
	if _, err := tr.Run(t.Context(), head); err == nil || !strings.Contains(err.Error(), plain.Link.String()) {
		t.Errorf("a run goes on from a round of another: %v", err)
	}
	from, err := plain.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	a, err := plain.Units(t.Context(), store, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	b, err := coded.Units(t.Context(), store, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a[0].Inputs, b[0].Inputs) || a[0].ID() == b[0].ID() {
		t.Errorf("units %s and %s", a[0].ID(), b[0].ID())
	}
}
