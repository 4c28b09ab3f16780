package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/report"
)

// village is views of nodes that a test steers.
type village struct {
	mu     sync.Mutex // guards the fields below
	state  node.MinerState
	asked  int
	absent string
}

func (v *village) Nodes(context.Context) (gateway.Nodes, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.absent != "" {
		return gateway.Nodes{}, fmt.Errorf("nodes: %w", gateway.Absent(v.absent))
	}
	why := node.Why{Code: "no-offer", Text: "no offer is open: waiting for one"}
	unit := "bafyreiaejs4okcdnynx7vvve5u5e2ceohyddgvxsjv6eemtbl2gshjjlhe"
	return gateway.Nodes{Notes: []string{"00:01 miner-1 joined"}, Nodes: []gateway.NodeView{
		{Name: "ledger", State: "stopped", Reason: "killed by the fault script", Commands: []string{}},
		{Name: "miner-1", Account: "alia1kjx098y2nk50crsle4mt2derud09qrxmcagklvz7q0hjynmaqmlqrma2v6", State: "running", Since: time.Now(), Commands: []string{"alia miner run"}, Peers: 3, Height: 7, Balance: 12, Earned: 150_000_000,
			Miner: &node.MinerSnapshot{
				State: v.state, Reason: why, Sessions: 1, Devices: []node.DeviceSnapshot{{Name: "avx2", State: node.MinerWorking, Unit: unit}, {Name: "cuda:0", State: node.MinerWaiting, Reason: why}},
				Tasks:      []node.TaskSnapshot{{Unit: unit, Task: "gradient", Done: .4, Deadline: uint64(time.Now().UnixMilli())}},
				PassedOver: []node.PassedOver{{Work: unit, Reason: node.Why{Code: "unpaid", Text: "no escrow pays for the job"}}},
			}},
	}}, nil
}

func (v *village) Runs(context.Context) ([]gateway.RunView, error) {
	return []gateway.RunView{{Run: "bafyrun", Source: "en", Target: "ar", State: "stopped", Reason: "No process works on it.", Rounds: 40}}, nil
}

func (v *village) Run(_ context.Context, cid string) (gateway.RunDetails, error) {
	runs, _ := v.Runs(context.Background())
	if cid != runs[0].Run {
		return gateway.RunDetails{}, gateway.Absent("This run is not here.")
	}
	d := gateway.RunDetails{Of: runs[0], Contributors: []gateway.Contributor{{Units: 3, GFLOP: 2.5, Tokens: 9}}, Counted: 40}
	for i := 1; i <= 40; i++ {
		p := curves.Point{Round: i, Loss: 6 / float64(i), NLL: 5 / float64(i), Tokens: 1000, Seconds: .5}
		if i%10 == 0 {
			p.Validation = &curves.Validation{NLL: 4 / float64(i), BLEU: float64(i), ChrF: 1.5 * float64(i)}
			d.Samples = append(d.Samples, curves.Samples{Round: i, Texts: []node.Sample{{Source: "Where is the station?", Reference: "أين المحطة؟", Translation: strings.Repeat("أين ", 5-i/10)}}})
		}
		d.Points = append(d.Points, p)
	}
	return d, nil
}

func (v *village) Ledger(_ context.Context, account string) (gateway.LedgerView, error) {
	if account == "broken" {
		return gateway.LedgerView{}, errors.New("open /secret/path")
	}
	l := gateway.LedgerView{
		Network: "village", Height: 7, Time: time.Now(), Supply: report.Books{Supply: 500_000_000, Minted: 500_000_000, SumOfBalances: 500_000_000, Accounts: 500_000_000, Height: 7},
		Rates: &report.Rates{Height: 7, Training: 5, Translation: 5}, Runs: []report.LedgerRun{{Run: "bafyrun", Status: "approved", Rounds: 40}},
		Validators: report.Council{Validators: []string{"alia1v"}, Votes: []report.OpenVote{{Account: "alia1w", Admit: true, Yes: []string{"alia1v"}, Needed: 2, Expires: 9}}, Left: []report.FormerValidator{}},
	}
	if account != "" {
		l.Account = &report.Balance{Account: account, Balance: 7, Unlocking: []report.Freed{}}
	}
	return l, nil
}

func (v *village) Steer(_ context.Context, name, action string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if name != "miner-1" {
		return gateway.Absent("There is no such node.")
	}
	v.state = map[string]node.MinerState{"pause": node.MinerPaused, "resume": node.MinerWorking, "finish": node.MinerEnding}[action]
	return nil
}

// TestViews: everybody sees the views, which are as described; an absence has its reason,
// and an error of ours stays in the log.
func TestViews(t *testing.T) {
	v := &village{state: node.MinerWorking}
	now := &clock{now: time.Now()}
	s := start(t, gateway.Config{Views: v, Now: now.Now})
	s.get("/api/node").want(t, 200, `"state":"working"`)
	s.get("/api/node").want(t, 200, `"steers":false`)
	if v.asked != 1 {
		t.Errorf("within a second the node was asked %d times", v.asked)
	}
	v.mu.Lock()
	v.absent = "There is no node: start one."
	v.mu.Unlock()
	now.add(2 * time.Second)
	s.get("/api/node").want(t, 404, "There is no node: start one.")
	s.get("/api/runs").want(t, 200, `"reason":"No process works on it."`)
	s.get("/api/runs/bafyrun").want(t, 200, `"valid_nll":0.4`)
	s.get("/api/runs/other").want(t, 404, "not here")
	s.get("/api/runs/"+strings.Repeat("x", 200)).want(t, 404, "not the CID")
	s.get("/api/ledger").want(t, 200, `"needed":2`)
	s.get("/api/ledger?account=alia1x").want(t, 200, `"account":"alia1x"`)
	s.get("/api/ledger?account="+strings.Repeat("x", 200)).want(t, 400, "no account")
	a := s.get("/api/ledger?account=broken")
	if a.want(t, 500, "Internal error"); strings.Contains(string(a.body), "secret") {
		t.Error("an error of the gateway goes to clients")
	}
	start(t, gateway.Config{}).get("/api/node").want(t, 404, "nothing else to show")
}

// TestSteer: only who has the token steers; an API key is not enough.
func TestSteer(t *testing.T) {
	v := &village{state: node.MinerWorking}
	s := start(t, gateway.Config{Views: v, Token: "steer-me"})
	post := func(path, bearer string) answer { return s.send("POST", path, "", "", "Authorization", bearer) }
	s.send("POST", "/api/node/pause?name=miner-1", "", "").want(t, 401, "token")
	post("/api/node/pause?name=miner-1", "Bearer steer-you").want(t, 403, "not the token")
	post("/api/node/pause?name=miner-1", "Basic steer-me").want(t, 401, "token")
	post("/api/node/explode?name=miner-1", "Bearer steer-me").want(t, 404, "pause, resume or finish")
	post("/api/node/pause?name=miner-9", "Bearer steer-me").want(t, 404, "no such node")
	if v.state != node.MinerWorking {
		t.Fatalf("the miner is %v", v.state)
	}
	for action, state := range map[string]string{"pause": "paused", "resume": "working", "finish": "finishing"} {
		s.get("/api/node")
		post("/api/node/"+action+"?name=miner-1", "bearer steer-me").want(t, 200, `"state":"`+state+`"`)
	}
	none := start(t, gateway.Config{Views: v})
	none.send("POST", "/api/node/pause?name=miner-1", "", "", "Authorization", "Bearer ").want(t, 403, "no token")
}
