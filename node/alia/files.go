package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/alia-network/alia/work/corpus"
)

// readText reads a text to translate: a file, or standard input for "-" or
// no name. Text that is not UTF-8, or has a line that is too long, is refused
// by its line.
func readText(name string, stdin io.Reader) (string, error) {
	var in io.Reader = stdin
	if name == "" || name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("read text: %w", err)
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		in = z
	}
	data, err := io.ReadAll(io.LimitReader(in, corpus.MaxFile+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
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
