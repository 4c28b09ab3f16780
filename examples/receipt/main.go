// Command receipt checks the receipt of a job without the network: the file that package
// node/client and the gateway give. With the plain text and its translation it also checks
// that the receipt is theirs. The receipt of a document, which `alia translate` keeps, is
// checked by package node/proof.
//
//	go run ./examples/receipt -network network.json RECEIPT
//	go run ./examples/receipt -network network.json RECEIPT letter.txt brief.txt
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
)

func main() {
	network := flag.String("network", "network.json", "the network's file")
	flag.Parse()
	if err := check(*network, flag.Args(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// check checks the receipt of the first file, and says what it proves.
func check(network string, files []string, out io.Writer) error {
	if len(files) != 1 && len(files) != 3 {
		return fmt.Errorf("give a receipt, or a receipt, a document and its translation")
	}
	n, err := node.ReadNetwork(network)
	if err != nil {
		return err
	}
	data := make([][]byte, len(files))
	for i, path := range files {
		if data[i], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	p, err := client.VerifyReceipt(n, data[0])
	if err != nil {
		return err
	}
	if len(files) == 3 {
		if err := p.Translation(string(data[1]), string(data[2])); err != nil {
			return err
		}
		fmt.Fprintln(out, "the document and the translation are those of the receipt")
	}
	fmt.Fprintf(out, "customer %s, model %s\n", p.Receipt.Account, p.Job.Model)
	for i, u := range p.Receipt.Units {
		fmt.Fprintf(out, "unit %d: %d sentences by miner %s\n", i, len(u.Source), u.Miner)
	}
	fmt.Fprintf(out, "%s: %s ALIA to miners, after height %d\n", p.Status, protocol.FormatAmount(p.Paid), p.Height)
	if p.Missing != "" {
		fmt.Fprintln(out, p.Missing)
	}
	return nil
}
