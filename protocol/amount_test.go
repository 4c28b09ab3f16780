package protocol_test

import (
	"testing"

	"github.com/alia-network/alia/protocol"
)

func TestFormatAmount(t *testing.T) {
	for amount, want := range map[uint64]string{
		0: "0", 1: "0.00000001", protocol.Coin: "1", 150_000_000: "1.5", 12_345_678_901: "123.45678901",
	} {
		got := protocol.FormatAmount(amount)
		if got != want {
			t.Errorf("FormatAmount(%d) = %q, want %q", amount, got, want)
		}
		if again, err := protocol.ParseAmount(got); err != nil || again != amount {
			t.Errorf("ParseAmount(%q) = %d, %v, want %d", got, again, err, amount)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for s, want := range map[string]uint64{"0": 0, "1": 100_000_000, "2.5": 250_000_000, "0.00000001": 1, "12.00000000": 1_200_000_000} {
		if got, err := protocol.ParseAmount(s); err != nil || got != want {
			t.Errorf("ParseAmount(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "1.", "-1", "1.123456789", "1e3", "0x1", "1,5", "99999999999999999999", "1.-5", "1.+5", "+1", ".5"} {
		if got, err := protocol.ParseAmount(s); err == nil {
			t.Errorf("ParseAmount(%q) = %d, want an error", s, got)
		}
	}
}
