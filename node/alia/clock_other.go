//go:build !linux

package main

import (
	"errors"
	"time"
)

var programStart = time.Now()

// threadTime is the time of day: this system does not say, or we do not ask,
// what processor time a thread has taken.
func threadTime() time.Duration { return time.Since(programStart) }

func clockSynchronised() (bool, error) {
	return false, errors.New("this system does not say whether its clock is kept")
}
