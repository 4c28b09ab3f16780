package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a file, whatever it was compressed to.
const (
	MaxLine  = 1 << 16 // bytes of a line
	MaxLines = 1 << 24 // lines of a file
	MaxFile  = 1 << 30 // bytes of a file
)

// Open reads a corpus from a directory or a file.
//
// A directory holds line-aligned files NAME.LANGUAGE or NAME.LANGUAGE.gz in two
// languages: NAME train, which there must be; val, and when it is missing some
// of train is held out instead; and any number of names that begin with test.
// Other files are passed over.
//
// A file, FILE.tsv or FILE.tsv.gz, has a source, a tab and a target on each
// line; some of it is held out for validation.
//
// src and tgt are the languages, as in the file names. An empty one is inferred
// where that leaves no doubt: the other language of a directory that has two,
// or a file name that ends with the direction, as in travel.en-de.tsv.
//
// Errors name the file, and the line where there is one: a corpus that is
// missing or empty, sides of unequal length, text that is not UTF-8, a file
// that passes MaxLine, MaxLines or MaxFile, a gzip file that is damaged.
func Open(path, src, tgt string) (*Corpus, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	var c *Corpus
	if info.IsDir() {
		c, err = openDir(path, src, tgt)
	} else {
		c, err = openTSV(path, src, tgt)
	}
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	if len(c.Valid) == 0 {
		c.holdOut()
	}
	if len(c.Train) == 0 {
		return nil, fmt.Errorf("open corpus: %s has no pair left to train on after %d held out", path, len(c.Valid))
	}
	return c, nil
}

// Languages gives the languages that a directory has training text in.
func Languages(dir string) ([]string, error) {
	files, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	return trained(files), nil
}

func trained(files []file) (languages []string) {
	for _, f := range files {
		if f.split == "train" {
			languages = append(languages, f.language)
		}
	}
	return languages
}

// openDir reads a directory of line-aligned files.
func openDir(dir, src, tgt string) (*Corpus, error) {
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	c := new(Corpus)
	if c.Source, c.Target, err = direction(dir, trained(files), src, tgt); err != nil {
		return nil, err
	}
	read := func(split string) ([]Pair, error) {
		a := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Source })
		b := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Target })
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("%s: no %s.%s and %s.%s beside one another", dir, split, c.Source, split, c.Target)
		}
		return readAligned(files[a].path, files[b].path)
	}
	if c.Train, err = read("train"); err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.language != c.Source || f.split == "train" {
			continue
		}
		pairs, err := read(f.split)
		if err != nil {
			return nil, err
		}
		if f.split == "val" {
			c.Valid = pairs
		} else {
			c.Tests = append(c.Tests, Split{f.split, pairs})
		}
	}
	return c, nil
}

// file is one side of a split in a directory.
type file struct{ split, language, path string }

// list returns the files of a directory that belong to a corpus, by name.
func list(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		split, language, ok := strings.Cut(strings.TrimSuffix(e.Name(), ".gz"), ".")
		if e.IsDir() || !ok || language == "" || strings.Contains(language, ".") ||
			split != "train" && split != "val" && !strings.HasPrefix(split, "test") {
			continue
		}
		f := file{split, language, filepath.Join(dir, e.Name())}
		for _, g := range files {
			if g.split == f.split && g.language == f.language {
				return nil, fmt.Errorf("both %s and %s: one of them has to go", g.path, f.path)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// direction settles the languages of the directory dir, whose training text is
// in the given ones.
func direction(dir string, languages []string, src, tgt string) (string, string, error) {
	if len(languages) == 0 {
		return "", "", fmt.Errorf("%s has no train.LANGUAGE and no train.LANGUAGE.gz", dir)
	}
	has := strings.Join(languages, ", ")
	for _, l := range []string{src, tgt} {
		if l != "" && !slices.Contains(languages, l) {
			return "", "", fmt.Errorf("%s has no train.%s: it is in %s", dir, l, has)
		}
	}
	others := slices.DeleteFunc(slices.Clone(languages), func(l string) bool { return l == src || l == tgt })
	switch {
	case src != "" && src == tgt:
		return "", "", fmt.Errorf("%s: source and target are both %s", dir, src)
	case src != "" && tgt != "":
	case len(others) != 1 || src == "" && tgt == "":
		return "", "", fmt.Errorf("%s is in %s: name the source and the target language", dir, has)
	case src == "":
		src = others[0]
	default:
		tgt = others[0]
	}
	return src, tgt, nil
}

// readAligned reads the two sides of a split.
func readAligned(source, target string) ([]Pair, error) {
	a, err := readLines(source)
	if err != nil {
		return nil, err
	}
	b, err := readLines(target)
	if err != nil {
		return nil, err
	}
	if len(a) != len(b) {
		return nil, fmt.Errorf("%s has %d lines and %s has %d", source, len(a), target, len(b))
	}
	if len(a) == 0 {
		return nil, fmt.Errorf("%s and %s are empty", source, target)
	}
	pairs := make([]Pair, len(a))
	for i := range a {
		pairs[i] = Pair{a[i], b[i]}
	}
	return pairs, nil
}

// openTSV reads a file of tab-separated pairs.
func openTSV(path, src, tgt string) (*Corpus, error) {
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".tsv")
	from, to, named := strings.Cut(base[strings.LastIndexByte(base, '.')+1:], "-")
	if named && !strings.Contains(to, "-") && (src == "" || src == from) && (tgt == "" || tgt == to) {
		src, tgt = from, to
	}
	if src == "" || tgt == "" || src == tgt {
		return nil, fmt.Errorf("%s: name the source and the target language", path)
	}
	lines, err := readLines(path)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	c := &Corpus{Source: src, Target: tgt, Train: make([]Pair, len(lines))}
	for i, line := range lines {
		var ok bool
		if c.Train[i], ok = cutTab(line); !ok {
			return nil, fmt.Errorf("%s: line %d is not two columns with a tab between them", path, i+1)
		}
	}
	return c, nil
}

// readLines reads the lines of a file, which is compressed if its name ends
// with ".gz". A line ends with LF or CR LF; the last one need not.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, damage(err))
		}
	}
	lines, err := scan(r, MaxLines, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, damage(err))
	}
	return lines, nil
}

// damage says in words what is wrong with a file that ends too early.
func damage(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file is cut short")
	}
	return err
}

// scan reads at most so many lines and bytes.
func scan(r io.Reader, maxLines int, maxBytes int64) ([]string, error) {
	var lines []string
	limited := &io.LimitedReader{R: r, N: maxBytes + 1}
	s := bufio.NewScanner(limited)
	s.Buffer(make([]byte, 0, MaxLine+2), MaxLine+2)
	for s.Scan() {
		line := s.Bytes()
		n := len(lines) + 1
		switch {
		case n == 1:
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		case n > maxLines:
			return nil, fmt.Errorf("more than %d lines", maxLines)
		}
		if len(line) > MaxLine {
			return nil, fmt.Errorf("line %d is longer than %d bytes", n, MaxLine)
		}
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d is not UTF-8", n)
		}
		lines = append(lines, string(line))
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than %d bytes", len(lines)+1, MaxLine)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("more than %d bytes of text", maxBytes)
	}
	return lines, s.Err()
}
