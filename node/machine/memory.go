// Package machine measures the resources of this machine and their use by this process:
// memory, disk, processor time, and whether a time service keeps the clock.
package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errMemoryUnknown says that this system does not report its memory.
var errMemoryUnknown = errors.New("this system does not say how much memory is free")

// linuxMemory is the bytes that a process can still take: what the kernel says
// is available, or less where a control group bounds the process. root is "/".
func linuxMemory(root string) (uint64, error) {
	free, err := meminfo(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, err
	}
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return free, nil // a kernel without control groups
	}
	for line := range strings.Lines(string(groups)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		mount, most, used := "sys/fs/cgroup", "memory.max", "memory.current"
		if id != "0" { // version 1, of which one hierarchy is memory's
			if controllers != "memory" {
				continue
			}
			mount, most, used = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
		}
		// A group is bound by those above it, too. In a container the path may
		// be the host's, and the group's own files are at the mount.
		for ; ; path = filepath.Dir(path) {
			if left, ok := groupLeft(filepath.Join(root, mount, path), most, used); ok {
				free = min(free, left)
			}
			if path == "/" || path == "." || path == "" {
				break
			}
		}
	}
	return free, nil
}

// meminfo reads the kernel's figure of available memory, in bytes.
func meminfo(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errMemoryUnknown, err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 54)
			if err != nil {
				return 0, fmt.Errorf("%s: MemAvailable: %w", path, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("%w: no MemAvailable in %s", errMemoryUnknown, path)
}

// groupLeft is the bytes below a control group's bound, if it has one. Pages
// of files that the group has read count as used, but the kernel takes them
// back first.
func groupLeft(dir, most, used string) (uint64, bool) {
	bound, err := readNumber(filepath.Join(dir, most))
	if err != nil {
		return 0, false // no such file, or "max"
	}
	taken, err := readNumber(filepath.Join(dir, used))
	if err != nil {
		return 0, false
	}
	if stat, err := os.ReadFile(filepath.Join(dir, "memory.stat")); err == nil {
		for line := range strings.Lines(string(stat)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if n, err := strconv.ParseUint(value, 10, 63); err == nil && (name == "inactive_file" || name == "active_file") {
				taken -= min(taken, n)
			}
		}
	}
	return bound - min(bound, taken), true
}

func readNumber(path string) (uint64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
}

// MiB writes a number of bytes, rounded up.
func MiB(n uint64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }
