package corpus

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// format is a kind of file that has pairs.
type format struct {
	end  string // of its name
	read func(path string, c *Corpus, o Selection) (iter.Seq2[row, error], error)
}

func formats() []format {
	return []format{{".tsv", readTable}, {".tmx", readTMX}, {".po", readPO}, {".mo", readMO}}
}

// formatOf finds the format of a file by its name.
func formatOf(name string) *format {
	for _, f := range formats() {
		if strings.HasSuffix(strings.ToLower(bare(name)), f.end) {
			return &f
		}
	}
	return nil
}

// openFile opens a file of pairs. A name without a known end is a table's.
func (c *Corpus) openFile(path string, o Selection) (iter.Seq2[row, error], error) {
	f := formatOf(path)
	if f == nil {
		f = &format{read: readTable}
	}
	// The direction in the file name counts if it agrees with the languages that are named.
	base := strings.TrimSuffix(bare(filepath.Base(path)), f.end)
	c.Source, c.Target = o.Source, o.Target
	from, to, named := strings.Cut(base[strings.LastIndexByte(base, '.')+1:], "-")
	if named && !strings.Contains(to, "-") && (c.Source == "" || c.Source == from) && (c.Target == "" || c.Target == to) {
		c.Source, c.Target = from, to
	}
	if c.Source == "" || c.Target == "" || c.Source == c.Target {
		return nil, fmt.Errorf("%s: name the source and the target language (--src and --tgt)", path)
	}
	return f.read(path, c, o)
}

// openPairs opens the files of pairs in a directory, one after the other. Of catalogs it takes
// those named after the target language, if there are any.
func (c *Corpus) openPairs(dir string, o Selection) (iter.Seq2[row, error], error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths, ours []string
	for _, e := range entries {
		f := formatOf(e.Name())
		if f == nil || e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		paths = append(paths, path)
		if base := bare(e.Name()); (f.end == ".po" || f.end == ".mo") && sameTag(base[:len(base)-len(f.end)], o.Target) {
			ours = append(ours, path)
		}
	}
	if len(ours) > 0 {
		paths = slices.DeleteFunc(paths, func(p string) bool {
			f := formatOf(p)
			return (f.end == ".po" || f.end == ".mo") && !slices.Contains(ours, p)
		})
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no train.LANGUAGE and no train.LANGUAGE.gz, and no file of pairs (.tsv, .tmx, .po, .mo)", dir)
	}
	var all []iter.Seq2[row, error]
	for _, path := range paths {
		one := new(Corpus)
		rows, err := one.openFile(path, o)
		if err != nil {
			return nil, err
		}
		if c.Source == "" {
			c.Source, c.Target = one.Source, one.Target
		}
		if c.Source != one.Source || c.Target != one.Target {
			return nil, fmt.Errorf("%s is %s to %s, and another file of the directory is %s to %s: name the languages (--src and --tgt)", path, one.Source, one.Target, c.Source, c.Target)
		}
		all = append(all, rows)
	}
	return func(yield func(row, error) bool) {
		for _, rows := range all {
			for r, err := range rows {
				if !yield(r, err) {
					return
				}
			}
		}
	}, nil
}

// sameTag reports whether two language tags are the same but for case and the kind of dashes.
func sameTag(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "-")) }
	return plain(a) == plain(b)
}

// sameLanguage reports whether two language tags have the same language, as de-AT and de.
func sameLanguage(a, b string) bool {
	plain := func(s string) string {
		s, _, _ = strings.Cut(strings.NewReplacer("_", "-", "@", "-", ".", "-").Replace(s), "-")
		return strings.ToLower(s)
	}
	return plain(a) == plain(b)
}

// table is the columns of a file of tab-separated values.
type table struct {
	columns        int // of a line; 0: at least as many as the two need
	source, target int // from 0
}

// pair takes the pair out of a line, and reports whether the line has it.
func (t table) pair(line string) (Pair, bool) {
	var p Pair
	n := 0
	for field := range strings.SplitSeq(line, "\t") {
		switch n {
		case t.source:
			p.Source = field
		case t.target:
			p.Target = field
		}
		n++
	}
	return p, n == t.columns || t.columns == 0 && n > max(t.source, t.target)
}

