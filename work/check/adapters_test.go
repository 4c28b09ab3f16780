package check_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/unit"
)

// TestAdaptersForm: in a run that trains adapters, the gradient of the whole model is no result,
// and neither are the parameters of the whole model as a state.
func TestAdaptersForm(t *testing.T) {
	c := newCrew(t, device(t, ""))
	for _, name := range []string{"plain", "adapters"} {
		cfg := config()
		variants[name](&cfg)
		c.train(numbers(), cfg)
	}
	for _, k := range []unit.Kind{unit.Gradient, unit.Combine} {
		var all []done
		for _, d := range c.all {
			if d.unit.Kind == k {
				all = append(all, d)
			}
		}
		theirs, ours := all[0], all[len(all)-1] // the first is of the whole model
		for i, out := range theirs.result.Outputs {
			lie := ours.result
			lie.Outputs = slices.Clone(lie.Outputs)
			lie.Outputs[i] = out
			var wrong *check.Error
			err := ours.expect.Check(t.Context(), lie, check.Held{Blocks: c.store})
			if !errors.As(err, &wrong) || wrong.Output != i || wrong.Reason != check.Size && wrong.Reason != check.Form {
				t.Errorf("%s: output %d of a whole model: %v", k, i, err)
			}
		}
	}
}
