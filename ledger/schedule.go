package ledger

import "math/bits"

// micro is the fixed point of the schedule's rates: millionths of a unit.
// Whole units would be too coarse for steps of a 512th.
const micro = 1_000_000

// keepSchedules is how many past schedules the state holds: a day of
// one-second blocks.
const keepSchedules = 86_400

// price returns what a cost in MFLOP earns at a rate in millionths of a unit
// per GFLOP, in units, rounded down.
func price(cost, rate uint64) uint64 { return mulDiv(cost, rate, 1000*micro) }

// next returns the schedule of the next height (LEDGER.md, section 6), given
// what was minted at this one. The rates move towards the budget:
//
//	rate' = rate * (1 + clamp((budget-minted)/budget, -1, 1) / step)
//
// and stay within a hundredth and four times the genesis rates.
func (s Schedule) next(p Params, minted uint64) Schedule {
	s.Training = steer(s.Training, p.Training*micro, s.Budget, minted, p.Step)
	s.Translation = steer(s.Translation, p.Translation*micro, s.Budget, minted, p.Step)
	s.Height++
	return s
}

func steer(rate, genesis, budget, minted, step uint64) uint64 {
	if minted <= budget {
		rate += mulDiv(rate, budget-minted, budget) / step
	} else {
		rate -= mulDiv(rate, min(minted-budget, budget), budget) / step
	}
	return max(genesis/100, min(rate, 4*genesis))
}

// mulDiv returns a*b/c rounded down, or the greatest uint64 where that
// overflows. c is not zero.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}
