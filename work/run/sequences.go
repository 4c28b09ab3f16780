package run

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/alia-network/alia/work/corpus"
)

// memoryTokens is the tokens that a plan holds in memory. Those of a larger corpus are in a
// file, so that the memory of a plan grows with the number of its pairs only.
const memoryTokens = 1 << 24

// sequences are the tokens of pairs: of each pair the source, and then the target. They are not
// a slice for each, because every garbage collection of a long run would follow millions of
// pointers.
type sequences struct {
	starts  []uint64        // by pair: its first token
	lengths []corpus.Length // by pair: its tokens, and the one for the end of a sentence
	most    int             // tokens in memory

	filed  uint64   // the first tokens are in the file,
	tokens []uint32 // and the rest is here
	file   *os.File // without a name, where the system allows it
}

// len is the number of pairs.
func (s *sequences) len() int { return len(s.starts) }

func (s *sequences) add(source, target []int32) error {
	s.starts = append(s.starts, s.filed+uint64(len(s.tokens)))
	s.lengths = append(s.lengths, corpus.Length{Source: len(source) + 1, Target: len(target) + 1})
	s.tokens = append(append(s.tokens, unsigned(source)...), unsigned(target)...)
	if len(s.tokens) < s.most {
		return nil
	}
	if err := s.spill(); err != nil {
		return fmt.Errorf("write the tokens of the corpus to a temporary file: %w", err)
	}
	return nil
}

// spill appends the tokens in memory to the file.
func (s *sequences) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "alia-tokens-*")
		if err != nil {
			return err
		}
		s.file = f
		// The system deletes a file without a name when it is closed, at the latest when the
		// process ends. Where an open file keeps its name, it is deleted with the plan.
		if os.Remove(f.Name()) != nil {
			runtime.AddCleanup(s, func(f *os.File) { _ = errors.Join(f.Close(), os.Remove(f.Name())) }, f)
		}
	}
	var data []byte
	for part := s.tokens; len(part) > 0; { // in parts: the bytes are no second copy of all
		n := min(len(part), 1<<18)
		data = data[:0]
		for _, t := range part[:n] {
			data = binary.LittleEndian.AppendUint32(data, t)
		}
		if _, err := s.file.Write(data); err != nil {
			return err
		}
		part = part[n:]
	}
	s.filed += uint64(len(s.tokens))
	s.tokens = s.tokens[:0]
	return nil
}

// at gives the tokens of pair i. The caller must not change them.
func (s *sequences) at(i int) (source, target []uint32, err error) {
	from, l := s.starts[i], s.lengths[i]
	n := l.Source + l.Target - 2
	var all []uint32
	if from >= s.filed {
		all = s.tokens[from-s.filed:][:n:n]
	} else {
		data := make([]byte, 4*n)
		if _, err := s.file.ReadAt(data, 4*int64(from)); err != nil {
			return nil, nil, fmt.Errorf("read the tokens of pair %d from a temporary file: %w", i, err)
		}
		all = make([]uint32, n)
		for k := range all {
			all[k] = binary.LittleEndian.Uint32(data[4*k:])
		}
	}
	k := l.Source - 1
	return all[:k:k], all[k:], nil
}
