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
	"github.com/alia-network/alia/work/document"
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
	Receipt     string  `json:"receipt"`       // path of the file
	Status      string  `json:"status"`        // of the receipt: paid, claimed or unpaid
	Paid        uint64  `json:"paid"`          // to miners: paid or claimed
	Due         uint64  `json:"due,omitempty"` // the height at which what is claimed is paid
	Units       int     `json:"units"`
	Privacy     string  `json:"privacy"` // open, sealed or private
	Checked     int     `json:"checked"` // sentences that this machine translated again
	Seconds     float64 `json:"seconds"`
	// Flagged lines are for a person to look at, and Flags say why.
	Flagged int              `json:"flagged"`
	Flags   []document.Doubt `json:"flags"`
}

// TranslatedFile is the answer of `alia translate` for a document.
type TranslatedFile struct {
	Input    string           `json:"input"`
	Output   string           `json:"output"` // paths, as they were given
	Format   string           `json:"format"`
	From     string           `json:"from"`
	To       string           `json:"to"`
	Model    string           `json:"model"`
	Segments int              `json:"segments"` // with text to translate
	Reused   int              `json:"reused"`   // of them, from the translation memory
	Flagged  int              `json:"flagged"`  // of them, for a person to look at
	Flags    []document.Doubt `json:"flags"`    // and why
	Paid     uint64           `json:"paid"`     // to miners: paid or claimed
	Receipt  string           `json:"receipt"`  // path of the file; empty where there is none
	Job      string           `json:"job,omitempty"`
	Status   string           `json:"status,omitempty"` // of the receipt: paid, claimed or unpaid
	Due      uint64           `json:"due,omitempty"`    // the height at which what is claimed is paid
	Units    int              `json:"units,omitempty"`
	Privacy  string           `json:"privacy,omitempty"` // open, sealed or private; empty with --local
	Checked  int              `json:"checked,omitempty"` // sentences that this machine translated again
	Seconds  float64          `json:"seconds"`
}

// TranslatedFiles is the answer of `alia translate` for a folder, or for several files. The
// numbers are those of all files together.
type TranslatedFiles struct {
	Output   string           `json:"output"`
	Files    []TranslatedFile `json:"files"`
	Segments int              `json:"segments"`
	Reused   int              `json:"reused"`
	Flagged  int              `json:"flagged"`
	Paid     uint64           `json:"paid"`
	Skipped  []string         `json:"skipped"` // files of kinds that cannot be translated
	Failed   []FailedFile     `json:"failed"`
}

// FailedFile is a file that was not translated, and why.
type FailedFile struct {
	Input string `json:"input"`
	Error string `json:"error"`
}

// CheckedDocument is the answer of `alia document check`.
type CheckedDocument struct {
	Format    string `json:"format"`
	Segments  int    `json:"segments"`
	Identical bool   `json:"identical"` // rebuilt from its own segments, the file has the same bytes
}

// CheckedReceipt is the answer of `alia verify` for a receipt that is good.
type CheckedReceipt struct {
	Customer string   `json:"customer"`
	Job      string   `json:"job"`
	Model    string   `json:"model"`
	Input    string   `json:"input"`
	Miners   []string `json:"miners"`            // one for each unit
	Status   string   `json:"status"`            // paid, claimed or unpaid
	Missing  string   `json:"missing,omitempty"` // why it is unpaid
	Paid     uint64   `json:"paid"`              // to miners: paid or claimed
	Due      uint64   `json:"due,omitempty"`     // the height at which what is claimed is paid
	Height   uint64   `json:"height,omitempty"`  // of the ledger's proof
	Compared []string `json:"compared"`          // which texts were compared: source, translation
}

