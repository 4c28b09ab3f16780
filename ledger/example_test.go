package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// key makes a member's key from its name, so that the examples give the same
// bytes each time.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// cid is a CID of some bytes.
func cid(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// A network of one validator, a run that it approves, and a unit of work that is
// paid with newly minted tokens.
func Example() {
	network := protocol.Net(sha256.Sum256([]byte("genesis document")))
	state, err := ledger.New(network, ledger.Genesis{
		Version: 1, Network: "village", Params: ledger.DefaultParams(),
		Validators: []protocol.Account{protocol.AccountOf(key("validator"))},
	})
	if err != nil {
		log.Fatal(err)
	}
	// send makes the next height of one transaction.
	send := func(who string, body ledger.Body) {
		data, err := ledger.Sign(key(who), network, ledger.Tx{Nonce: state.Height() + 1, ExpHeight: state.Height() + 10, Body: body})
		if err != nil {
			log.Fatal(err)
		}
		tx, err := ledger.ParseTx(data, network)
		if err != nil {
			log.Fatal(err)
		}
		next, results, _, err := state.Apply(state.Height()+1, []*ledger.Tx{tx})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("height %d: %T of the %s: %s\n", next.Height(), body, who, results[0].Code)
		state = next
	}

	run := cid("run")
	send("coordinator", ledger.RunPropose{Run: run, Budget: 5_000_000}) // MFLOP
	send("validator", ledger.RunVote{Run: run, Yes: true})

	// The miner attests a result, the coordinator accepts it.
	at := protocol.Attestation{Work: run, Unit: cid("unit"), Result: cid("result"), Cost: 2_000_000}
	ac := protocol.Accept{Work: run, Unit: at.Unit, Miner: protocol.AccountOf(key("miner")), Result: at.Result, Cost: at.Cost}
	if _, err := protocol.Sign(key("miner"), network, &at); err != nil {
		log.Fatal(err)
	}
	if _, err := protocol.Sign(key("coordinator"), network, &ac); err != nil {
		log.Fatal(err)
	}
	entries := []ledger.SettleEntry{{Attestation: at, Accept: ac}}
	send("coordinator", ledger.Settle{Entries: entries})
	send("coordinator", ledger.Settle{Entries: entries}) // a unit is paid once

	balance := state.Account(protocol.AccountOf(key("miner"))).Balance
	fmt.Printf("the miner has %s ALIA\n", protocol.FormatAmount(balance))
	proof := state.Prove(ledger.UnitKey(at.Unit))
	root, _, found, err := proof.Value(ledger.UnitKey(at.Unit))
	fmt.Println("proven:", found && string(root) == string(state.AppHash()), err)
	// Output:
	// height 1: ledger.RunPropose of the coordinator: ok
	// height 2: ledger.RunVote of the validator: ok
	// height 3: ledger.Settle of the coordinator: ok
	// height 4: ledger.Settle of the coordinator: already done
	// the miner has 2.00782012 ALIA
	// proven: true <nil>
}
