package curves_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node/curves"
)

// The curves of a run of two rounds, the second with a validation.
func Example() {
	dir, err := os.MkdirTemp("", "curves")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w, err := curves.Open(dir, "en to de", nil)
	if err != nil {
		log.Fatal(err)
	}
	points := []curves.Point{
		{Round: 1, Step: 1, Epoch: 0.5, Loss: 7.5, NLL: 7.25, LearningRate: 0.001, Tokens: 900, Seconds: 0.5},
		{Round: 2, Step: 2, Epoch: 1, Loss: 6.5, NLL: 6.25, LearningRate: 0.002, Tokens: 900, Seconds: 0.5,
			Validation: &curves.Validation{NLL: 6.5, BLEU: 1.25, ChrF: 14, Tokenizer: "zh", Measure: "chrf"}},
	}
	for _, p := range points {
		if err := w.Add(p); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	metrics, err := os.ReadFile(filepath.Join(dir, curves.MetricsFile))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(metrics))
	// Output:
	// {"round":1,"step":1,"epoch":0.5,"loss":7.5,"nll":7.25,"learning_rate":0.001,"tokens":900,"seconds":0.5,"time":0}
	// {"round":2,"step":2,"epoch":1,"loss":6.5,"nll":6.25,"learning_rate":0.002,"tokens":900,"seconds":0.5,"time":0,"valid_nll":6.5,"bleu":1.25,"chrf":14,"bleu_tokenizer":"zh","measure":"chrf"}
}