// CheckedDocumentReceipt is the answer of `alia verify` for the receipt of a document. A
// page that refuses a receipt answers with Good false and the Error; the command ends with
// the error alone.
type CheckedDocumentReceipt struct {
	Good        bool        `json:"good"`
	Error       string      `json:"error,omitempty"` // what does not hold
	Document    ReceiptFile `json:"document"`
	Translation ReceiptFile `json:"translation"`
	Compared    []string    `json:"compared"` // which files were compared: document, translation
	Format      string      `json:"format"`
	From        string      `json:"from"`
	To          string      `json:"to"`
	Model       string      `json:"model"`
	Texts       int         `json:"texts"`    // of the document
	Bought      int         `json:"bought"`   // of them, by miners, with the receipt of a job
	Computed    int         `json:"computed"` // by the model, without a receipt
	Human       int         `json:"human"`    // by a person
	Others      int         `json:"others"`   // sentences of other documents that are in the file
	// Recomputed of Recomputable texts were computed again with the model, all the same.
	Recomputed   int       `json:"recomputed"`
	Recomputable int       `json:"recomputable"`
	Network      string    `json:"network"` // its name
	Status       string    `json:"status"`  // paid, claimed or unpaid; mixed where the jobs have several, none without a job
	Paid         uint64    `json:"paid"`    // to the miners of all jobs: paid or claimed
	Jobs         []PaidJob `json:"jobs"`
}

