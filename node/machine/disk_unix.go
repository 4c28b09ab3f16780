//go:build linux || darwin

package machine

import "golang.org/x/sys/unix"

// FreeDisk is the bytes that this user can still write where path is or would
// be made.
func FreeDisk(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(existing(path), &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
