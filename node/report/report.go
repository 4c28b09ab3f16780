// Package report is the answers of ALIA's commands as JSON, one type for each.
//
// A command prints an answer, a supervisor or a gateway reads the answer: both
// use the same type. Every amount of money is in 1e-8 ALIA, every account is
// "alia1...", every CID is text.
//
//	var t report.Trained
//	err := json.Unmarshal(line, &t)
package report

import (
	"time"

	"github.com/alia-network/alia/node"
)

// Trained is the answer of `alia train`: the model and the run that made it.
type Trained struct {
	Model     string           `json:"model"`
	Run       string           `json:"run"`
	Rounds    int              `json:"rounds"`
	Units     int              `json:"units"`
	TrainLoss float64          `json:"train_loss"`
	ValidLoss float64          `json:"valid_loss"`
	BLEU      float64          `json:"bleu"` // of the first test set
	ChrF      float64          `json:"chrf"`
	Tests     []node.TestScore `json:"tests"`
	// TargetTokens are the tokens that this process trained on, in Seconds.
	TargetTokens    uint64  `json:"target_tokens"`
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"target_tokens_per_second"`
	// CPUSeconds, from the plan to the last round, is 0 for a run that other
	// machines computed: their processor time is not known.
	CPUSeconds         float64      `json:"cpu_seconds,omitempty"`
	TokensPerCPUSecond float64      `json:"target_tokens_per_cpu_second,omitempty"`
	Path               string       `json:"path"`        // directory of the model
	Metrics            string       `json:"metrics"`     // a line of JSON for each round
	TensorBoard        string       `json:"tensorboard"` // its event file
	Curves             string       `json:"curves"`      // a chart
	Miners             []MinerUnits `json:"miners,omitempty"`
}

// MinerUnits is the number of units of a run that a miner did.
type MinerUnits struct {
	Account string `json:"account"`
	Units   int    `json:"units"`
}

// Translated is the answer of `alia translate` by a network.
type Translated struct {
	Model       string  `json:"model"`
	Job         string  `json:"job"`
	Translation string  `json:"translation"`
	Receipt     string  `json:"receipt"` // path of the file
	Paid        uint64  `json:"paid"`    // to miners
	Units       int     `json:"units"`
	Seconds     float64 `json:"seconds"`
}

// CheckedReceipt is the answer of `alia verify` for a receipt that is good.
type CheckedReceipt struct {
	Customer string   `json:"customer"`
	Job      string   `json:"job"`
	Model    string   `json:"model"`
	Input    string   `json:"input"`
	Output   string   `json:"output"`
	Units    int      `json:"units"`
	Miners   []string `json:"miners"`  // one for each unit
	Paid     uint64   `json:"paid"`    // to miners
	Settled  bool     `json:"settled"` // the ledger's proof is in the receipt
}

// Membership is the answer of `alia init`.
type Membership struct {
	Account string `json:"account"`
	Network string `json:"network"`
	Home    string `json:"home"`
}

// Founded is the answer of `alia ledger init`.
type Founded struct {
	Network string `json:"network"`
	File    string `json:"file"`   // the network file for members
	Public  bool   `json:"public"` // other machines can reach the addresses in it
}

// Serving is what a process that runs until it is interrupted tells once it does
// its work.
type Serving struct {
	Role      string   `json:"role"`
	Account   string   `json:"account"`
	Network   string   `json:"network"`
	Addresses []string `json:"addresses"`        // of its mesh
	RPC       string   `json:"rpc,omitempty"`    // of a ledger node
	MFLOPS    uint64   `json:"mflops,omitempty"` // of a miner
}

// Balance is the ledger's record of an account.
type Balance struct {
	Account string `json:"account"`
	Balance uint64 `json:"balance"`
	Nonce   uint64 `json:"nonce"`
}

// Identity is the answer of `alia wallet show` and `alia wallet new`.
type Identity struct {
	Account string `json:"account"`
	Key     string `json:"public_key"` // hexadecimal
}

// Transferred is the answer of `alia wallet transfer`.
type Transferred struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Amount uint64 `json:"amount"`
	Nonce  uint64 `json:"nonce"`
}

// Books is the answer of `alia ledger supply`: what there is of ALIA at one height.
type Books struct {
	Supply uint64 `json:"supply"`
	Minted uint64 `json:"minted"`
	Burned uint64 `json:"burned"`
	// SumOfBalances is Accounts, Escrowed and Pool together.
	SumOfBalances uint64 `json:"sum_of_balances"`
	Height        uint64 `json:"height"`
	Accounts      uint64 `json:"accounts"`
	Escrowed      uint64 `json:"escrowed"`
	Pool          uint64 `json:"pool"` // for audits
}

// Rates is the answer of `alia ledger schedule`: the rates of pay at a height.
type Rates struct {
	Height      uint64 `json:"height"`
	Training    uint64 `json:"training"`    // in 1e-14 ALIA a GFLOP
	Translation uint64 `json:"translation"` // in 1e-14 ALIA a GFLOP
	Budget      uint64 `json:"budget"`      // to mint in a height
	Cap         uint64 `json:"cap"`         // that a height can mint
}

// LedgerRun is the answer of `alia ledger run`.
type LedgerRun struct {
	Run         string `json:"run"`
	Status      string `json:"status"`
	Coordinator string `json:"coordinator"` // account
	Rounds      uint64 `json:"rounds"`      // committed
	Params      string `json:"params"`      // CID of the newest, empty before the first round
	Budget      uint64 `json:"budget_mflop"`
	Spent       uint64 `json:"spent_mflop"`
	Active      uint64 `json:"active_height"`
}

// NodeStatus is the answer of `alia node status`, and of `alia node start` and `stop`:
// the process that serves a home. Only Running is set where there is none.
type NodeStatus struct {
	Running   bool             `json:"running"`
	Process   int              `json:"process,omitempty"`
	Since     time.Time        `json:"since,omitzero"`
	Command   string           `json:"command,omitempty"` // its own
	Guests    []RunningCommand `json:"guests,omitempty"`  // the other commands that run there
	Account   string           `json:"account,omitempty"` // this and the rest: once a command has needed the network
	Network   string           `json:"network,omitempty"`
	Addresses []string         `json:"addresses,omitempty"` // of its mesh
	Peers     int              `json:"peers"`
	Height    uint64           `json:"height"` // of the ledger
	// LedgerReason is why the ledger's height is not known.
	LedgerReason string `json:"ledger_reason,omitempty"`
}

// RunningCommand is a command that runs in the process of another.
type RunningCommand struct {
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// SwarmResult is the answer of `alia swarm`. Its units are those accepted from
// miners, its miners the members of the swarm.
type SwarmResult struct {
	Trained
	Home        string       `json:"home"`
	Units       int          `json:"units"`
	Height      uint64       `json:"height"`
	Supply      uint64       `json:"supply"`
	Escrowed    uint64       `json:"escrowed"`           // of the supply, in open escrows
	Pool        uint64       `json:"pool"`               // of the supply, in the audit pool
	FirstMint   float64      `json:"first_mint_seconds"` // since the program began
	Seconds     float64      `json:"seconds"`
	Miners      []Member     `json:"miners"`
	Customer    Member       `json:"customer"`
	Translation string       `json:"translation"`
	Receipt     SwarmReceipt `json:"receipt"`
}

// Member is an account of a swarm. Its balance is less than what its work
// earned when it sold some.
type Member struct {
	Name    string `json:"name"`
	Account string `json:"account"`
	Units   int    `json:"units"`
	Earned  uint64 `json:"earned"`
	Balance uint64 `json:"balance"`
}

// SwarmReceipt is the file of the customer's receipt, and its content.
type SwarmReceipt struct {
	Path string `json:"path"`
	Job  string `json:"job"`
	Paid uint64 `json:"paid"` // to miners
}

// Interrupted is the answer of a command that was stopped before it was done.
type Interrupted struct {
	Interrupted bool   `json:"interrupted"` // true
	Command     string `json:"command"`
	Text        string `json:"text"` // what was not done
}