// ReceiptFile is a file that a receipt names.
type ReceiptFile struct {
	Name   string `json:"name"` // without its directory; empty for one that had none
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// PaidJob is a job that texts of a document come from.
type PaidJob struct {
	Job      string   `json:"job"`
	Customer string   `json:"customer"`
	Miners   []string `json:"miners"` // each once
	Units    int      `json:"units"`
	Texts    int      `json:"texts"`  // of the document
	Status   string   `json:"status"` // paid, claimed or unpaid
	Missing  string   `json:"missing,omitempty"`
	Paid     uint64   `json:"paid"`          // to miners, for the whole job
	Due      uint64   `json:"due,omitempty"` // the height at which everything is paid
	Height   uint64   `json:"height,omitempty"`
}

// JobEscrow is an escrow of a home's translation job.
type JobEscrow struct {
	Job      string `json:"job"`
	Opened   uint64 `json:"opened"`   // amount that was set aside
	Claimed  uint64 `json:"claimed"`  // amount of it that miners have claimed: paid, or held until it is
	Left     uint64 `json:"left"`     // amount that nobody has claimed
	Price    uint64 `json:"price"`    // amount for a GFLOP
	Units    uint32 `json:"units"`    // of the job
	Done     int    `json:"done"`     // units that are claimed
	Deadline uint64 `json:"deadline"` // height until which miners can rely on the escrow
	Closable uint64 `json:"closable"` // first height at which it can be closed
}

// Escrows is the answer of `alia escrow list`.
type Escrows struct {
	Height  uint64      `json:"height"`
	Escrows []JobEscrow `json:"escrows"`
}

// ClosedEscrow is the answer of `alia escrow close`.
type ClosedEscrow struct {
	Job      string `json:"job"`
	Returned uint64 `json:"returned"` // amount that came back to the account
	Claimed  int    `json:"claimed"`  // units whose pay was claimed just before
}

// Membership is the answer of `alia init`.
type Membership struct {
	Account string `json:"account"`
	Network string `json:"network"`
	Home    string `json:"home"`
}

// NetworkFile is the answer of `alia ledger init` and `alia ledger sign`.
type NetworkFile struct {
	Network string `json:"network"`
	File    string `json:"file"`   // the network file for members
	CID     string `json:"cid"`    // of the file, for a link to it
	Public  bool   `json:"public"` // other machines can reach the addresses in it
}

// LedgerKey is the answer of `alia ledger key`: what the founder of a network needs to
// know of a further validator.
type LedgerKey struct {
	Validator string `json:"validator"` // account of the key that signs heights
	Peer      string `json:"peer"`      // ID@host:port for other ledger nodes
	RPC       string `json:"rpc"`       // host:port of its queries
}

// LedgerMember is the answer of `alia ledger join`.
type LedgerMember struct {
	Network   string `json:"network"`
	Home      string `json:"home"`
	Validator bool   `json:"validator"` // it signs heights
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

// Balance is what an account has at a height: the answer of `alia wallet balance`, and of
// the commands that change what the home's account has.
type Balance struct {
	Account   string  `json:"account"`
	Height    uint64  `json:"height"`
	Balance   uint64  `json:"balance"` // free to spend
	Locked    uint64  `json:"locked"`
	Unlocking []Freed `json:"unlocking"` // the first to be free first
	Earned    uint64  `json:"earned"`    // by work, since the network began
	Payout    string  `json:"payout"`    // the account that gets the pay; empty: this one
	Replaced  bool    `json:"replaced"`  // the key was replaced: all money goes to Payout
	Nonce     uint64  `json:"nonce"`     // which the next transaction must exceed
}

// Freed is an amount that can be spent from a height on.
type Freed struct {
	Amount uint64 `json:"amount"`
	Height uint64 `json:"height"`
}

// Identity is the answer of `alia wallet show`, and of the commands that make, seal and
// unseal a wallet.
type Identity struct {
	Account string `json:"account"`
	Key     string `json:"public_key"` // hexadecimal
	Sealed  bool   `json:"sealed"`     // the key is encrypted on disk
}

// RecoveryPhrase is the answer of `alia wallet phrase`. The phrase is as secret as the key.
type RecoveryPhrase struct {
	Account string `json:"account"`
	Phrase  string `json:"phrase"` // 24 words with a space between two
}

// Transferred is the answer of `alia wallet transfer`.
type Transferred struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Amount uint64 `json:"amount"`
	Nonce  uint64 `json:"nonce"`
}

// Rotated is the answer of `alia wallet rotate`.
type Rotated struct {
	Old  string `json:"old"`  // account of the key that was replaced
	New  string `json:"new"`  // account of the home now
	Kept string `json:"kept"` // file of the key that was replaced
}

// Books is the answer of `alia ledger supply`: what there is of ALIA at one height.
type Books struct {
	Supply uint64 `json:"supply"`
	Minted uint64 `json:"minted"`
	Burned uint64 `json:"burned"`
	// SumOfBalances is Accounts, Locked, Escrowed, Bonds and Pool together.
	SumOfBalances uint64 `json:"sum_of_balances"`
	Height        uint64 `json:"height"`
	Accounts      uint64 `json:"accounts"`
	Escrowed      uint64 `json:"escrowed"`
	Pool          uint64 `json:"pool"` // for audits
	Locked        uint64 `json:"locked"`
	Bonds         uint64 `json:"bonds"` // of coordinators
	Owed          uint64 `json:"owed"`  // to be minted for claimed rounds; not part of the supply
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
	Function    string `json:"function"`    // CID of what names the computation
	Rounds      uint64 `json:"rounds"`      // of the plan
	Claimed     uint64 `json:"claimed"`     // rounds
	Paid        uint64 `json:"paid"`        // rounds
	Params      string `json:"params"`      // CID of the newest, empty before the first claim
	Cost        uint64 `json:"cost_mflop"`  // of the plan
	Bond        uint64 `json:"bond"`
	Active      uint64 `json:"active_height"`
}

// Council is the answer of `alia ledger validators`, and of the commands that vote on
// validators.
type Council struct {
	Validators []string          `json:"validators"` // accounts
	Votes      []OpenVote        `json:"votes"`      // open ones, the oldest first
	Left       []FormerValidator `json:"left"`       // that can still be punished
}

// OpenVote is a vote on an account that is not decided.
type OpenVote struct {
	Account string   `json:"account"`
	Admit   bool     `json:"admit"`          // to the validators, or else expel
	Yes     []string `json:"yes"`            // accounts of validators
	Needed  int      `json:"needed"`         // of Yes, to decide
	Expires uint64   `json:"expires_height"` // after which the vote is dropped
}

// FormerValidator is an account that has left the validators.
type FormerValidator struct {
	Account string `json:"account"`
	Height  uint64 `json:"height"` // the first at which its key can be replaced
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
	Coordinator Member       `json:"coordinator"`
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
