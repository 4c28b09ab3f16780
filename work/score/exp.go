package score

// ln is the natural logarithm of x > 0, with an error of a few units in the last place. It writes
// x as m*2^k with m in [1,2), and sums the series of ln m = 2*artanh((m-1)/(m+1)).
func ln(x float64) float64 {
	const ln2 = 0.693147180559945309417232121458
	k := 0.0
	for ; x >= 2; x /= 2 {
		k++
	}
	for ; x < 1; x *= 2 {
		k--
	}
	// artanh t = t + t^3/3 + t^5/5 + ..., by Horner's scheme in t^2.
	t := (x - 1) / (x + 1)
	q, sum := float64(t*t), 0.0
	for n := 41.0; n >= 1; n -= 2 {
		sum = 1/n + float64(q*sum)
	}
	return float64(k*ln2) + float64(2*float64(t*sum))
}

// exp is e^x, by the series for x/1024, squared ten times. It returns 0 for x below -700, and
// e^700 for x above 700, so that nothing overflows.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	x = min(x, 700) / 1024
	y := 1.0
	for n := 14.0; n >= 1; n-- {
		y = 1 + float64(y*(x/n))
	}
	for range 10 {
		y = float64(y * y)
	}
	return y
}
