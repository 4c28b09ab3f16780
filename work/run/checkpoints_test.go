package run

import (
	"math/rand/v2"
	"testing"
)

// TestCheckpointsCover: at any moment the rounds of the last AuditTime can be computed
// again from a checkpoint, or from the beginning of a young run. The oldest checkpoint
// is not much older than it has to be.
func TestCheckpointsCover(t *testing.T) {
	const every = 5
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		pace := 1 + r.Int64N(AuditTime) // most milliseconds of a round
		var history []Round
		var kept checkpoints
		now := r.Int64N(1 << 40)
		var longest int64 // between checkpoints
		for n, last := uint32(0), now; n < 300; n++ {
			now += r.Int64N(pace)
			log := Round{Number: n}
			log.Combine.Started, log.Combine.Took = uint64(now-7), 7
			history = append(history, log)
			kept = kept.after(log, every, false)
			if (n+1)%every == 0 {
				longest, last = max(longest, now-last), now
			}
			if n+1 < every {
				continue
			}
			if len(kept) == 0 || len(kept) > 2 {
				t.Fatalf("seed %d, round %d: %d checkpoints stay", seed, n, len(kept))
			}
			age := now - int64(kept[0].ended)
			if age < AuditTime && kept[0].round != every-1 {
				t.Fatalf("seed %d, round %d: the oldest checkpoint is %d ms old, an audit may ask for %d", seed, n, age, AuditTime)
			}
			if age > 2*(AuditTime+longest) {
				t.Fatalf("seed %d, round %d: an audit begins %d ms ago", seed, n, age)
			}
		}
		if got := checkpointsOf(history, every, true); len(got) != len(history)/every || !got.has(history[every-1]) || got.has(history[every]) {
			t.Errorf("seed %d: of %d rounds all %d checkpoints are asked for, %d stay", seed, len(history), len(history)/every, len(got))
		}
	}
}
