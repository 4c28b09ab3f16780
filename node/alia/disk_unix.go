//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// freeDisk is the bytes that this user can still write where path is or would
// be made.
func freeDisk(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(existing(path), &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
