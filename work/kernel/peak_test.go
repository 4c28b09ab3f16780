package kernel

import "testing"

func TestFmaPeak(t *testing.T) {
	for _, name := range Names() {
		dev, err := Open(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		flop := FmaPeak(dev, 1000)
		if portable := name == portable.name; (flop == 0) != portable || flop%1000 != 0 || FmaPeak(dev, 0) != 0 {
			t.Errorf("%s: 1000 rounds are %d operations", name, flop)
		}
	}
}
