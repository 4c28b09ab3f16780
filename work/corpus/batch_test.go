package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBatches checks that every pair that fits is in one batch, that no batch
// passes the budget, and that none had room for the first pair of the next.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.IntRange(1, 60).Draw(t, "budget")
		length := rapid.Custom(func(t *rapid.T) Length {
			return Length{rapid.IntRange(1, 70).Draw(t, "source"), rapid.IntRange(1, 70).Draw(t, "target")}
		})
		lengths := rapid.SliceOfN(length, 0, 100).Draw(t, "lengths")
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 20).Draw(t, "epoch")

		var all []int
		batches := Batches(lengths, budget, seed, epoch)
		var sum Length
		for _, b := range batches {
			sum.Source += lengths[b[0]].Source
			sum.Target += lengths[b[0]].Target
			if len(all) > 0 && sum.within(budget) {
				t.Fatalf("the batch before %v had room for its first pair", b)
			}
			sum = Length{}
			for _, i := range b {
				sum.Source += lengths[i].Source
				sum.Target += lengths[i].Target
			}
			if !sum.within(budget) {
				t.Fatalf("batch %v has %v tokens, the budget is %d", b, sum, budget)
			}
			all = append(all, b...)
		}
		slices.Sort(all)
		if len(slices.Compact(slices.Clone(all))) != len(all) || len(all)+TooLong(lengths, budget) != len(lengths) {
			t.Fatalf("%d of %d pairs in batches, %d too long", len(all), len(lengths), TooLong(lengths, budget))
		}
		if !slices.EqualFunc(batches, Batches(lengths, budget, seed, epoch), slices.Equal[[]int]) {
			t.Fatal("the batches of the same epoch differ")
		}
	})
}

// TestBatchesGolden pins the batches of a small epoch: they are consensus.
func TestBatchesGolden(t *testing.T) {
	var lengths []Length
	for i := range 1000 {
		lengths = append(lengths, Length{3 + i*7%23, 2 + i*5%19})
	}
	h := sha256.New()
	for epoch := range 3 {
		fmt.Fprintln(h, Batches(lengths, 100, 7, epoch))
	}
	if got, want := hex.EncodeToString(h.Sum(nil)), "5af2f400b7e61af9ffedd3066a9930b81b682969a7c8e6eace95e048cc12c4b8"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// TestStream compares with the published first outputs of SplitMix64 for the
// seed 1234567, which is the state a stream starts from.
func TestStream(t *testing.T) {
	want := []uint64{
		6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
	}
	for n, w := range want {
		if got := mix(1234567 + uint64(n+1)*gamma); got != w {
			t.Errorf("output %d is %d, want %d", n, got, w)
		}
	}
	s := &stream{key: 1}
	var counts [6]int
	for range 60000 {
		counts[s.below(6)]++
	}
	for i, n := range counts {
		if n < 9600 || n > 10400 {
			t.Errorf("%d came %d times of 60000", i, n)
		}
	}
}
