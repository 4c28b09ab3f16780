package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alia": main})
}

// TestScript runs the scenarios in testdata/script: commands, and what they
// must print.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			marian, err := filepath.Abs("../../work/format/testdata/marian")
			if err != nil {
				return err
			}
			e.Setenv("MARIAN", marian)
			e.Defer(func() { stopNodes(t, e.WorkDir) })
			return writeCorpus(filepath.Join(e.WorkDir, "corpus"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": checkStatus, "same": checkSame, "flip": flipBit, "damage": damageStore, "keep": keepField,
			"gone": checkGone, "await": awaitFile, "sigkill": killMember, "occupy": occupyPort, "free": freePort,
			"cut": cutFile, "timeless": checkTimeless, "await-lines": awaitLines, "await-output": awaitOutput,
			"write": writeBytes, "lines": countLines, "found": foundNetwork,
		},
	})
}

// stopNodes ends what a scenario has started in the background and not stopped, as a
// scenario that fails does.
func stopNodes(t *testing.T, work string) {
	sockets, err := filepath.Glob(filepath.Join(work, "*", "node.sock"))
	if err != nil {
		t.Error(err)
	}
	for _, s := range sockets {
		if out, err := exec.Command("alia", "node", "stop", "--home", filepath.Dir(s)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", s, err, out)
		}
	}
}

// checkStatus runs a command that must end with an exit status: status 2 alia ...
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := err.(interface{ ExitCode() int }); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// keepField writes a string field of the last command's JSON to a variable:
// keep VARIABLE FIELD.
func keepField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep VARIABLE FIELD")
	}
	_, rest, ok := strings.Cut(ts.ReadFile("stdout"), `"`+args[1]+`":"`)
	value, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		ts.Fatalf("no field %s", args[1])
	}
	ts.Setenv(args[0], value)
}

// checkSame compares two variables: same A B.
func checkSame(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same A B")
	}
	if x, y := ts.Getenv(args[0]), ts.Getenv(args[1]); (x == y) == neg || x == "" {
		ts.Fatalf("%s is %q, %s is %q", args[0], x, args[1], y)
	}
}

// flipBit changes one bit in the middle of a file: flip FILE.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	flip(ts, ts.MkAbs(args[0]))
}

func flip(ts *testscript.TestScript, path string) {
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o644))
}

// damageStore flips a bit in the largest block of a store, which is of the
// state that a run ended in: damage DIR.
func damageStore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage DIR")
	}
	blocks, err := filepath.Glob(ts.MkAbs(args[0]) + "/*/*")
	ts.Check(err)
	var largest string
	var most int64
	for _, path := range blocks {
		info, err := os.Stat(path)
		ts.Check(err)
		if info.Size() > most {
			largest, most = path, info.Size()
		}
	}
	flip(ts, largest)
}

// checkGone checks that no process is left that was given a path below the
// scenario's directory: gone.
func checkGone(ts *testscript.TestScript, neg bool, args []string) {
	if left := processes(ts.Getenv("WORK")); len(left) > 0 {
		ts.Fatalf("left behind: %v", left)
	}
}

// patience is how long a scenario waits for what must come: longer than any machine takes.
const patience = 5 * time.Minute

// awaitFile waits until a file is there: await FILE.
func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s does not appear", args[0])
}

// awaitLines waits until a file that a pattern finds has so many lines:
// await-lines N PATTERN.
func awaitLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await-lines N PATTERN")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		paths, err := filepath.Glob(ts.MkAbs(args[1]))
		ts.Check(err)
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil && bytes.Count(data, []byte("\n")) >= want {
				return
			}
		}
	}
	ts.Fatalf("no %s has %d lines", args[1], want)
}

// awaitOutput runs a command until its standard output matches a pattern:
// await-output PATTERN COMMAND...
func awaitOutput(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await-output PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%s does not print %q", strings.Join(args[1:], " "), args[0])
}

// cutFile takes the last bytes off a file, as a crash may: cut FILE.
func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-9))
}

// writeBytes writes a file of any bytes: write FILE N STRING..., each string
// N times, with the escapes of Go.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args)%2 == 0 {
		ts.Fatalf("usage: write FILE N STRING...")
	}
	var data strings.Builder
	for i := 1; i < len(args); i += 2 {
		n, err := strconv.Atoi(args[i])
		ts.Check(err)
		s, err := strconv.Unquote(`"` + args[i+1] + `"`)
		ts.Check(err)
		data.WriteString(strings.Repeat(s, n))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(data.String()), 0o644))
}

// countLines checks how many lines a file has: lines N FILE.
func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	if got := strings.Count(ts.ReadFile(args[1]), "\n"); fmt.Sprint(got) != args[0] {
		ts.Fatalf("%s has %d lines, want %s", args[1], got, args[0])
	}
}

// times is what two runs differ in.
var times = regexp.MustCompile(`"(seconds|time)":[0-9.e-]+,?`)

// checkTimeless compares two files but for times in JSON: timeless A B.
func checkTimeless(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: timeless A B")
	}
	a, b := times.ReplaceAllString(ts.ReadFile(args[0]), ""), times.ReplaceAllString(ts.ReadFile(args[1]), "")
	if a != b {
		ts.Fatalf("%s\ndiffers from\n%s", a, b)
	}
}

// killMember kills, as soon as it runs, the one process that has a path on its
// command line: sigkill PATH.
func killMember(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sigkill PATH")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for pid := range processes(ts.MkAbs(args[0])) {
			p, err := os.FindProcess(pid)
			ts.Check(err)
			ts.Check(p.Kill())
			return
		}
	}
	ts.Fatalf("no process has %s", args[0])
}

// occupyPort listens at a port of loopback until the scenario ends, and writes
// its number to a variable: occupy VARIABLE.
func occupyPort(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: occupy VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// freePort writes the number of a port of loopback that nobody listens at to a
// variable: free VARIABLE.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: free VARIABLE")
	}
	ts.Setenv(args[0], port(ts))
}

// processes is the command lines, by process number, that have part in an
// argument of theirs. It is empty where there is no /proc.
func processes(part string) map[int]string {
	found := map[int]string{}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	for _, path := range lines {
		data, err := os.ReadFile(path)
		pid, nerr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || nerr != nil || pid == os.Getpid() { // gone meanwhile
			continue
		}
		if args := strings.Split(string(data), "\x00"); slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, part) }) {
			found[pid] = strings.Join(args, " ")
		}
	}
	return found
}

// TestLetter holds the built-in letter to the example.
func TestLetter(t *testing.T) {
	want, err := os.ReadFile("../../examples/travel/letter.en.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(letter, want) {
		t.Error("letter.en.txt differs from examples/travel/letter.en.txt: copy it again")
	}
}

// writeCorpus makes a corpus of English and German numbers, small enough to
// train on in a moment.
func writeCorpus(dir string) error {
	en := strings.Fields("one two three four five six seven eight nine")
	de := strings.Fields("eins zwei drei vier fünf sechs sieben acht neun")
	files := map[string]*bytes.Buffer{}
	write := func(name, s string) {
		if files[name] == nil {
			files[name] = &bytes.Buffer{}
		}
		fmt.Fprintln(files[name], s)
	}
	for i := range 729 {
		x, y, z := i%9, i/9%9, i/81
		split := "train"
		switch i % 37 {
		case 0:
			split = "val"
		case 1:
			split = "test"
		}
		write(split+".en", strings.Join([]string{en[x], en[y], en[z]}, " "))
		write(split+".de", strings.Join([]string{de[x], de[y], de[z]}, " "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
