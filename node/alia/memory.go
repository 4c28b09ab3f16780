package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/nmt"
)

// trainingMemory is about how many bytes a process needs that computes
// gradients of batches of so many tokens on either side, in sentences of so
// many on average, and the fold.
//
// It counts binary32 numbers, for each token: the logits; for each layer what
// its gradient reads again (around an attention two norms, queries, keys,
// values, the mix, and what two residuals add; the inner layer; attention's
// weights, one for each head and token of the sentence), of the decoder with
// its second attention; and some rows under way. To these come the parameters,
// and as many again for gradients, both moments, and what a fold and its log
// hold. The collector lets the heap grow to twice what lives, and the program
// with a corpus takes some as well. The most that runs on Multi30k took was 78
// to 84 per cent of this: preset tiny with batches of 1,024 and of 8,192 tokens
// 427 and 1,493 MiB, preset small with batches of 4,096 tokens 1,565 MiB.
func trainingMemory(c nmt.Config, tokens, sentence int) uint64 {
	attention := c.Heads * sentence
	encoder := 10*c.Dim + c.FFN + attention
	decoder := 17*c.Dim + c.FFN + 2*attention
	token := c.Vocab + c.Encoder*encoder + c.Decoder*decoder + 4*(c.Dim+c.FFN)
	const sets, program = 12, 128 << 20
	return 2*4*(uint64(tokens)*uint64(token)+sets*uint64(parameters(c))) + program
}

// parameters is the number of a model's parameters.
func parameters(c nmt.Config) int {
	sum := 0
	for _, s := range c.Shapes() {
		n := 1
		for _, d := range s.Dims {
			n *= d
		}
		sum += n
	}
	return sum
}

// errMemoryUnknown says that this system does not tell how much memory it has.
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

// meminfo reads what the kernel says is available, in bytes.
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

// mib writes an amount of memory.
func mib(n uint64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }
