package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/work/document"
)

var update = flag.Bool("update", false, "write the golden file")

// TestKeys holds the keys of every answer: programs of others read them.
func TestKeys(t *testing.T) {
	var got bytes.Buffer
	for _, answer := range []any{
		report.Trained{CPUSeconds: 1, TokensPerCPUSecond: 1, Miners: make([]report.MinerUnits, 1)}, report.Translated{Due: 1},
		report.TranslatedFile{Job: "j", Status: "s", Due: 1, Units: 1, Flags: []document.Doubt{{Detail: "d"}}}, report.TranslatedFiles{Failed: make([]report.FailedFile, 1)}, report.CheckedDocument{}, report.CheckedReceipt{Missing: "m", Due: 1, Height: 1, Compared: []string{}},
		report.CheckedDocumentReceipt{Error: "e", Compared: []string{}, Jobs: []report.PaidJob{{Missing: "m", Due: 1, Height: 1, Miners: []string{}}}},
		report.Escrows{Escrows: make([]report.JobEscrow, 1)}, report.ClosedEscrow{},
		report.Membership{}, report.NetworkFile{}, report.LedgerKey{}, report.LedgerMember{}, report.Serving{RPC: "r", MFLOPS: 1}, report.Balance{Unlocking: make([]report.Freed, 1)},
		report.Identity{}, report.Transferred{}, report.Rotated{}, report.Council{Votes: make([]report.OpenVote, 1), Left: make([]report.FormerValidator, 1)},
		report.Books{}, report.Rates{}, report.LedgerRun{}, report.NodeStatus{Process: 1, Since: time.Unix(1, 0), Command: "c", Guests: make([]report.RunningCommand, 1), Account: "a", Network: "n", Addresses: []string{"a"}, LedgerReason: "r"},
		report.SwarmResult{Miners: make([]report.Member, 1)}, report.Interrupted{},
	} {
		data, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%T %s\n", answer, data)
	}
	const path = "testdata/keys.golden"
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the keys are\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// TestSwarmReadsTraining: a swarm's answer keeps what its coordinator said of
// the model, and counts units and time itself.
func TestSwarmReadsTraining(t *testing.T) {
	var r report.SwarmResult
	line := `{"event":"result","model":"m","units":3,"seconds":4,"bleu":5,"miners":[{"account":"a","units":3}]}`
	if err := json.Unmarshal([]byte(line), &r.Trained); err != nil {
		t.Fatal(err)
	}
	r.Units, r.Seconds = 7, 8
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got["model"] != "m" || got["bleu"] != 5.0 || got["units"] != 7.0 || got["seconds"] != 8.0 || got["miners"] != nil {
		t.Errorf("the answer is %s", data)
	}
}