// readTable reads a file of tab-separated pairs.
func readTable(path string, _ *Corpus, o Selection) (iter.Seq2[row, error], error) {
	var t table
	var err error
	if o.Columns != "" {
		t, err = parseColumns(o.Columns)
	} else {
		t, err = findColumns(path)
	}
	if err != nil {
		return nil, err
	}
	return func(yield func(row, error) bool) {
		in, err := openLines(path)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer in.Close()
		end := ending{yield: yield, file: path}
		for {
			line, bad, err := in.next()
			if err == io.EOF {
				end.finish()
				return
			} else if err != nil {
				yield(row{}, err)
				return
			}
			r := row{file: path, line: in.n, bad: bad}
			text := string(line)
			isBlank := bad == 0 && strings.TrimSpace(text) == ""
			if bad == 0 && !isBlank {
				var ok bool
				if r.Pair, ok = t.pair(text); !ok {
					r.bad, r.Pair = Columns, Pair{Source: text}
				}
			}
			if !end.row(r, isBlank) {
				return
			}
		}
	}, nil
}

// parseColumns reads two numbers of columns, such as "2,4".
func parseColumns(s string) (table, error) {
	a, b, ok := strings.Cut(s, ",")
	x, errA := strconv.Atoi(strings.TrimSpace(a))
	y, errB := strconv.Atoi(strings.TrimSpace(b))
	if !ok || errA != nil || errB != nil || x < 1 || y < 1 || x == y || max(x, y) > 1000 {
		return table{}, fmt.Errorf("columns %q: give the numbers of two columns, from 1: that of the source and that of the target, such as 2,4", s)
	}
	return table{source: x - 1, target: y - 1}, nil
}

// probeLines is the lines from which the columns of a table are found.
const probeLines = 1000

// findColumns finds the two columns with text in the first lines of a table. Columns of
// numbers, of addresses, and of a name of a licence have no text.
func findColumns(path string) (table, error) {
	in, err := openLines(path)
	if err != nil {
		return table{}, err
	}
	defer in.Close()
	var all [][]string
	count, first := map[int]int{}, map[int]int{} // lines, and the first of them, by columns
	read := 0
	for ; read < probeLines; read++ {
		line, bad, err := in.next()
		if err == io.EOF {
			break
		} else if err != nil {
			return table{}, err
		}
		if bad == 0 && strings.TrimSpace(string(line)) != "" {
			fields := strings.Split(string(line), "\t")
			all = append(all, fields)
			if count[len(fields)]++; count[len(fields)] == 1 {
				first[len(fields)] = in.n
			}
		}
	}
	usual := 0
	for n, k := range count { // order-free: the largest count, then the most columns
		if usual == 0 || k > count[usual] || k == count[usual] && n > usual {
			usual = n
		}
	}
	switch {
	case read == 0:
		return table{}, fmt.Errorf("%s is empty: put a sentence, a tab and its translation on each line", path)
	case usual == 0 || usual == 2 || 2*len(all) < read: // of faulty lines, the reader says what is wrong
		return table{columns: 2, source: 0, target: 1}, nil
	case usual == 1:
		return table{}, fmt.Errorf("%s: line %d is not two columns separated by a tab: put a sentence, a tab and its translation on it", path, first[1])
	}
	var text []int
	for i := range usual {
		filled, written := 0, 0
		for _, fields := range all {
			if len(fields) == usual && fields[i] != "" {
				if filled++; isText(fields[i]) {
					written++
				}
			}
		}
		if 2*written > filled {
			text = append(text, i)
		}
	}
	if len(text) != 2 {
		return table{}, fmt.Errorf("%s: line %d is not two columns separated by a tab: it has %d, and %s: name those of the source and the target, such as --columns 1,2", path, first[usual], usual, withText(text))
	}
	return table{columns: usual, source: text[0], target: text[1]}, nil
}

func withText(columns []int) string {
	if len(columns) == 0 {
		return "none of them has text"
	}
	var numbers []string
	for _, i := range columns {
		numbers = append(numbers, strconv.Itoa(i+1))
	}
	return "those with text are " + strings.Join(numbers, ", ")
}

// isText reports whether a field of a table is a sentence rather than a number, an address or
// an attribution.
func isText(field string) bool {
	if strings.Contains(field, "://") || strings.HasPrefix(field, "CC-BY") || strings.HasPrefix(field, "CC BY") || strings.HasPrefix(field, "CC0") {
		return false
	}
	return strings.ContainsFunc(field, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' || r >= 0xC0 })
}
