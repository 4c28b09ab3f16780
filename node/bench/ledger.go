package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// LedgerReport is what alia bench ledger prints. Seconds are of the clock, and CPU seconds
// of the whole process: of all validators and of those who send.
type LedgerReport struct {
	Validators int `json:"validators"`
	// Claims of whole rounds, in the lane of free transactions.
	Heights        int     `json:"heights"`
	Slots          int     `json:"slots"` // claimed
	Seconds        float64 `json:"seconds"`
	CPUSeconds     float64 `json:"cpu_seconds"` // 0 where the system does not measure processor time
	SlotsPerSecond float64 `json:"slots_per_second"`
	// Transfers, as many as the mempool takes.
	Transactions          int     `json:"transactions"`
	TransactionSeconds    float64 `json:"transaction_seconds"`
	TransactionsPerSecond float64 `json:"transactions_per_second"`
	// What a node does with a height of 1,000 transfers, in a state with many accounts.
	Accounts      int     `json:"accounts"`
	ApplySeconds  float64 `json:"apply_seconds"`  // to apply a height and to save it: the median
	HeightSeconds float64 `json:"height_seconds"` // between the heights that have claims
	ApplyShare    float64 `json:"apply_share"`    // apply_seconds of height_seconds
	ProofBytesP99 int     `json:"proof_bytes_p99"`
	// What a million units leave in the state when they are paid, without the records of
	// the heights themselves, of which there are those of a day.
	StateBytes float64 `json:"state_bytes_per_million_units"`
}

// LedgerBench is a measurement of the ledger.
type LedgerBench struct {
	Dir        string        // an empty one, for the homes of the nodes
	Validators int           // all in this process
	Interval   time.Duration // of heights
	Window     time.Duration // for which each flood lasts
	Accounts   int           // of the state with many accounts, at least Transfers
	Note       func(format string, args ...any)
}

const (
	benchMiners   = 64     // each has a slot of each round
	benchRuns     = 4      // each with a coordinator, which sends one claim a height
	claimRounds   = 14     // of a claim; four such claims fill the lane of free transactions
	slotMFLOP     = 10_000 // what a slot costs
	proofKeys     = 10_000 // whose proofs are measured, and as many keys that are absent
	applyHeights  = 20
	transferBatch = 30 // waiting transactions of a sender: fewer than the mempool takes of one account
	// Transfers is the transactions of a height of which the bench measures the application.
	Transfers = 1000
)

