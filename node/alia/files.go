package main

import (
	"bytes"
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
	"github.com/alia-network/alia/work/document"
)

// source is a text that is read: a file, or standard input.
type source struct {
	io.Reader
	file              *os.File // nil for standard input
	name              string
	regular, terminal bool
	looked            bool // at the first bytes
}

// openText opens a text: a file, or for "-" or no name standard input, unless stdin is nil.
func openText(name string, stdin io.Reader) (*source, error) {
	s := &source{Reader: stdin, name: name}
	switch {
	case (name == "" || name == "-") && stdin == nil:
		return nil, usagef("standard input is not read here: give a file")
	case name == "" || name == "-":
		s.name = "standard input"
	default:
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

// Read reads, and says of what where the system does not. It refuses what is no text by its
// first bytes.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if at := new(fs.PathError); err != nil && err != io.EOF && !errors.As(err, &at) {
		err = fmt.Errorf("read %s: %w", s.name, err)
	}
	if n > 0 && !s.looked {
		s.looked = true
		if err := checkText(p[:n]); err != nil {
			return 0, fmt.Errorf("%s is no plain text: %w", s.name, err)
		}
	}
	return n, err
}

// checkText refuses the beginning of a file of another kind. A stream may have control
// characters in it, and bytes that are not UTF-8. So only the first four bytes, by which most
// kinds of files are known, may say that it is binary.
func checkText(head []byte) error {
	head = bytes.Clone(head)
	for i := min(4, len(head)); i < len(head); i++ {
		if c := head[i]; c < ' ' && c != '\n' || c >= 0x7f {
			head[i] = ' '
		}
	}
	if _, err := document.Parse("-", head); errors.Is(err, document.ErrUnsupported) {
		return err
	}
	return nil
}

// Close closes the file.
func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// noTexts are the ends of names of files that are no text, and that no format reads. Those
// that a format reads are documents.
var noTexts = []string{".pdf", ".doc", ".xls", ".ppt", ".rtf", ".zip", ".xlsx", ".ods", ".odp", ".png", ".jpg", ".jpeg", ".gif", ".mp3", ".mp4", ".exe"}

// checkFormat refuses a file whose name says that it is no text.
func checkFormat(name string) error {
	if ext := strings.ToLower(filepath.Ext(name)); slices.Contains(noTexts, ext) {
		return fmt.Errorf("%s: %s is not supported: save it as one of %s, or as plain text", name, ext, strings.ReplaceAll(formatNames(), "\n", " "))
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
func readLines(name string, stdin io.Reader) ([]string, error) {
	s, err := readText(name, stdin)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines, nil
}
