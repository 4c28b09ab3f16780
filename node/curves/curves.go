// Package curves keeps the learning curves of a training run as files that
// other programs read: metrics.jsonl, a line of JSON for each round; an event
// file for TensorBoard; and curves.svg, a chart that a browser shows.
//
// The files are a function of the run's log. [Open] writes them anew from the
// rounds that are done and [Files.Add] adds one round after another, so a run
// that was killed and started again has no line twice and none missing.
//
//	f, err := curves.Open(dir, "en to de", points)
//	err = f.Add(point)
//	err = f.Close()
package curves

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node"
)

// Names of the files in a run's directory. TensorBoard reads every file whose
// name has "tfevents" in it.
const (
	MetricsFile = "metrics.jsonl"
	EventsFile  = "events.out.tfevents.alia"
	ChartFile   = "curves.svg"
)

// Point is what one round gave. Losses are means over target tokens, in nats.
type Point struct {
	Round        int     `json:"round"` // from 1
	Step         int     `json:"step"`  // steps that each worker has taken so far
	Epoch        float64 `json:"epoch"` // passes over the corpus so far
	Loss         float64 `json:"loss"`  // of training, label smoothing included
	NLL          float64 `json:"nll"`   // of training
	LearningRate float64 `json:"learning_rate"`
	Tokens       uint64  `json:"tokens"`  // target tokens of the round
	Seconds      float64 `json:"seconds"` // that the round took
	Time         uint64  `json:"time"`    // when it ended, in milliseconds since the Unix epoch
	// Validation is nil after a round that measured none.
	*Validation
}

// Validation is what the model scored on the validation pairs.
type Validation struct {
	NLL  float64 `json:"valid_nll"` // mean over target tokens, in nats
	BLEU float64 `json:"bleu"`
	ChrF float64 `json:"chrf"`
}

// Files are the curves of one run. They are not safe for concurrent use.
type Files struct {
	dir, title      string
	points          []Point
	metrics, events *os.File
}

// Open replaces the files in dir by those of the points, which are the rounds
// done so far in order, and keeps them open for more.
func Open(dir, title string, points []Point) (_ *Files, err error) {
	f := &Files{dir: dir, title: title, points: points}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("curves: %w", err), f.closeFiles())
		}
	}()
	var metrics, events []byte
	for i, p := range points {
		line, err := metricsLine(p)
		if err != nil {
			return nil, err
		}
		metrics, events = append(metrics, line...), append(events, eventRecords(p, i == 0)...)
	}
	if f.metrics, err = replace(filepath.Join(dir, MetricsFile), metrics); err != nil {
		return nil, err
	}
	if f.events, err = replace(filepath.Join(dir, EventsFile), events); err != nil {
		return nil, err
	}
	return f, f.draw()
}

// replace writes a file and opens it to append.
func replace(path string, data []byte) (*os.File, error) {
	if err := node.WriteFile(path, data); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
}

func metricsLine(p Point) ([]byte, error) {
	line, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("round %d: %w", p.Round, err)
	}
	return append(line, '\n'), nil
}

// Add adds a round. The chart, which is written whole, is drawn again after a
// validation only.
func (f *Files) Add(p Point) error {
	line, err := metricsLine(p)
	if err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	if _, err := f.metrics.Write(line); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	if _, err := f.events.Write(eventRecords(p, len(f.points) == 0)); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	f.points = append(f.points, p)
	if p.Validation == nil {
		return nil
	}
	return f.draw()
}

func (f *Files) draw() error {
	return node.WriteFile(filepath.Join(f.dir, ChartFile), chart(f.title, f.points))
}

// Close draws the chart a last time and closes the files.
func (f *Files) Close() error { return errors.Join(f.draw(), f.closeFiles()) }

func (f *Files) closeFiles() error {
	var errs []error
	for _, file := range []*os.File{f.metrics, f.events} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
