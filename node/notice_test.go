package node_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
)

// TestNoticesAsJSON: the JSON of --events, which the swarm and other programs
// read, and back.
func TestNoticesAsJSON(t *testing.T) {
	miner := protocol.AccountOf(key("miner"))
	why := node.Why{Code: "too-slow", Text: "other miners are faster"}
	for _, c := range []struct {
		notice node.Notice
		want   string // MINER stands for the miner's account
	}{
		{node.Ready{Miner: miner, Text: "/ip4/127.0.0.1/tcp/1"}, `{"event":"ready","miner":"MINER","text":"/ip4/127.0.0.1/tcp/1"}`},
		{node.Decided{Text: "batches of 2048 tokens"}, `{"event":"decided","text":"batches of 2048 tokens"}`},
		{node.Planned{Rounds: 40, Text: "run bafy"}, `{"event":"planned","rounds":40,"text":"run bafy"}`},
		{node.Resumed{Round: 7, Text: "the run goes on"}, `{"event":"resumed","round":7,"text":"the run goes on"}`},
		{node.MinerJoined{Miner: miner, Miners: 2, MFLOP: 5000, Text: "avx2"}, `{"event":"joined","miner":"MINER","miners":2,"mflop":5000,"text":"avx2"}`},
		{node.MinerLeft{Why: why, Miner: miner}, `{"event":"left","code":"too-slow","text":"other miners are faster","miner":"MINER"}`},
		{node.RoundDone{Round: 3, Rounds: 40, Epoch: 1, Loss: 4.5, NLL: 4.25, Valid: 4, BLEU: 12.5, ChrF: 33, Tokens: 900, Seconds: 0.5, Time: 7, Units: 4, Samples: []node.Sample{{Source: "a", Reference: "b", Translation: "c"}}},
			`{"event":"round","round":3,"rounds":40,"epoch":1,"loss":4.5,"nll":4.25,"valid":4,"bleu":12.5,"chrf":33,"tokens":900,"seconds":0.5,"time":7,"units":4,"samples":[{"source":"a","reference":"b","translation":"c"}]}`},
		{node.Waiting{Why: why, Units: 3}, `{"event":"waiting","code":"too-slow","text":"other miners are faster","units":3}`},
		{node.Bidding{Work: "bafy", Text: "training run"}, `{"event":"bid","work":"bafy","text":"training run"}`},
		{node.UnitProgress{Miner: miner, Unit: "bafy", Task: "steps", Done: 0.25}, `{"event":"progress","miner":"MINER","unit":"bafy","kind":"steps","done":0.25}`},
		{node.UnitDone{Miner: miner, Unit: "bafy", Task: "gradient", MFLOP: 9, Seconds: 1.5, Price: 2}, `{"event":"unit","miner":"MINER","unit":"bafy","kind":"gradient","mflop":9,"seconds":1.5,"price":2}`},
		{node.Refused{Why: why, Miner: miner, Unit: "bafy"}, `{"event":"refused","code":"too-slow","text":"other miners are faster","miner":"MINER","unit":"bafy"}`},
		{node.MinerIdle{Why: why}, `{"event":"idle","code":"too-slow","text":"other miners are faster"}`},
		{node.PassedOver{Work: "bafy", Publisher: miner, Reason: why}, `{"event":"passed-over","work":"bafy","publisher":"MINER","reason":{"code":"too-slow","text":"other miners are faster"}}`},
		{node.UnitsSettled{Units: 5}, `{"event":"settled","units":5}`},
		{node.UnitsPaid{Amount: 7, Total: 9}, `{"event":"paid","amount":7,"total":9}`},
		{node.EscrowClosed{Job: "bafy", Amount: 3}, `{"event":"escrow-closed","job":"bafy","amount":3}`},
		{node.UnitsSettled{}, `{"event":"settled"}`},
	} {
		want := strings.ReplaceAll(c.want, "MINER", miner.String())
		data, err := node.EncodeNotice(c.notice)
		if err != nil || string(data) != want {
			t.Errorf("%T: %s, %v, want %s", c.notice, data, err, want)
		}
		got, err := node.DecodeNotice([]byte(want))
		if err != nil || !reflect.DeepEqual(got, c.notice) {
			t.Errorf("%T: decoded as %+v, %v", c.notice, got, err)
		}
		if text := c.notice.String(); text == "" || strings.Contains(text, "\n") {
			t.Errorf("%T: text %q, want one line", c.notice, text)
		}
	}
	for _, bad := range []string{"", "{}", `{"event":"finished"}`, `{"event":"round","round":"x"}`, `{"event":"round"`} {
		if n, err := node.DecodeNotice([]byte(bad)); err == nil {
			t.Errorf("%s: decoded as %+v", bad, n)
		}
	}
}
