package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// Coin is the amount that is one ALIA. An amount of money is a whole number of
// 1e-8 ALIA wherever no text says otherwise.
const Coin = 100_000_000

// decimals is how many digits an amount has after the point, in ALIA.
const decimals = 8

// FormatAmount writes an amount as people read it, in ALIA: 150000000 as "1.5".
func FormatAmount(amount uint64) string {
	s := fmt.Sprintf("%d.%0*d", amount/Coin, decimals, amount%Coin)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// ParseAmount reads an amount in ALIA, with at most 8 digits after the point.
func ParseAmount(s string) (uint64, error) {
	whole, fraction, dotted := strings.Cut(s, ".")
	bad := fmt.Errorf("amount %q: want ALIA with at most %d digits after the point, such as 2.5", s, decimals)
	if len(fraction) > decimals || dotted && fraction == "" {
		return 0, bad
	}
	w, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || w > 1<<63/Coin {
		return 0, bad
	}
	f, err := strconv.ParseUint(fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err != nil {
		return 0, bad
	}
	return w*Coin + f, nil
}
