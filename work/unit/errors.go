package unit

import "fmt"

// InputError says which input of a unit a worker could not use. Whoever gave that
// input is asked again.
type InputError struct {
	Input int
	Err   error
}

func (e *InputError) Error() string { return fmt.Sprintf("input %d: %v", e.Input, e.Err) }

// Unwrap gives the detail.
func (e *InputError) Unwrap() error { return e.Err }

// OutputError says whose result the work cannot go on with: a later unit failed on
// an output of it, or the result has a defect. The unit is done again, by someone
// else.
type OutputError struct {
	Unit   Unit
	Output int // which of its outputs; -1 for the result itself
	// Proven is set where no honest result is like that. Else the result may be
	// right: its blocks are gone, or its numbers are the largest of those that
	// overflowed together.
	Proven bool
	Err    error
}

func (e *OutputError) Error() string {
	where := "result"
	if e.Output >= 0 {
		where = fmt.Sprintf("output %d", e.Output)
	}
	return fmt.Sprintf("%s of %s unit %d of round %d, %s: %v", where, e.Unit.Kind, e.Unit.Index, e.Unit.Round, e.Unit.ID(), e.Err)
}

// Unwrap gives the detail.
func (e *OutputError) Unwrap() error { return e.Err }
