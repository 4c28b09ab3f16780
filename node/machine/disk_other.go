//go:build !linux && !darwin

package machine

import "errors"

func FreeDisk(string) (uint64, error) {
	return 0, errors.New("this system does not say how much disk is free")
}
