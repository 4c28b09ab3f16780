package corpus

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Selection say what to read of a corpus.
type Selection struct {
	// Source and Target are the languages, as in the file names or in the files. An empty
	// one is inferred if there is only one possibility: the other language of a directory
	// that has two, or the direction at the end of a file name such as travel.en-de.tsv.
	Source, Target string
	// Columns, unless empty, are the columns of a table with the source and the target, from
	// 1, such as "2,4".
	Columns string
}

// maxHeld bounds the pairs of validation and tests, which are held in memory.
const maxHeld = 1 << 20

// Open reads and cleans a corpus from a directory or a file. Each file may be compressed: its
// name then ends with .gz, .zst, .xz or .bz2 too.
//
// A directory has line-aligned files NAME.LANGUAGE in two languages. NAME is train; val, without
// which some training pairs are held out instead; or any name that begins with test. Without
// train files, a directory has files of pairs. Open ignores other files.
//
// A file of pairs is a table (.tsv), a translation memory (.tmx) or a gettext catalog (.po, .mo).
// Some of its pairs are held out for validation. A table has a source, a tab and a target on
// each line. Of a table with more columns, Open takes the two that have text, as in files of
// Tatoeba (id, text, id, text) and for Anki (text, text, attribution).
//
// The training pairs are not held in memory, see [Corpus.Pairs].
//
// Errors name the file, and the line if there is one. They are: a corpus that does not exist or is
// empty, line-aligned files of different length, a damaged compressed file, a file without
// end, and a corpus of which more than one line in a hundred is faulty (see [Rule]). The report
// says what was found before an error.
func Open(path string, o Selection) (*Corpus, Report, error) {
	fail := func(r Report, err error) (*Corpus, Report, error) {
		return nil, r, fmt.Errorf("open corpus: %w", err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(Report{}, fmt.Errorf("%s does not exist: give a directory with training files, or a file of pairs", path))
	} else if err != nil {
		return fail(Report{}, err)
	}
	c := new(Corpus)
	var train iter.Seq2[row, error]
	if info.IsDir() {
		train, err = c.openDir(path, o)
	} else {
		train, err = c.openFile(path, o)
	}
	if err != nil {
		return fail(Report{}, err)
	}
	r, err := c.cleanFiles(path, train, len(c.Valid) == 0)
	switch {
	case err != nil:
		return fail(r, err)
	case r.Pairs+r.Validation == 0:
		return fail(r, fmt.Errorf("%s has no pair: put a sentence and its translation on each line", path))
	case c.Len() == 0:
		return fail(r, fmt.Errorf("%s has no training pair left after %d were held out for validation: give more pairs, or validation pairs (val.*) (%v)", path, r.Validation, r))
	}
	return c, r, nil
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

// openDir finds the line-aligned files of a directory, and reads its validation and tests.
func (c *Corpus) openDir(dir string, o Selection) (iter.Seq2[row, error], error) {
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	languages := trained(files)
	if len(languages) == 0 {
		return c.openPairs(dir, o)
	}
	if o.Columns != "" {
		return nil, fmt.Errorf("%s has a file for each language, and no columns: leave --columns out", dir)
	}
	if c.Source, c.Target, err = direction(dir, languages, o.Source, o.Target); err != nil {
		return nil, err
	}
	// A split is two files of the same name in both languages.
	read := func(split string) (iter.Seq2[row, error], error) {
		a := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Source })
		b := slices.IndexFunc(files, func(f file) bool { return f.split == split && f.language == c.Target })
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("%s must have both %s.%s and %s.%s", dir, split, c.Source, split, c.Target)
		}
		return aligned(files[a].path, files[b].path), nil
	}
	train, err := read("train")
	if err != nil {
		return nil, err
	}
	// The other splits, each found by its source file.
	for _, f := range files {
		if f.language != c.Source || f.split == "train" {
			continue
		}
		rows, err := read(f.split)
		if err != nil {
			return nil, err
		}
		pairs, err := c.held(rows)
		if err != nil {
			return nil, err
		}
		if f.split == "val" {
			c.Valid = pairs
		} else {
			c.Tests = append(c.Tests, Split{f.split, pairs})
		}
	}
	return train, nil
}

