// Package curves writes the learning curves of a training run as files for other
// programs: metrics.jsonl has a line of JSON for each round, an event file is for
// TensorBoard, and curves.svg is a chart for a browser. samples.jsonl has a line for each
// validation, with some sentences as the model translated them then.
//
// The other files are a function of the run's log. [Open] writes them from the rounds that
// are done, and [Writer.Add] adds one round after another. The files of a run that was
// killed and started again therefore have every round once.
//
//	w, err := curves.Open(dir, "en to de", points)
//	err = w.Add(point)
//	err = w.Close()
//
// [OpenTrack] makes the points itself, from the rounds that a run's directory names and
// from the notices of new rounds.
//
//	t, err := curves.OpenTrack(ctx, store, plan, dir)
//	err = t.Add(notice) // a node.RoundDone
//	err = t.Close()
package curves

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node"
)

// Names of the files in a run's directory. TensorBoard reads files whose names contain
// "tfevents".
const (
	MetricsFile = "metrics.jsonl"
	EventsFile  = "events.out.tfevents.alia"
	ChartFile   = "curves.svg"
	SamplesFile = "samples.jsonl"
)

// Point is the outcome of one round. Losses are means over target tokens, in nats.
type Point struct {
	Round        int     `json:"round"` // from 1
	Step         int     `json:"step"`  // optimiser steps so far, counted as one unit of each round took them
	Epoch        float64 `json:"epoch"` // passes over the corpus so far
	Loss         float64 `json:"loss"`  // of training, label smoothing included
	NLL          float64 `json:"nll"`   // of training
	LearningRate float64 `json:"learning_rate"`
	Tokens       uint64  `json:"tokens"`  // target tokens of the round
	Seconds      float64 `json:"seconds"` // duration of the round
	Time         uint64  `json:"time"`    // end of the round, in milliseconds since the Unix epoch
	// Validation is nil for a round without a validation.
	*Validation
}

// Validation is the loss and the scores of the model on the validation pairs.
type Validation struct {
	NLL  float64 `json:"valid_nll"` // mean over target tokens, in nats
	BLEU float64 `json:"bleu"`
	ChrF float64 `json:"chrf"`
	// Tokenizer is BLEU's. Measure chooses the best validation, where the run has patience:
	// "bleu", "chrf" or "loss".
	Tokenizer string `json:"bleu_tokenizer,omitempty"`
	Measure   string `json:"measure,omitempty"`
}

// Writer writes the curves of one run. It is not safe for concurrent use.
type Writer struct {
	dir, title      string
	points          []Point
	metrics, events *os.File
}

// Open replaces the files in dir by those of the points, which are the rounds that are
// done, in sequence. The files stay open for the next rounds.
func Open(dir, title string, points []Point) (_ *Writer, err error) {
	w := &Writer{dir: dir, title: title, points: points}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("curves: %w", err), w.closeFiles())
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
	if w.metrics, err = replace(filepath.Join(dir, MetricsFile), metrics); err != nil {
		return nil, err
	}
	if w.events, err = replace(filepath.Join(dir, EventsFile), events); err != nil {
		return nil, err
	}
	return w, w.draw()
}

// replace writes a file and opens it for appending.
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

// Add adds a round. It draws the chart again only after a validation, because the
// chart is written as a whole.
func (w *Writer) Add(p Point) error {
	line, err := metricsLine(p)
	if err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	if _, err := w.metrics.Write(line); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	if _, err := w.events.Write(eventRecords(p, len(w.points) == 0)); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	w.points = append(w.points, p)
	if p.Validation == nil {
		return nil
	}
	return w.draw()
}

func (w *Writer) draw() error {
	return node.WriteFile(filepath.Join(w.dir, ChartFile), chart(w.title, w.points))
}

// Close draws the chart a last time and closes the files.
func (w *Writer) Close() error { return errors.Join(w.draw(), w.closeFiles()) }

func (w *Writer) closeFiles() error {
	var errs []error
	for _, file := range []*os.File{w.metrics, w.events} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
