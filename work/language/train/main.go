// Command train makes the profile that package language tells languages apart by.
//
// It reads the sources, counts runs of letters, prunes them, and writes a file. The same sources give the
// same file on every machine. LANGUAGES.md, in the folder above, says where the sources are from.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/alia-network/alia/work/language/profile"
)

func main() {
	sources := flag.String("sources", "", "the `folder` with the files that SHA256SUMS lists")
	out := flag.String("out", "profile.bin", "the `file` to write")
	without := flag.String("without", "", "a source to leave out, for a measurement: udhr, cldr or firefox")
	flag.Parse()
	if err := train(*sources, *out, *without); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// budget is how many costs a group keeps, by how many languages it has. They decide the size of the
// file: a cost is a bit more than a byte.
func budget(script profile.Script, languages int) int {
	if script == profile.Han {
		return 5000
	}
	return 4400 * languages
}

func train(sources, out, without string) error {
	all, err := read(sources)
	if err != nil {
		return err
	}
	if without != "" {
		maps.DeleteFunc(all, func(name string, _ []string) bool { return strings.HasPrefix(name, without+"=") })
	}
	groups, err := count(all)
	if err != nil {
		return err
	}
	var p profile.Profile
	for _, g := range groups {
		p = append(p, g.prune(budget(g.script, len(g.languages))))
	}
	data, err := profile.Encode(p)
	if err != nil {
		return err
	}
	for _, g := range p {
		n := 0
		for _, r := range g.Runs {
			n += len(r.Costs)
		}
		fmt.Printf("%s: %d languages, %d letters, %d runs with %d costs\n", g.Script, len(g.Languages), len(g.Letters), len(g.Runs), n)
	}
	fmt.Printf("%s: %d bytes\n", out, len(data))
	return os.WriteFile(out, data, 0o644)
}

// group is the languages of a script with their counts.
type group struct {
	script    profile.Script
	languages []profile.Language
	words     []map[string]int // by language: how often each word was read, in 1/weight
	letters   []rune
	symbols   map[rune]uint16
}

// count reads the table of languages and counts the words of each.
func count(all texts) ([]*group, error) {
	var groups []*group
	used := map[string]bool{}
	for _, v := range variants {
		used["udhr="+v] = true
	}
	for line := range strings.Lines(strings.TrimSpace(languages)) {
		fields := strings.Fields(line)
		g := &group{}
		if i := slices.IndexFunc(groups, func(g *group) bool { return g.script.String() == fields[1] }); i >= 0 {
			g = groups[i]
		} else {
			for s := profile.Script(0); s < profile.Scripts; s++ {
				if s.String() == fields[1] {
					g.script = s
				}
			}
			groups = append(groups, g)
		}
		prior, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, fmt.Errorf("the table of languages: %q: %w", line, err)
		}
		words := map[string]int{}
		for _, source := range fields[3:] {
			kind, names, _ := strings.Cut(source, "=")
			one := map[string]int{}
			for name := range strings.SplitSeq(names, ",") {
				used[kind+"="+name] = true
				text := all[kind+"="+name]
				if kind == "firefox" && name == "sr" && g.script == profile.Latin {
					text = romanised(text)
				}
				countWords(one, text, g.script)
			}
			add(words, one)
		}
		g.languages = append(g.languages, profile.Language{Code: fields[0], Prior: prior * profile.Unit})
		g.words = append(g.words, words)
	}
	for _, g := range groups {
		if g.script != profile.Han {
			g.unknown(all, used)
		}
		g.dropNames()
		g.alphabet()
	}
	slices.SortFunc(groups, func(a, b *group) int { return int(a.script) - int(b.script) })
	return groups, nil
}

// unknown adds the model of the languages that have none: their declarations, each with the same share.
func (g *group) unknown(all texts, used map[string]bool) {
	words := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, "udhr=") && !used[name] {
			countWords(words, all[name], g.script)
		}
	}
	if len(words) < 200 {
		return
	}
	for w, n := range words { // order-free: each word by itself
		words[w] = n * weight
	}
	g.languages = append(g.languages, profile.Language{Code: profile.Unknown, Prior: 0})
	g.words = append(g.words, words)
}

func countWords(words map[string]int, text []string, script profile.Script) {
	for _, line := range text {
		profile.Words(norm.NFC.String(line), func(w profile.Word) {
			if w.Script == script {
				words[string(w.Letters)]++
			}
		})
	}
}

// weight is the count of a word that was read once, in a source that counts whole.
const weight = 16

// whole is how many letters of a source count whole. A longer source counts as if it were this long, so
// that the subject of one source does not decide.
const whole = 120_000

// add adds the words of a source.
func add(words, source map[string]int) {
	letters := 0
	for w, n := range source { // order-free: a sum
		letters += n * (len([]rune(w)) + 1)
	}
	for w, n := range source { // order-free: each word by itself
		if letters <= whole {
			words[w] += n * weight
		} else {
			words[w] += max(1, n*weight*(whole/100)/(letters/100))
		}
	}
}

// dropNames drops words of four letters or more that a third of the languages have in common: names such as
// Firefox and Windows.
func (g *group) dropNames() {
	if len(g.languages) < 12 {
		return
	}
	in := map[string]int{}
	for _, words := range g.words {
		for w := range words { // order-free: counts
			in[w]++
		}
	}
	for _, words := range g.words {
		maps.DeleteFunc(words, func(w string, _ int) bool { return len([]rune(w)) >= 4 && in[w]*3 > len(g.languages) })
	}
}

// alphabet finds the letters that are used. A letter that is less than one in 20,000 of the letters of
// every language is strange to all of them.
func (g *group) alphabet() {
	use := map[rune]bool{}
	for _, words := range g.words {
		counts, total := map[rune]int{}, 0
		for w, n := range words { // order-free: sums
			for _, c := range w {
				counts[c] += n
				total += n
			}
		}
		for c, n := range counts { // order-free: a set
			if n >= 3*weight && n*20_000 >= total {
				use[c] = true
			}
		}
	}
	g.letters = slices.Sorted(maps.Keys(use))
	g.symbols = map[rune]uint16{}
	for i, c := range g.letters {
		g.symbols[c] = uint16(i + 1)
	}
}

var latin = strings.NewReplacer("љ", "lj", "њ", "nj", "џ", "dž", "Љ", "Lj", "Њ", "Nj", "Џ", "Dž",
	"а", "a", "б", "b", "в", "v", "г", "g", "д", "d", "ђ", "đ", "е", "e", "ж", "ž", "з", "z", "и", "i", "ј", "j", "к", "k", "л", "l", "м", "m", "н", "n",
	"о", "o", "п", "p", "р", "r", "с", "s", "т", "t", "ћ", "ć", "у", "u", "ф", "f", "х", "h", "ц", "c", "ч", "č", "ш", "š",
	"А", "A", "Б", "B", "В", "V", "Г", "G", "Д", "D", "Ђ", "Đ", "Е", "E", "Ж", "Ž", "З", "Z", "И", "I", "Ј", "J", "К", "K", "Л", "L", "М", "M", "Н", "N",
	"О", "O", "П", "P", "Р", "R", "С", "S", "Т", "T", "Ћ", "Ć", "У", "U", "Ф", "F", "Х", "H", "Ц", "C", "Ч", "Č", "Ш", "Š")

// romanised is Serbian text in Latin letters, which correspond to the Cyrillic ones one by one.
func romanised(text []string) []string {
	var out []string
	for _, line := range text {
		out = append(out, latin.Replace(line))
	}
	return out
}