// Run measures.
func (b *LedgerBench) Run(ctx context.Context) (_ *LedgerReport, err error) {
	r := &LedgerReport{Validators: b.Validators, Accounts: b.Accounts}
	// The network, and a run of each coordinator that the validators have approved.
	runs := b.planRuns()
	n, err := b.found(ctx, runs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	b.Note("signing what the miners have done, before the clock starts")
	if err := sign(ctx, n.net, runs); err != nil {
		return nil, err
	}
	if err := n.propose(ctx, runs); err != nil {
		return nil, err
	}
	// One round of each run gives the miners their accounts.
	if err := n.claim(ctx, runs, 1); err != nil {
		return nil, err
	}
	if err := n.paid(ctx); err != nil {
		return nil, err
	}
	before := stateBytes(n.state())

	b.Note("claiming rounds for %v", b.Window)
	if err := b.claims(ctx, n, runs, r); err != nil {
		return nil, err
	}
	if err := n.paid(ctx); err != nil {
		return nil, err
	}
	r.StateBytes = 1e6 * float64(stateBytes(n.state())-before) / float64(r.Slots)

	b.Note("transferring for %v", b.Window)
	if err := b.transfers(ctx, n, r); err != nil {
		return nil, err
	}
	if err := n.close(); err != nil {
		return nil, err
	}
	b.Note("making a state of %d accounts", b.Accounts)
	return r, b.apply(ctx, r)
}

// claims floods the network with claims.
func (b *LedgerBench) claims(ctx context.Context, n *network, runs []*benchRun, r *LedgerReport) error {
	if err := n.height(ctx); err != nil {
		return err
	}
	first, slots, began, cpu := n.state().Height(), claimed(n.state(), runs), time.Now(), machine.CPUSeconds()
	err := n.flood(ctx, b.Window, func(ctx context.Context) error {
		return n.claim(ctx, runs, claimRounds)
	}, func(s *ledger.State) bool { return claimed(s, runs) > slots })
	if err != nil {
		return err
	}
	if err := n.height(ctx); err != nil { // so that the time is that of whole heights
		return err
	}
	s := n.state()
	r.Seconds, r.CPUSeconds = time.Since(began).Seconds(), machine.CPUSeconds()-cpu
	r.Heights, r.Slots = int(s.Height()-first), claimed(s, runs)-slots
	r.SlotsPerSecond = float64(r.Slots) / r.Seconds
	r.HeightSeconds = r.Seconds / float64(r.Heights)
	return nil
}

// transfers floods the network with transfers of the miners to one account, whose balance
// counts them.
func (b *LedgerBench) transfers(ctx context.Context, n *network, r *LedgerReport) error {
	to := protocol.AccountOf(benchKey("counter"))
	began := time.Now()
	err := n.flood(ctx, b.Window, func(ctx context.Context) error {
		return n.transfer(ctx, to)
	}, func(s *ledger.State) bool { return s.Account(to).Balance > 0 })
	if err != nil {
		return err
	}
	r.TransactionSeconds, r.Transactions = time.Since(began).Seconds(), int(n.state().Account(to).Balance)
	r.TransactionsPerSecond = float64(r.Transactions) / r.TransactionSeconds
	return nil
}

// claimed is the slots that the ledger has claims for.
func claimed(s *ledger.State, runs []*benchRun) int {
	slots := 0
	for _, r := range runs {
		f, _ := s.Function(r.plan.Function)
		slots += int(f.Next) * benchMiners
	}
	return slots
}

// stateBytes is the bytes of the records of a state and of their keys, without those that
// each height leaves for a day.
func stateBytes(s *ledger.State) int {
	schedule := string(ledger.ScheduleKey(0)[:2])
	bytes := 0
	for p := range s.All() {
		if !strings.HasPrefix(string(p.Key), schedule) {
			bytes += len(p.Key) + len(p.Value)
		}
	}
	return bytes
}

// apply measures the application on a state of many accounts.
func (b *LedgerBench) apply(ctx context.Context, r *LedgerReport) (err error) {
	home := filepath.Join(b.Dir, "trial")
	if _, err := chain.Init(home, "bench", ledger.DefaultParams()); err != nil {
		return err
	}
	doc, err := chain.Genesis(home)
	if err != nil {
		return err
	}
	senders := benchKeys("sender", Transfers)
	state, err := manyAccounts(chain.Net(doc), senders, b.Accounts)
	if err != nil {
		return err
	}
	t, err := chain.NewTrial(home, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	var times []float64
	for range applyHeights {
		if err := ctx.Err(); err != nil {
			return err
		}
		var txs [][]byte
		for i, from := range senders {
			to := protocol.AccountOf(senders[(i+1)%Transfers])
			tx, err := ledger.Sign(from, state.Net(), ledger.Tx{
				Nonce: t.State().Height() + 1, Fee: 1 << 30, ExpHeight: t.State().Height() + 10, Body: ledger.Transfer{To: to, Amount: 1},
			})
			if err != nil {
				return err
			}
			txs = append(txs, tx)
		}
		took, err := t.Height(ctx, txs)
		if err != nil {
			return err
		}
		times = append(times, took.Seconds())
	}
	slices.Sort(times)
	r.ApplySeconds = times[len(times)/2]
	r.ApplyShare = r.ApplySeconds / r.HeightSeconds
	r.ProofBytesP99, err = proofBytes(t.State(), b.Accounts)
	return err
}

// proofBytes is the size of a proof that 99 of 100 do not exceed.
func proofBytes(s *ledger.State, accounts int) (int, error) {
	var sizes []int
	for i := range 2 * proofKeys {
		// Half of them are of the state, as far as it has so many, and half of nobody.
		a := manyAccount(i - proofKeys + accounts)
		proof, err := s.Prove(ledger.AccountKey(a)).Encode()
		if err != nil {
			return 0, err
		}
		sizes = append(sizes, len(proof))
	}
	slices.Sort(sizes)
	return sizes[len(sizes)*99/100], nil
}

// manyAccount is an account of manyAccounts that sends nothing.
func manyAccount(i int) protocol.Account { return sha256.Sum256(fmt.Append(nil, "account ", i)) }

// manyAccounts is a state of height 0 in which n accounts have tokens: the senders and
// others.
func manyAccounts(net protocol.Net, senders []ed25519.PrivateKey, n int) (*ledger.State, error) {
	g := ledger.Genesis{
		Version: 1, Network: "bench", Params: ledger.DefaultParams(), Validators: []protocol.Account{protocol.AccountOf(benchKey("validator"))},
	}
	first, err := ledger.New(net, g)
	if err != nil {
		return nil, err
	}
	const balance = 1 << 36
	account, err := block.Encode(ledger.AccountState{Version: 1, Balance: balance})
	if err != nil {
		return nil, err
	}
	supply, err := block.Encode(ledger.Supply{Version: 1, Minted: uint64(n) * balance, Balances: uint64(n) * balance})
	if err != nil {
		return nil, err
	}
	type row struct {
		sum  [sha256.Size]byte
		pair ledger.KeyValue
	}
	rows := make([]row, 0, n+8)
	add := func(key, value []byte) {
		rows = append(rows, row{sha256.Sum256(key), ledger.KeyValue{Key: key, Value: value}})
	}
	for p := range first.All() {
		if string(p.Key) == string(ledger.SupplyKey()) {
			p.Value = supply
		}
		add(p.Key, p.Value)
	}
	for i := range n {
		a := manyAccount(i)
		if i < len(senders) {
			a = protocol.AccountOf(senders[i])
		}
		add(ledger.AccountKey(a), account)
	}
	slices.SortFunc(rows, func(a, b row) int { return slices.Compare(a.sum[:], b.sum[:]) })
	return ledger.Load(net, 0, nil, func(yield func(ledger.KeyValue, error) bool) {
		for _, r := range rows {
			if !yield(r.pair, nil) {
				return
			}
		}
	})
}

// benchKeys are n keys of names that begin with who.
func benchKeys(who string, n int) []ed25519.PrivateKey {
	keys := make([]ed25519.PrivateKey, n)
	for i := range keys {
		keys[i] = benchKey(fmt.Sprint(who, " ", i))
	}
	return keys
}

// benchKey is the key of a name.
func benchKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("bench " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}
