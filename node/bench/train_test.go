package bench

import (
	"math"
	"testing"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/train"
)

// TestTrain takes a few small steps on two threads and checks what they
// add up to.
func TestTrain(t *testing.T) {
	dev, err := kernel.Open("", 2)
	if err != nil {
		t.Fatal(err)
	}
	b := Train{Device: dev, Threads: 2, Steps: 2}
	if err := b.Configure("demo", train.Binary32, 200); err != nil {
		t.Fatal(err)
	}
	b.Synthesise()
	r, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 2 || r.TargetTokens < 250 || r.TargetTokens > 400 || r.Params < 100_000 {
		t.Errorf("the report is %+v", r)
	}
	if r.PerSecond <= 0 || r.GemmShare <= 0 || r.GemmShare >= 1 {
		t.Errorf("the report is %+v", r)
	}
	if machine.CPUSeconds() > 0 && (r.PerCPUSecond <= 0 || r.PeakRSS < 1<<20) {
		t.Errorf("the report is %+v", r)
	}
	share, calls := 0.0, map[string]float64{}
	for _, o := range b.Operations() {
		share += o.Share
		calls[o.Name] = o.Calls
	}
	// demo has 2 layers a side; whatever the workers share is whole calls.
	if math.Abs(share-1) > 1e-9 || math.Abs(calls["AttnScores"]-12) > 1e-9 || math.Abs(calls["MatMul NN"]-33) > 1e-9 {
		t.Errorf("shares add up to %v, calls are %v", share, calls)
	}
}

// TestTrainInt8 measures products of codes: all of the model's but attention's, and but the gradient of the output's input.
func TestTrainInt8(t *testing.T) {
	dev, err := kernel.Open("", 2)
	if err != nil {
		t.Fatal(err)
	}
	b := Train{Device: dev, Threads: 2, Steps: 1}
	if err := b.Configure("demo", train.Int8, 64); err != nil {
		t.Fatal(err)
	}
	b.Synthesise()
	r, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]float64{}
	for _, o := range b.Operations() {
		calls[o.Name] = math.Round(1e6*o.Calls) / 1e6
	}
	if r.GemmShare <= 0 || calls["Linear8"] != 65 || calls["Linear8WeightGrad"] != 33 || calls["QuantizeWeight"] != 33 || calls["MatMul NN"] != 1 {
		t.Errorf("products take %v of the time, calls are %v", r.GemmShare, calls)
	}
}
