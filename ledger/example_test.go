package ledger_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// key makes a member's key from its name, so that the examples give the same
// bytes each time.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func account(name string) protocol.Account { return protocol.AccountOf(key(name)) }

// cid is a CID of some bytes.
func cid(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// A network of one validator, a run whose plan it approves, and a unit of work that is
// paid with newly minted tokens.
func Example() {
	network := protocol.Net(sha256.Sum256([]byte("genesis document")))
	state, err := ledger.New(network, ledger.Genesis{
		Version: 1, Network: "village", Params: ledger.LocalParams(),
		Validators: []protocol.Account{account("validator")},
	})
	if err != nil {
		log.Fatal(err)
	}
	// height makes the next height of the transactions.
	height := func(txs ...*ledger.Tx) []ledger.TxResult {
		next, results, _, err := state.Apply(ledger.Block{Height: state.Height() + 1, Txs: txs})
		if err != nil {
			log.Fatal(err)
		}
		state = next
		return results
	}
	// send makes the next height of one transaction. It needs no fee: it reports work.
	send := func(who string, body ledger.Body) {
		data, err := ledger.Sign(key(who), network, ledger.Tx{Nonce: state.Height() + 1, ExpHeight: state.Height() + 10, Body: body})
		if err != nil {
			log.Fatal(err)
		}
		tx, err := ledger.ParseTx(data, network)
		if err != nil {
			log.Fatal(err)
		}
		results := height(tx)
		fmt.Printf("height %d: %T of the %s: %s\n", state.Height(), body, who, results[0].Code)
	}

	// The plan: one round of one unit of learning, and nothing after it.
	slots := []protocol.Slot{{Kind: uint16(unit.Gradient), Task: cid("batches"), Most: 2_000_000}} // MFLOP
	groups := []protocol.SlotGroup{protocol.GroupOf(slots), protocol.GroupOf(nil)}
	plan := ledger.Plan{Function: cid("function"), Root: protocol.PlanRoot(groups), Groups: 2, Cost: 2_000_000}
	run := cid("run")
	send("coordinator", ledger.RunPropose{Run: run, Plan: plan, Silence: 100})
	send("validator", ledger.RunVote{Run: run, Coordinator: account("coordinator"), Plan: plan, Yes: true})

	// The miner attests its result, and the coordinator claims the round.
	at := protocol.Attestation{
		Work: run, Publisher: account("coordinator"), Place: protocol.Place{Kind: slots[0].Kind},
		Unit: cid("unit"), Result: cid("result"), Ticket: cid("ticket"),
	}
	if _, err := protocol.Sign(key("miner"), network, &at); err != nil {
		log.Fatal(err)
	}
	claim := ledger.Claim{Run: run, Rounds: ledger.List[ledger.RoundClaim]{{
		Path: protocol.Bytes(protocol.PlanPath(groups, 0)), Params: cid("parameters"), Log: cid("log"),
		Slots: ledger.List[ledger.SlotClaim]{{Slot: slots[0], Work: ledger.List[ledger.SlotWork]{{
			Unit: at.Unit, Result: at.Result, Ticket: at.Ticket, Account: at.Account, Sig: at.Sig,
		}}}},
	}}}
	send("coordinator", claim)
	send("coordinator", claim) // a round is claimed once

	for range state.Genesis().Params.Finality {
		height()
	}
	balance := state.Account(account("miner")).Balance
	fmt.Printf("height %d: the miner has %s ALIA\n", state.Height(), protocol.FormatAmount(balance))
	// Output:
	// height 1: ledger.RunPropose of the coordinator: ok
	// height 2: ledger.RunVote of the validator: ok
	// height 3: ledger.Claim of the coordinator: ok
	// height 4: ledger.Claim of the coordinator: already done
	// height 9: the miner has 2.00782012 ALIA
}
