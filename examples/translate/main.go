// Command translate has a text translated by a network's miners, pays for the
// translation and keeps the receipt. It is package node/client in one page.
//
// It needs the home of a customer who has tokens, and the CID of a model of the
// network. `alia swarm` makes a whole network on one machine, leaves it running and
// prints both:
//
//	go run ./examples/translate -home DIR/customer -model CID < examples/travel/letter.en.txt
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	model := flag.String("model", "", "CID of the model")
	budget := flag.String("budget", "0.1", "most ALIA to pay")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := translate(ctx, home.Dir(*dir), *model, *budget, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// translate translates a text and writes the translation. It logs what happens and
// what the receipt shows.
func translate(ctx context.Context, dir home.Dir, model, budget string, in io.Reader, out io.Writer) error {
	document := client.Document{}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	document.Text = string(text)
	if document.Model, err = block.ParseLink(model); err != nil {
		return err
	}
	if document.Budget, err = protocol.ParseAmount(budget); err != nil {
		return err
	}

	// Join the network, and see what the document costs. No money moves yet.
	c, err := client.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	job, err := c.Start(ctx, document)
	if err != nil {
		return err
	}
	defer job.Close()
	quote := job.Quote()
	log.Printf("%d units of work cost at most %s ALIA", quote.Units, protocol.FormatAmount(quote.Amount))

	// The translation comes before the claims of the miners. After Ctrl-C, the same command
	// goes on.
	translation, err := job.Text(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(out, translation)
	receipt, err := job.Settle(ctx)
	if err != nil {
		return err
	}
	log.Printf("%s ALIA to miners are %s; the receipt is %s", protocol.FormatAmount(receipt.Paid), receipt.Status, job.ReceiptFile())
	return nil
}
