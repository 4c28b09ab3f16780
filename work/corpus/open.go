package corpus

import (
	"bufio"
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
)

// The limits of a file, after decompression.
const (
	MaxLine  = 1 << 16 // bytes of a line
	MaxLines = 1 << 24 // lines of a file
	MaxFile  = 1 << 30 // bytes of a file
)

// Open reads a corpus from a directory or a file.
//
// A directory has line-aligned files NAME.LANGUAGE or NAME.LANGUAGE.gz in two languages. NAME is
// train, which must exist; val, without which some training pairs are held out instead; or any
// name that begins with test. Open ignores other files.
//
// A file NAME.tsv or NAME.tsv.gz has a source, a tab and a target on each line. Some of its pairs
// are held out for validation.
//
// src and tgt are the languages, as in the file names. An empty one is inferred if there is only
// one possibility: the other language of a directory that has two, or the direction at the end of
// a file name such as travel.en-de.tsv.
//
// Errors name the file, and the line if there is one. They are: a corpus that does not exist or is
// empty, line-aligned files of different length, text that is not UTF-8, a file beyond MaxLine,
// MaxLines or MaxFile, and a damaged gzip file.
func Open(path, src, tgt string) (*Corpus, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open corpus: %s does not exist: give a directory with training files, or a file of pairs", path)
	} else if err != nil {
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
	// A file of pairs never has validation pairs of its own.
	if len(c.Valid) == 0 {
		c.holdOut()
	}
	if len(c.Train) == 0 {
		return nil, fmt.Errorf("open corpus: %s has no training pair left after %d were held out for validation: give more pairs, or validation pairs (val.*)",
			path, len(c.Valid))
	}
	return c, nil
}

// Languages returns the languages of the training text in a directory.
func Languages(dir string) ([]string, error) {
	files, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	return trained(files), nil
}

// trained returns the languages of the files of training text.
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
	// A split is two files of the same name in both languages.
	read := func(split string) ([]Pair, error) {
		a := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Source })
		b := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Target })
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("%s must have both %s.%s and %s.%s", dir, split, c.Source, split, c.Target)
		}
		return readAligned(files[a].path, files[b].path)
	}
	if c.Train, err = read("train"); err != nil {
		return nil, err
	}
	// The other splits, each found by its source file.
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

// file is one language of a split in a directory.
type file struct{ split, language, path string }

// list returns the files of a directory that belong to a corpus, in the sequence of their names.
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
		// NAME.LANGUAGE and NAME.LANGUAGE.gz would be the same split twice.
		f := file{split, language, filepath.Join(dir, e.Name())}
		for _, g := range files {
			if g.split == f.split && g.language == f.language {
				return nil, fmt.Errorf("there are both %s and %s: delete one of them", g.path, f.path)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// direction returns the source and target language for the directory dir, whose training text is in
// the given languages.
func direction(dir string, languages []string, src, tgt string) (string, string, error) {
	if len(languages) == 0 {
		return "", "", fmt.Errorf("%s has no train.LANGUAGE and no train.LANGUAGE.gz", dir)
	}
	has := strings.Join(languages, ", ")
	for _, l := range []string{src, tgt} {
		if l != "" && !slices.Contains(languages, l) {
			return "", "", fmt.Errorf("%s has no train.%s: its languages are %s, name two of them (--src and --tgt)", dir, l, has)
		}
	}
	// A language that is not named is the only other one.
	others := slices.DeleteFunc(slices.Clone(languages), func(l string) bool { return l == src || l == tgt })
	switch {
	case src != "" && src == tgt:
		return "", "", fmt.Errorf("%s: source and target language are both %s: name two languages", dir, src)
	case src != "" && tgt != "":
	case len(others) != 1 || src == "" && tgt == "":
		return "", "", fmt.Errorf("%s has the languages %s: name the source and the target language (--src and --tgt)", dir, has)
	case src == "":
		src = others[0]
	default:
		tgt = others[0]
	}
	return src, tgt, nil
}

// readAligned reads the two files of a split.
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
		return nil, fmt.Errorf("%s has %d lines and %s has %d: line N of one must be the translation of line N of the other", source, len(a), target, len(b))
	}
	if len(a) == 0 {
		return nil, fmt.Errorf("%s and %s are empty: put one sentence on each line", source, target)
	}
	pairs := make([]Pair, len(a)) // line i of one file translates line i of the other
	for i := range a {
		pairs[i] = Pair{a[i], b[i]}
	}
	return pairs, nil
}

// openTSV reads a file of tab-separated pairs.
func openTSV(path, src, tgt string) (*Corpus, error) {
	// The direction in the file name counts if it agrees with the languages that are named.
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".tsv")
	from, to, named := strings.Cut(base[strings.LastIndexByte(base, '.')+1:], "-")
	if named && !strings.Contains(to, "-") && (src == "" || src == from) && (tgt == "" || tgt == to) {
		src, tgt = from, to
	}
	if src == "" || tgt == "" || src == tgt {
		return nil, fmt.Errorf("%s: name the source and the target language (--src and --tgt)", path)
	}
	lines, err := readLines(path)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s is empty: put a sentence, a tab and its translation on each line", path)
	}
	c := &Corpus{Source: src, Target: tgt, Train: make([]Pair, len(lines))}
	for i, line := range lines {
		var ok bool
		if c.Train[i], ok = cutTab(line); !ok {
			return nil, fmt.Errorf("%s: line %d is not two columns separated by a tab: put a sentence, a tab and its translation on it", path, i+1)
		}
	}
	return c, nil
}

// readLines reads the lines of a file, which is decompressed if its name ends with ".gz". A line ends
// with LF or CR LF; the last line may also end with the file.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") { // decompressed while it is read
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

// damage replaces the error of a file that ends too early by one in plain words.
func damage(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file is cut short: get the file again")
	}
	return err
}

// scan reads lines, at most maxLines lines and maxBytes bytes.
func scan(r io.Reader, maxLines int, maxBytes int64) ([]string, error) {
	var lines []string
	// One byte more than allowed shows that there are too many.
	limited := &io.LimitedReader{R: r, N: maxBytes + 1}
	s := bufio.NewScanner(limited)
	s.Buffer(make([]byte, 0, MaxLine+2), MaxLine+2)
	for s.Scan() {
		line := s.Bytes()
		n := len(lines) + 1
		switch {
		case n == 1: // a byte-order mark is no text
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		case n > maxLines:
			return nil, fmt.Errorf("it has more than %d lines", maxLines)
		}
		if len(line) > MaxLine {
			return nil, fmt.Errorf("line %d is longer than %d bytes", n, MaxLine)
		}
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d is not UTF-8: convert the file, such as with iconv -t UTF-8", n)
		}
		lines = append(lines, string(line))
	}
	// The scanner stops at a line beyond its buffer, and at the limit of bytes.
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d is longer than %d bytes", len(lines)+1, MaxLine)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("it has more than %d bytes of text", maxBytes)
	}
	return lines, s.Err()
}
