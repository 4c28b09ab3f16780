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

	"github.com/alia-network/alia/node"
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

	// Join the network and have the document translated.
	c, err := client.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Report = func(n node.Notice) { log.Println(n) }
	t, err := c.Translate(ctx, document)
	if err != nil {
		return err
	}
	fmt.Fprint(out, t.Text)

	// The receipt needs nothing but the network file to be checked, on any machine.
	receipt, err := os.ReadFile(t.ReceiptFile)
	if err != nil {
		return err
	}
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return err
	}
	proven, err := client.VerifyReceipt(network, receipt)
	if err != nil {
		return err
	}
	log.Printf("%d units of work in %.1f s, %s ALIA paid to miners; the receipt is %s",
		t.Units, t.Seconds, protocol.FormatAmount(proven.Paid), t.ReceiptFile)
	return nil
}
