package curves

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node"
)

// Samples are sentences as the model of a round translates them. Unlike the curves they
// are not in the run's log: the store keeps translations only for a while.
type Samples struct {
	Round int           `json:"round"` // from 1
	Texts []node.Sample `json:"texts"`
}

// maxLine bounds a line of a file of this package, in bytes.
const maxLine = 1 << 20

// lines calls f for each line of a file that is a T. A last line that a crash cut off, or
// that is being written, is passed over. A file that is not there has no lines.
func lines[T any](path string, f func(T) error) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	for r := bufio.NewReaderSize(io.Reader(file), maxLine); ; {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
}

// ReadPoints calls f with each point of the run in dir, from the first round on. The run
// may go on meanwhile.
func ReadPoints(dir string, f func(Point) error) error {
	return lines(filepath.Join(dir, MetricsFile), f)
}

// ReadSamples reads the samples of the run in dir, the oldest first.
func ReadSamples(dir string) (all []Samples, err error) {
	err = lines(filepath.Join(dir, SamplesFile), func(s Samples) error {
		all = append(all, s)
		return nil
	})
	return all, err
}

// addSamples appends samples to the file.
func addSamples(dir string, s Samples) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, SamplesFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// trimSamples drops the samples of the rounds that are done again: those after the first
// done. It drops, too, what a crash left of a line.
func trimSamples(dir string, done int) error {
	path := filepath.Join(dir, SamplesFile)
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var s Samples
		if json.Unmarshal(line, &s) == nil && s.Round <= done && line[len(line)-1] == '\n' {
			kept = append(kept, line...)
		}
	}
	if bytes.Equal(kept, old) {
		return nil
	}
	return node.WriteFile(path, kept)
}
