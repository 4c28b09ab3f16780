package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/report"
)

// Views is what the page shows beside translations: nodes, training runs and the ledger.
// Everybody who reaches the gateway may look; only who has the gateway's token may steer. An
// error that wraps an [Absent] says why there is nothing to show.
type Views interface {
	Nodes(ctx context.Context) (Nodes, error)
	Runs(ctx context.Context) ([]RunView, error)
	Run(ctx context.Context, cid string) (RunDetails, error)
	// Ledger reads the ledger, and one account of it if its text is not empty.
	Ledger(ctx context.Context, account string) (LedgerView, error)
	// Steer has the miner of a node pause, resume or finish. The name is that of [Nodes].
	Steer(ctx context.Context, name, action string) error
}

// Absent is why there is nothing to show, in words for a person.
type Absent string

func (a Absent) Error() string { return string(a) }

// Nodes are the nodes that a gateway knows: that of its home, or the members of a swarm.
type Nodes struct {
	Nodes []NodeView `json:"nodes"`
	Notes []string   `json:"notes"` // what has happened lately, the newest first
	// Steers says that the gateway has a token: who has it may steer the miners.
	Steers bool `json:"steers"`
}

// NodeView is a home and the process that serves it.
type NodeView struct {
	Name    string `json:"name"`
	Account string `json:"account,omitempty"`
	Network string `json:"network,omitempty"`
	// State is running or stopped, and Reason why it does not run.
	State    string    `json:"state"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Commands []string  `json:"commands"` // that run there, without their flags
	Peers    int       `json:"peers"`
	Height   uint64    `json:"height"` // of the ledger, as the node sees it
	// LedgerReason is why the ledger's height is not known.
	LedgerReason string `json:"ledger_reason,omitempty"`
	Balance      uint64 `json:"balance"` // 1e-8 ALIA that the account is free to spend
	Earned       uint64 `json:"earned"`  // 1e-8 ALIA for work, since the network began
	// Miner is nil where none runs, or it did not answer: MinerReason says which.
	Miner       *node.MinerSnapshot `json:"miner,omitempty"`
	MinerReason string              `json:"miner_reason,omitempty"`
}

// RunView is a training run of a home.
type RunView struct {
	Run    string `json:"run"`
	Name   string `json:"name,omitempty"` // of the node that coordinates it
	Source string `json:"source"`
	Target string `json:"target"`
	// State is training, stopped, finished or damaged, and Reason why it is not training.
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Rounds int       `json:"rounds"` // done
	Model  string    `json:"model,omitempty"`
	Last   time.Time `json:"last,omitzero"` // when the newest round ended
}

// RunDetails is a run with its curves, who computed it, and what its model says.
type RunDetails struct {
	Of RunView `json:"of"`
	// Points has at most some hundred rounds of the run, those with a validation first of all.
	Points       []curves.Point `json:"points"`
	Contributors []Contributor  `json:"contributors"`
	// Counted is the rounds, the newest, whose logs Contributors counts.
	Counted int              `json:"counted"`
	Samples []curves.Samples `json:"samples"` // the oldest first
}

// Contributor is an account that computed units of a run.
type Contributor struct {
	Account string  `json:"account,omitempty"` // empty: the process that coordinates
	Name    string  `json:"name,omitempty"`    // of the node, where the gateway knows it
	Units   int     `json:"units"`
	GFLOP   float64 `json:"gflop"`
	Tokens  uint64  `json:"tokens"`
}

// LedgerView is what a ledger has at its newest height.
type LedgerView struct {
	Network    string             `json:"network"`
	Height     uint64             `json:"height"`
	Time       time.Time          `json:"time"` // of the height
	Supply     report.Books       `json:"supply"`
	Rates      *report.Rates      `json:"rates,omitempty"` // nil: none are published yet
	Validators report.Council     `json:"validators"`
	Runs       []report.LedgerRun `json:"runs"` // those that the gateway knows
	Account    *report.Balance    `json:"account,omitempty"`
}

// viewTime bounds what a view may take, and viewFresh is how long it is good: however many
// look, the node is asked once a second.
const (
	viewTime  = 10 * time.Second
	viewFresh = time.Second
	maxViews  = 64
)

// viewCache keeps the newest answers.
type viewCache struct {
	mu  sync.Mutex // guards all
	all map[string]*cachedView
}

type cachedView struct {
	mu    sync.Mutex // guards the fields below, and keeps a second question waiting
	value any
	err   error
	until time.Time
}

// get returns the answer of a name, by f if it is not fresh.
func (v *viewCache) get(c *call, name string, f func(ctx context.Context, v Views) (any, error)) (any, error) {
	v.mu.Lock()
	if len(v.all) >= maxViews && v.all[name] == nil || v.all == nil {
		v.all = map[string]*cachedView{}
	}
	one := v.all[name]
	if one == nil {
		one = &cachedView{}
		v.all[name] = one
	}
	v.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if c.g.Now().Before(one.until) {
		return one.value, one.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), viewTime) // others wait for it
	defer cancel()
	one.value, one.err = f(ctx, c.g.Views)
	one.until = c.g.Now().Add(viewFresh)
	return one.value, one.err
}

func (v *viewCache) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = nil
}

// show answers a view.
func (c *call) show(name string, f func(ctx context.Context, v Views) (any, error)) error {
	if c.g.Views == nil {
		return refuse(http.StatusNotFound, "This gateway translates and has nothing else to show: it was started without a home.")
	}
	data, err := c.g.views.get(c, name, f)
	if err != nil {
		return viewError(err)
	}
	return c.answer(http.StatusOK, data)
}

// viewError is an error as the page shows it.
func viewError(err error) error {
	var absent Absent
	switch {
	case errors.As(err, &absent):
		return refuse(http.StatusNotFound, "%s", absent)
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusServiceUnavailable, "It did not answer within %v; the page asks again.", viewTime)
	}
	return err
}

// viewNodes serves GET /api/node.
func viewNodes(c *call) error {
	return c.show("node", func(ctx context.Context, v Views) (any, error) {
		n, err := v.Nodes(ctx)
		n.Steers = c.g.Token != ""
		return n, err
	})
}

// viewRuns serves GET /api/runs.
func viewRuns(c *call) error {
	return c.show("runs", func(ctx context.Context, v Views) (any, error) { return v.Runs(ctx) })
}

// viewRun serves GET /api/runs/{cid}.
func viewRun(c *call) error {
	cid := c.r.PathValue("cid")
	if len(cid) > 100 {
		return refuse(http.StatusNotFound, "This is not the CID of a run.")
	}
	return c.show("run "+cid, func(ctx context.Context, v Views) (any, error) { return v.Run(ctx, cid) })
}

// viewLedger serves GET /api/ledger.
func viewLedger(c *call) error {
	account := c.r.URL.Query().Get("account")
	if len(account) > 100 {
		return bad("account: this is no account: it begins with alia1")
	}
	return c.show("ledger "+account, func(ctx context.Context, v Views) (any, error) { return v.Ledger(ctx, account) })
}

// viewSteer serves POST /api/node/{action}.
func viewSteer(c *call) error {
	action := c.r.PathValue("action")
	switch action {
	case "pause", "resume", "finish":
	default:
		return refuse(http.StatusNotFound, "a node can pause, resume or finish")
	}
	if err := c.steers(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), viewTime)
	defer cancel()
	if err := c.g.Views.Steer(ctx, c.r.URL.Query().Get("name"), action); err != nil {
		return viewError(err)
	}
	c.g.views.forget()
	return viewNodes(c)
}

// steers refuses a call without the token. A key is not enough: customers have keys.
func (c *call) steers() error {
	switch {
	case c.g.Views == nil || c.g.Token == "":
		return refuse(http.StatusForbidden, "this gateway has no token: its node can only be looked at")
	case c.hasToken():
		return nil
	case c.bearer() == "":
		return refuse(http.StatusUnauthorized, "this needs the token of the gateway: `alia serve` prints the file that has it")
	}
	return refuse(http.StatusForbidden, "this is not the token of the gateway: `alia serve` prints the file that has it")
}

// bearer is the secret of a request in the manner of RFC 6750, or "".
func (c *call) bearer() string {
	scheme, given, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(given)
}

// hasToken reports whether a request comes from who runs the gateway. It takes the same time
// for each secret.
func (c *call) hasToken() bool {
	a, b := sha256.Sum256([]byte(c.bearer())), sha256.Sum256([]byte(c.g.Token))
	return c.g.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
