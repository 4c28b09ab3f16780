// Command messages translates a stream of messages, one on each line, and answers them in
// order. Each message is a job. Several are worked on at a time, so a slow one does not
// keep the miners from the next.
//
//	tail -f messages | go run ./examples/messages -home DIR -model CID
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	model := flag.String("model", "", "CID of the model")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := messages(ctx, home.Dir(*dir), *model, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// atOnce is how many messages are worked on at a time.
const atOnce = 8

// messages translates each line of in, and writes the translations to out in the same
// order.
func messages(ctx context.Context, dir home.Dir, model string, in io.Reader, out io.Writer) error {
	link, err := block.ParseLink(model)
	if err != nil {
		return err
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()

	// Answers are queued in the order of the messages. Each comes when it is there.
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan string, atOnce)
	g.Go(func() error {
		defer close(queue)
		for lines := bufio.NewScanner(in); ; {
			if !lines.Scan() {
				return lines.Err()
			}
			message, answer := lines.Text(), make(chan string, 1)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case queue <- answer:
			}
			g.Go(func() error { return translate(ctx, c, link, message, answer) })
		}
	})
	g.Go(func() error {
		for answer := range queue {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case text := <-answer:
				if _, err := fmt.Fprintln(out, text); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return g.Wait()
}

// translate answers one message, and then settles it: the answer does not wait for the
// ledger's claims.
func translate(ctx context.Context, c *client.Client, model block.Link, message string, answer chan<- string) error {
	if strings.TrimSpace(message) == "" {
		answer <- message
		return nil
	}
	job, err := c.Start(ctx, client.Document{Text: message, Model: model, Budget: protocol.Coin / 100})
	if err != nil {
		return err
	}
	defer job.Close()
	text, err := job.Text(ctx)
	if err != nil {
		return err
	}
	answer <- text
	_, err = job.Settle(ctx)
	return err
}
