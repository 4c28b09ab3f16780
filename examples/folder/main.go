// Command folder has the text files of a folder translated by a network's miners, several
// at a time. A file whose translation is there already is left out, so the same command
// goes on after Ctrl-C.
//
//	go run ./examples/folder -home DIR -model CID -budget 0.5 letters briefe
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	model := flag.String("model", "", "CID of the model")
	budget := flag.String("budget", "0.5", "most ALIA to pay for all files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := folder(ctx, home.Dir(*dir), *model, *budget, flag.Arg(0), flag.Arg(1)); err != nil {
		log.Fatal(err)
	}
}

// folder translates the files *.txt of one folder into another.
func folder(ctx context.Context, dir home.Dir, model, budget, from, to string) error {
	link, err := block.ParseLink(model)
	if err != nil {
		return err
	}
	most, err := protocol.ParseAmount(budget)
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(from, "*.txt"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()

	// The quotes of all files come before the first one is paid for.
	jobs := map[string]*client.Job{} // by the file of the translation
	var sum uint64
	for _, path := range paths {
		out := filepath.Join(to, filepath.Base(path))
		if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		job, err := c.Start(ctx, client.Document{Text: string(text), Model: link, Budget: most})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer job.Close()
		jobs[out] = job
		sum += job.Quote().Amount
	}
	if sum > most {
		return fmt.Errorf("%d files cost up to %s ALIA, more than the budget of %s", len(jobs), protocol.FormatAmount(sum), budget)
	}

	g, ctx := errgroup.WithContext(ctx)
	for out, job := range jobs {
		g.Go(func() error {
			translation, err := job.Text(ctx)
			if err != nil {
				return err
			}
			if err := os.WriteFile(out, []byte(translation), 0o644); err != nil {
				return err
			}
			receipt, err := job.Settle(ctx)
			if err == nil {
				log.Printf("%s: %s ALIA, %s", out, protocol.FormatAmount(receipt.Paid), receipt.Status)
			}
			return err
		})
	}
	return g.Wait()
}
