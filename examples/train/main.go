// Command train trains a small translation model in this process, saves it and
// translates with it. The same program gives the same model, bit for bit, on every
// machine: its name is the hash of its bytes.
//
//	go run ./examples/train -dir /tmp/model -rounds 200
//	alia translate --local --model /tmp/model/models/CID FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

func main() {
	dir := flag.String("dir", "", "directory for the run and the model")
	rounds := flag.Int("rounds", 200, "most rounds of the run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// The phrasebook is the project's own English-German corpus.
	if err := trainModel(ctx, home.Dir(*dir), corpus.Phrasebook(), *rounds, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// trainModel trains on a corpus, saves the model below dir and prints translations. A
// run that was interrupted continues from its last round.
func trainModel(ctx context.Context, dir home.Dir, pairs *corpus.Corpus, rounds int, out io.Writer) error {
	config, err := train.Preset("demo")
	if err != nil {
		return err
	}
	config.Rounds = uint32(rounds)
	fmt.Fprintln(out, pairs.Clean())

	// The plan names every unit of the run before any is done.
	store, err := dir.Store()
	if err != nil {
		return err
	}
	defer store.Close()
	plan, err := run.New(ctx, store, pairs, config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir.Run(plan.Link), 0o755); err != nil {
		return err
	}

	// One worker of this process is the crew. In a network a node.Publisher is.
	dev, err := kernel.Open("auto", 2)
	if err != nil {
		return err
	}
	crew := &work.Local{
		Worker: work.NewWorker(dev), Blocks: store, Clock: func() uint64 { return uint64(time.Now().UnixMilli()) },
	}
	c := &node.Coordinator{
		Dir: dir.Run(plan.Link), Store: store, Plan: plan, Crew: crew, Home: crew,
		Report: func(n node.Notice) { log.Println(n) },
	}
	result, err := c.Run(ctx)
	if err != nil {
		return err
	}
	path, err := node.SaveModel(ctx, store, dir.Models(), plan, result)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "model %s\n", path)

	// Anybody can open the directory and translate.
	model, err := node.OpenModel(path)
	if err != nil {
		return err
	}
	german, err := model.Translate(model.Model.NewEngine(dev), []string{"Good morning.", "Where is the station?"}, unit.Greedy)
	if err != nil {
		return err
	}
	for _, sentence := range german {
		fmt.Fprintln(out, sentence)
	}
	return nil
}
