package language

import (
	"slices"
	"strings"

	"github.com/alia-network/alia/work/language/profile"
)

// temper divides the difference between two costs before it becomes a probability. Letters are not
// independent of one another, so that their costs alone claim too much.
const temper = 2

// guess weighs the languages of the script.
func (r *reading) guess(script profile.Script, among []string) Guess {
	part, whole := r.share(script)
	g := r.profile.Group(script)
	if g == nil {
		language, name := alone(script)
		if language == "" || part < 2 {
			return Guess{Script: name}
		}
		return Guess{language, min(99, 100*part/whole), name}
	}
	before := priors(g, among)
	total := make([]int, len(g.Languages))
	for _, p := range r.pieces[script] {
		for l, c := range p.costs {
			total[l] += c
		}
	}
	best, chance := likeliest(g, before, total)
	against, letters := 0, 0
	for _, p := range r.pieces[script] {
		letters += p.letters
		if b, chance := likeliest(g, before, p.costs); base(g.Languages[b].Code) != base(g.Languages[best].Code) && chance >= 9000 {
			against += p.letters
		}
	}
	code := g.Languages[best].Code
	if code == profile.Unknown || chance < 100*likely {
		return Guess{Script: script.String()}
	}
	percent := chance * (letters - against) / letters * part / whole / 100
	language, variant, _ := strings.Cut(code, "-")
	out := Guess{language, min(99, percent), script.String()}
	switch {
	case variant != "":
		out.Script = variant
	case code == "ja":
		out.Script = "Jpan"
	}
	return out
}

// handicap is what an answer costs that is not among the languages asked for. Enough evidence overcomes
// it, and then the text is in none of them.
const handicap = 12 * profile.Unit

// priors are what an answer in each language of the group costs before any letter is read.
func priors(g *profile.Group, among []string) []int {
	out := make([]int, len(g.Languages))
	for i, l := range g.Languages {
		out[i] = l.Prior
		if among != nil && l.Code != profile.Unknown && !slices.Contains(among, base(l.Code)) {
			out[i] += handicap
		}
	}
	return out
}

// base is the language of a code with a script, such as zh-Hans.
func base(code string) string {
	language, _, _ := strings.Cut(code, "-")
	return language
}

// likeliest is the language in which the text costs least, and the probability of the language, in any
// script, in parts of 10,000.
func likeliest(g *profile.Group, priors, costs []int) (best, chance int) {
	for l := range costs {
		if costs[l]+priors[l] < costs[best]+priors[best] {
			best = l
		}
	}
	same, sum := 0, 0
	for l := range costs {
		p := power(costs[l] + priors[l] - costs[best] - priors[best])
		sum += p
		if base(g.Languages[l].Code) == base(g.Languages[best].Code) {
			same += p
		}
	}
	return best, same * 10_000 / sum
}

// power is 2 to the power of -cost/(Unit*temper), in parts of 65,536.
func power(cost int) int {
	// 2^16 * 2^(-i/8)
	eighths := [profile.Unit * temper]int{65536, 60097, 55109, 50535, 46341, 42495, 38968, 35734}
	whole := cost / (profile.Unit * temper)
	if whole > 16 {
		return 0
	}
	return eighths[cost%(profile.Unit*temper)] >> whole
}
