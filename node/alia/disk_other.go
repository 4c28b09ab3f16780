//go:build !linux && !darwin

package main

import "errors"

func freeDisk(string) (uint64, error) {
	return 0, errors.New("this system does not say how much disk is free")
}