// held reads the pairs of a validation or a test. They count for scores, so a faulty one is an
// error.
func (c *Corpus) held(rows iter.Seq2[row, error]) (pairs []Pair, err error) {
	had := len(c.Valid)
	for _, t := range c.Tests {
		had += len(t.Pairs)
	}
	for r, err := range rows {
		switch {
		case err != nil:
			return nil, err
		case r.bad == blank:
		case r.bad != 0:
			return nil, fmt.Errorf("%s: line %d %s: %s (validation and tests must have no faulty line)", r.file, r.line, ruleNames[r.bad].is, ruleNames[r.bad].remedy)
		case had+len(pairs) == maxHeld:
			return nil, fmt.Errorf("%s: validation and tests have more than %d pairs: give fewer", r.file, maxHeld)
		default:
			pairs = append(pairs, r.Pair)
		}
	}
	return pairs, nil
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
		split, language, ok := strings.Cut(bare(e.Name()), ".")
		if e.IsDir() || !ok || language == "" || strings.Contains(language, ".") || formatOf(e.Name()) != nil ||
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

// aligned reads the two files of a split: line N of one translates line N of the other.
func aligned(source, target string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		a, err := openLines(source)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer a.Close()
		b, err := openLines(target)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer b.Close()
		both := fmt.Sprintf("%s and %s", source, target)
		end := ending{yield: yield, file: both}
		for {
			x, badX, errX := a.next()
			y, badY, errY := b.next()
			if bad := cmp.Or(notEOF(errX), notEOF(errY)); bad != nil {
				yield(row{}, bad)
				return
			}
			switch {
			case errX != nil && errY != nil && a.n == 0:
				yield(row{}, fmt.Errorf("%s are empty: put one sentence on each line", both))
				return
			case errX != nil && errY != nil:
				end.finish()
				return
			case errX != nil || errY != nil:
				longer, shorter, text := a, b, x
				if errX != nil {
					longer, shorter, text = b, a, y
				}
				if n, err := longer.rest(text, badX+badY); err != nil {
					yield(row{}, err)
				} else if n > shorter.n {
					counts := map[*lines]int{longer: n, shorter: shorter.n}
					yield(row{}, fmt.Errorf("%s has %d lines and %s has %d: line N of one must be the translation of line N of the other", source, counts[a], target, counts[b]))
				} else {
					end.finish()
				}
				return
			}
			r := row{file: both, line: a.n, bad: badX}
			switch {
			case badX != 0:
				r.file = source
			case badY != 0:
				r.file, r.bad = target, badY
			default:
				r.Pair = Pair{string(x), string(y)}
			}
			if !end.row(r, r.bad == 0 && len(x)+len(y) == 0) {
				return
			}
		}
	}
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// rest reads to the end of a file, and returns the number of its last line that is not empty.
// The line that was read last is given.
func (l *lines) rest(line []byte, bad Rule) (last int, err error) {
	for err == nil {
		if bad != 0 || len(line) > 0 {
			last = l.n
		}
		line, bad, err = l.next()
	}
	return last, notEOF(err)
}

// ending passes rows on, and finds the empty lines at the end: they are no pairs, and those
// before are empty ones.
type ending struct {
	yield  func(row, error) bool
	file   string
	blanks int // since the last row
}

func (e *ending) row(r row, isBlank bool) bool {
	if isBlank {
		e.blanks++
		return true
	}
	for ; e.blanks > 0; e.blanks-- {
		if !e.yield(row{file: e.file, line: r.line - e.blanks}, nil) {
			return false
		}
	}
	return e.yield(r, nil)
}

func (e *ending) finish() {
	for ; e.blanks > 0; e.blanks-- {
		if !e.yield(row{bad: blank}, nil) {
			return
		}
	}
}
