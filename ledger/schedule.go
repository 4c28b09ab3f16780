package ledger

import "math/bits"

// micro is the fixed point of the schedule's rates, which are in millionths of
// 1e-8 ALIA per GFLOP. Whole amounts would be too coarse for steps of a 512th.
const micro = 1_000_000

// keepSchedules is the number of past schedules in the state: those of a day,
// where a height takes a second.
const keepSchedules = 86_400

// price returns the amount that a cost in MFLOP earns at a rate in millionths of
// an amount per GFLOP, rounded down.
func price(cost, rate uint64) uint64 { return mulDiv(cost, rate, 1000*micro) }

// next returns the schedule of the next height (LEDGER.md, section 6), given the
// amount minted and the gas used at this height. The rates rise when less than the budget was minted, and fall when
// more was:
//
//	rate' = rate * (1 + clamp((budget-minted)/budget, -1, 1) / step)
//
// They stay between a hundredth of the genesis rates and four times these.
func (s Schedule) next(p Params, minted, gas uint64) Schedule {
	s.Gas = nextGas(s.Gas, p.Gas, gas)
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

// mulDiv returns a*b/c rounded down, or the greatest uint64 when the quotient
// overflows. c must not be zero.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}
