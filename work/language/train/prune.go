package main

import (
	"maps"
	"math"
	"slices"

	"github.com/alia-network/alia/work/language/profile"
)

// model is the counts of one language.
type model struct {
	runs      map[uint64]int // by key, of 1 to Order symbols
	contexts  map[uint64]int // by key of the symbols before the last: the sum of the counts
	followers map[uint64]int // how many different symbols follow
	total     int
}

func (g *group) model(words map[string]int) *model {
	m := &model{map[uint64]int{}, map[uint64]int{}, map[uint64]int{}, 0}
	for w, n := range words { // order-free: sums
		symbols := []uint16{0}
		for _, c := range w {
			s, ok := g.symbols[c]
			if !ok {
				// What stands beside a strange letter still counts.
				m.word(symbols, n)
				symbols = symbols[:0]
				continue
			}
			symbols = append(symbols, s)
		}
		m.word(append(symbols, 0), n)
	}
	for key, n := range m.runs { // order-free: sums
		m.contexts[key>>12] += n
		m.followers[key>>12]++
	}
	return m
}

// word counts the runs that end in each symbol but the space that begins the word.
func (m *model) word(symbols []uint16, n int) {
	for end := 1; end < len(symbols); end++ {
		m.total += n
		for from := max(0, end+1-profile.Order); from <= end; from++ {
			m.runs[profile.Key(symbols[from:end+1])] += n
		}
	}
}

// probability of the last symbol of a run after the others, smoothed by Witten and Bell's method C: a
// context that was seen n times with t different followers keeps t parts in n+t for the others, which are
// divided as the shorter context divides them.
func (m *model) probability(key uint64) float64 {
	shorter := 1.0 / 4096
	if key >= 1<<24 {
		shorter = m.probability(suffix(key))
	}
	context := key >> 12
	n := m.contexts[context]
	if n == 0 {
		return shorter
	}
	t := m.followers[context] * weight
	return (float64(m.runs[key]) + float64(float64(t)*shorter)) / float64(n+t)
}

// suffix is the key without its first symbol.
func suffix(key uint64) uint64 {
	for shift := profile.Order * 12; ; shift -= 12 {
		if key>>shift == 1 {
			return key&(1<<(shift-12)-1) | 1<<(shift-12)
		}
	}
}

// bounds[c] is the least probability with cost c: 2 to the power -(c+1/2)/4.
var bounds = func() (out [profile.MaxCost]float64) {
	p := 0.9170040432046712 // 2^(-1/8)
	for i := range out {
		out[i] = p
		p *= 0.8408964152537145 // 2^(-1/4)
	}
	return out
}()

func cost(p float64) int {
	c := 0
	for c < profile.MaxCost && p < bounds[c] {
		c++
	}
	return c
}

// candidate is a run that a language uses often enough, with what is known of it in every language.
type candidate struct {
	key    uint64
	costs  []uint8   // the true cost, by language
	shares []float32 // how often the run is read in a text of the language, by language
}

// rare is the share of the runs of a language below which a run is no candidate.
const rare = 2e-5

// candidates lists the candidates, the shorter ones first.
func candidates(models []*model) []candidate {
	keys := map[uint64]bool{}
	for _, m := range models {
		least := max(2*weight, int(rare*float64(m.total)))
		for key, n := range m.runs { // order-free: a set
			if n >= least && key >= 1<<24 {
				keys[key] = true
			}
		}
	}
	var out []candidate
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c := candidate{key, make([]uint8, len(models)), make([]float32, len(models))}
		for i, m := range models {
			c.costs[i] = uint8(cost(m.probability(key))+1) &^ 1
			c.shares[i] = float32(m.runs[key]) / float32(m.total+1)
		}
		out = append(out, c)
	}
	return out
}

// prune chooses the costs to keep, about as many as the budget says: those of the greatest worth.
func (g *group) prune(budget int) *profile.Group {
	models := make([]*model, len(g.words))
	for i, words := range g.words {
		models[i] = g.model(words)
	}
	out := &profile.Group{Script: g.script, Languages: g.languages, Letters: g.letters}
	for s := range len(g.letters) + 1 {
		for _, m := range models {
			out.First = append(out.First, byte(cost(m.probability(profile.Key([]uint16{uint16(s)})))))
		}
	}
	all := candidates(models)
	low, high := 1e-6, 0.1
	for range 12 {
		middle := math.Sqrt(low * high)
		if runs, n := choose(out, all, middle); n > budget {
			low = middle
		} else {
			high, out.Runs = middle, runs
		}
	}
	slices.SortFunc(out.Runs, func(a, b profile.Run) int { return slices.Compare(profile.Symbols(a.Key), profile.Symbols(b.Key)) })
	return out
}

// others is how much a run counts in a language for being read in another language of the group. Without
// it a model would not say which runs its language lacks.
const others = 1.0

// choose keeps the costs that are worth at least so much: how often the run is read, times how far the cost
// of the longest end of the run that is kept would be wrong.
func choose(g *profile.Group, all []candidate, worth float64) (runs []profile.Run, n int) {
	kept := map[uint64][]profile.Cost{}
	width := len(g.Languages)
	now := make([]uint8, width)
	for _, c := range all {
		symbols := profile.Symbols(c.key)
		copy(now, g.First[int(symbols[len(symbols)-1])*width:])
		for from := len(symbols) - 2; from > 0; from-- {
			for _, k := range kept[profile.Key(symbols[from:])] {
				now[k.Language] = k.Cost
			}
		}
		first, second, most := float32(0), float32(0), -1
		for i, s := range c.shares {
			if s > first {
				first, second, most = s, first, i
			} else if s > second {
				second = s
			}
		}
		var costs []profile.Cost
		for i := range width {
			elsewhere := first
			if i == most {
				elsewhere = second
			}
			wrong := int(c.costs[i]) - int(now[i])
			if float64(c.shares[i]+float32(others*elsewhere))*float64(max(wrong, -wrong)*room(g.Languages[i])) >= worth {
				costs = append(costs, profile.Cost{Language: uint8(i), Cost: c.costs[i]})
			}
		}
		if len(costs) > 0 {
			kept[c.key] = costs
			runs = append(runs, profile.Run{Key: c.key, Costs: costs})
			n += len(costs)
		}
	}
	return runs, n
}

// room is how much of the file a language gets, in proportion to others: more for those that are likely.
func room(l profile.Language) int {
	if l.Code == profile.Unknown {
		return 4
	}
	return 12 / (2 + l.Prior/profile.Unit)
}
