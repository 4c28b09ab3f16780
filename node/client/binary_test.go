package client_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBinary: a program that only buys translations has no kernel in assembly, no worker, no
// GPU and no validator in it. Its packages name the kernels, because package node has the
// miner too; the linker leaves out what nobody calls. The model's code stays: it runs on a
// device that computes nothing, which is how everybody finds the most that a unit costs.
func TestBinary(t *testing.T) {
	program := filepath.Join(t.TempDir(), "translate")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/translate").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(symbols, []byte("alia/node/client.(*Job).Settle")) {
		t.Fatal("the program has no symbols of the client")
	}
	forbidden := []string{
		"alia/ledger/chain.", "alia/cuda", "alia/node/alia", "alia/work.(*Worker)",
		"cometbft/node.", "cometbft/consensus.", "cometbft/mempool.", "cometbft/state.", "gorgonia.org/",
	}
	sources, err := filepath.Glob("../../work/kernel/*.s")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no assembly: %v", err)
	}
	text := regexp.MustCompile(`(?m)^TEXT ·([A-Za-z0-9_]+)\(`)
	for _, path := range sources {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range text.FindAllSubmatch(data, -1) {
			if name := string(name[1]); !strings.HasPrefix(name, "cpuid") && !strings.HasPrefix(name, "xgetbv") {
				forbidden = append(forbidden, "alia/work/kernel."+name+"\n", "alia/work/kernel."+name+".abi0\n")
			}
		}
	}
	for _, name := range forbidden {
		if at := bytes.Index(symbols, []byte(name)); at >= 0 {
			line, _, _ := bytes.Cut(symbols[bytes.LastIndexByte(symbols[:at], '\n')+1:], []byte("\n"))
			t.Errorf("the program has %s", line)
		}
	}
}
