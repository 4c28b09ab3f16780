package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the file %s does not exist: check its name", name)
		} else if err != nil {
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

// formats with more than text in them, by the ends of files' names: those that
// are text with markup, and those that are no text.
var (
	markup  = []string{".html", ".htm", ".xml", ".md", ".po", ".tex", ".srt", ".json"}
	noTexts = []string{".docx", ".odt", ".pdf", ".epub", ".rtf", ".doc", ".zip"}
)

// checkFormat refuses a file whose name says that it is no text, and warns of
// markup, which is translated like other text.
func checkFormat(a *app, name string) error {
	ext := strings.ToLower(filepath.Ext(name))
	if slices.Contains(noTexts, ext) {
		return usagef("%s: %s is not plain text: save it as plain text (UTF-8) and translate that", name, ext)
	}
	if slices.Contains(markup, ext) {
		a.note("alia: %s: the markup of %s is translated like other text", name, ext)
	}
	return nil
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
		return "", fmt.Errorf("%s has more than %d bytes: divide the text", name, corpus.MaxFile)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if !utf8.ValidString(line) {
			return "", fmt.Errorf("%s: line %d: not UTF-8: convert the file, such as with iconv -t UTF-8", name, n)
		}
		if len(line) > corpus.MaxLine {
			return "", fmt.Errorf("%s: line %d has %d bytes, more than %d: break the line", name, n, len(line), corpus.MaxLine)
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
