//go:build !linux

package machine

import (
	"errors"
	"time"
)

var programStart = time.Now()

// ThreadTime is the time of day: this system does not say, or we do not ask,
// what processor time a thread has taken.
func ThreadTime() time.Duration { return time.Since(programStart) }

func ClockSynchronised() (bool, error) {
	return false, errors.New("this system does not say whether its clock is kept")
}
