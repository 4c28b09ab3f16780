package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/alia-network/alia/work/corpus"
)

// source is a text that is read: a file, or standard input.
type source struct {
	io.Reader
	file              *os.File // nil for standard input
	name              string
	regular, terminal bool
}

// openText opens a text: a file, or standard input for "-" or no name.
func openText(name string, stdin io.Reader) (*source, error) {
	s := &source{Reader: stdin, name: name}
	if name == "" || name == "-" {
		s.name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read text: %w", err)
		}
		s.Reader, s.file = f, f
	}
	if f, ok := s.Reader.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			s.regular = info.Mode().IsRegular()
		}
		s.terminal = term.IsTerminal(int(f.Fd()))
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(s.Reader)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.Close())
		}
		s.Reader = z
	}
	return s, nil
}

// Read reads, and says of what where the system does not.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if at := new(fs.PathError); err != nil && err != io.EOF && !errors.As(err, &at) {
		err = fmt.Errorf("read %s: %w", s.name, err)
	}
	return n, err
}

// Close closes the file.
func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// readText reads a text whole. Text that is not UTF-8, or has a line that is
// too long, is refused by its line.
func readText(name string, stdin io.Reader) (string, error) {
	in, err := openText(name, stdin)
	if err != nil {
		return "", err
	}
	defer in.Close()
	name = in.name
	data, err := io.ReadAll(io.LimitReader(in, corpus.MaxFile+1))
	if err != nil {
		return "", err
	}
	if len(data) > corpus.MaxFile {
		return "", fmt.Errorf("%s: more than %d bytes", name, corpus.MaxFile)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if !utf8.ValidString(line) {
			return "", fmt.Errorf("%s: line %d: not UTF-8", name, n)
		}
		if len(line) > corpus.MaxLine {
			return "", fmt.Errorf("%s: line %d: %d bytes, at most %d are taken", name, n, len(line), corpus.MaxLine)
		}
	}
	return string(data), nil
}

// readLines reads the lines of a text, without their ends.
func readLines(name string) ([]string, error) {
	s, err := readText(name, nil)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines, nil
}
