package protocol_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// A coordinator signs an offer, and a miner parses the bytes that arrive. One
// flipped bit is refused, and so is another network.
func Example() {
	coordinator := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	network := protocol.Net{1, 2, 3}
	offer := protocol.RunOffer{
		Run: block.Link{Cid: block.Sum(block.CBOR, []byte{0x80})}, Time: 1, Rounds: 40, Units: 4,
		Addrs: []string{"/ip4/192.0.2.7/tcp/4001"},
	}
	data, err := protocol.Sign(coordinator, network, &offer)
	if err != nil {
		log.Fatal(err)
	}

	var got protocol.RunOffer
	if err := protocol.Parse(data, network, &got); err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Rounds, "rounds, signed by the coordinator:", got.Account == protocol.AccountOf(coordinator))

	damaged := bytes.Clone(data)
	damaged[len(damaged)-1] ^= 1
	fmt.Println(protocol.ReasonOf(protocol.Parse(damaged, network, &got)))
	fmt.Println(protocol.ReasonOf(protocol.Parse(data, protocol.Net{9}, &got)))
	// Output:
	// 40 rounds, signed by the coordinator: true
	// bad-signature
	// wrong-network
}
