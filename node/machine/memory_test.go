package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestLinuxMemory reads what kernels say, of both versions of control groups.
func TestLinuxMemory(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"no groups": {map[string]string{}, 4 * gib},
		"unbound":   {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "7\n"}, 4 * gib},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.current": "536870912\n",
			"sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 268435456\n",
		}, gib * 3 / 4},
		"version 1 in a container": {map[string]string{
			"proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/x\n0::/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "1073741824\n",
		}, gib},
		"full": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n", "sys/fs/cgroup/memory.current": "200\n"}, 0},
	} {
		root := t.TempDir()
		c.files["proc/meminfo"] = "MemTotal:       8388608 kB\nMemAvailable:    4194304 kB\n"
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := linuxMemory(root); err != nil || got != c.want {
			t.Errorf("%s: %d bytes, %v, want %d", name, got, err, c.want)
		}
	}
	if _, err := linuxMemory(t.TempDir()); err == nil || !strings.Contains(err.Error(), "does not say") {
		t.Errorf("nothing to read: %v", err)
	}
}

// TestTells: what the system tells is of a plausible size, and grows with use.
func TestTells(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems tell less")
	}
	if free, err := FreeMemory(); err != nil || free < 1<<20 {
		t.Errorf("free memory: %d bytes, %v", free, err)
	}
	if free, err := FreeDisk(filepath.Join(t.TempDir(), "not", "there")); err != nil || free == 0 {
		t.Errorf("free disk: %d bytes, %v", free, err)
	}
	if err := Writable(filepath.Join(t.TempDir(), "not", "there")); err != nil {
		t.Errorf("a new directory cannot be made: %v", err)
	}
	if err := Writable("/proc"); err == nil {
		t.Error("files can be made in /proc")
	}
	cpu, thread := CPUSeconds(), ThreadTime()
	sum := 0
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		sum++
	}
	if CPUSeconds() <= cpu || sum == 0 {
		t.Errorf("no processor time has passed since %v s", cpu)
	}
	if thread == 0 || PeakMemory() < 1<<20 {
		t.Errorf("thread time %v, peak memory %d bytes", thread, PeakMemory())
	}
	if MiB(1) != "1 MiB" || MiB(1<<20) != "1 MiB" || MiB(1<<20+1) != "2 MiB" {
		t.Error("bytes are not rounded up to MiB")
	}
}
