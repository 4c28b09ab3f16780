// Package profile is the statistics by which languages of one script are told apart.
//
// A group is the languages of one script. For each of its languages a group has a model of the letters:
// the cost of a letter after the letters before it in the word, four at most. A cost is the negative
// logarithm of the probability, to base 2, in quarters of a bit. The text is most likely in the language
// in which it costs least. The models are pruned: where a long run of letters has no cost of its own in
// a language, the cost of its longest known end is taken.
//
// Words cuts a text into words; Group.Add adds up the costs of a word in every language. Everything is
// integers. The package train makes the statistics, and Encode and Decode are their file.
package profile

import "slices"

// Unit is how many units of cost make one bit.
const Unit = 4

// Order is the longest run of letters with a cost of its own, the space before and after a word included.
const Order = 5

// MaxCost is the greatest cost of a letter.
const MaxCost = 63

// strange is the cost, in every language, of a letter that no language of the group uses.
const strange = 14 * Unit

// Unknown is the code of the model of all other texts. It stands for every language that has no
// model of its own, so that a text in such a language is unknown.
const Unknown = "und"

// Group is the languages of one script.
type Group struct {
	Script    Script
	Languages []Language
	Letters   []rune // sorted; the symbol of a letter is its place here, plus 1
	// First has the cost of each symbol by itself, by symbol and language. Symbol 0 is the space that
	// begins and ends a word.
	First []byte
	// Runs are the longer runs, sorted by key.
	Runs []Run

	symbols map[rune]uint16
	table   map[uint64]int32
}

// Language is a language of a group.
type Language struct {
	Code  string
	Prior int // what an answer in this language costs before any letter is read, in units
}

// Run is two to Order symbols, with the cost of the last after those before it.
type Run struct {
	Key   uint64
	Costs []Cost // sorted by language
}

// Cost is a cost in one language, by its place in the group's Languages.
type Cost struct{ Language, Cost uint8 }

// Key packs symbols: 12 bits each, the last one lowest. A leading 1 keeps keys of different lengths apart.
func Key(symbols []uint16) uint64 {
	key := uint64(1)
	for _, s := range symbols {
		key = key<<12 | uint64(s)
	}
	return key
}

// Symbols unpacks a key.
func Symbols(key uint64) []uint16 {
	var out []uint16
	for ; key > 1; key >>= 12 {
		out = append(out, uint16(key&0xfff))
	}
	slices.Reverse(out)
	return out
}

// Index makes a group ready for Add.
func (g *Group) Index() {
	g.symbols = make(map[rune]uint16, len(g.Letters))
	for i, c := range g.Letters {
		g.symbols[c] = uint16(i + 1)
	}
	g.table = make(map[uint64]int32, len(g.Runs))
	for i := range g.Runs {
		g.table[g.Runs[i].Key] = int32(i)
	}
}

// Symbol is the symbol of a letter; false if no language of the group uses it.
func (g *Group) Symbol(c rune) (uint16, bool) {
	s, ok := g.symbols[c]
	return s, ok
}

// Add adds to sums, one for each language, what the word costs. It reports how many of the letters some
// language of the group uses.
func (g *Group) Add(word []rune, sums []int) (known int) {
	var costs [256]uint8
	var last [Order]uint16 // the symbols up to the present one
	n := 1                 // how many of them count, from the end
	for i := 0; i <= len(word); i++ {
		symbol := uint16(0)
		if i < len(word) {
			s, ok := g.symbols[word[i]]
			if !ok {
				for l := range sums {
					sums[l] += strange
				}
				n = 0
				continue
			}
			known++
			symbol = s
		}
		copy(last[:], last[1:])
		last[Order-1] = symbol
		n = min(n+1, Order)
		g.costs(last[Order-n:], costs[:])
		for l := range sums {
			sums[l] += int(costs[l])
		}
	}
	return known
}

// costs sets the cost, in each language, of the last of the symbols.
func (g *Group) costs(symbols []uint16, costs []uint8) {
	width := len(g.Languages)
	last := len(symbols) - 1
	copy(costs, g.First[int(symbols[last])*width:][:width])
	for from := last - 1; from >= 0; from-- {
		if i, ok := g.table[Key(symbols[from:])]; ok {
			for _, c := range g.Runs[i].Costs {
				costs[c.Language] = c.Cost
			}
		}
	}
}

// Profile is the groups, sorted by script.
type Profile []*Group

// Group is the group of a script, or nil.
func (p Profile) Group(s Script) *Group {
	i := slices.IndexFunc(p, func(g *Group) bool { return g.Script == s })
	if i < 0 {
		return nil
	}
	return p[i]
}
