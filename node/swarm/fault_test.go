package swarm

import (
	"strings"
	"testing"
	"time"
)

func TestParseFaults(t *testing.T) {
	const script = `
# a comment; kill nobody
round 10: kill miner-2; round 20: start miner-4
  round 15 : kill  coordinator ;
1m30s: kill ledger-3; 100s: start ledger`
	faults, err := ParseFaults(script)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.String())
	}
	want := "round 10: kill miner-2|round 20: start miner-4|round 15: kill coordinator|1m30s: kill ledger-3|1m40s: start ledger"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestParseFaultsNamesTheStep(t *testing.T) {
	for script, want := range map[string]string{
		"round 1: kill miner-1; nonsense":        `step 2, "nonsense"`,
		"round 0: kill miner-1":                  "want a number from 1",
		"round -3: kill miner-1":                 "want a number from 1",
		"-5s: kill ledger":                       "time",
		"soon: kill ledger":                      "time",
		"round 1 2: kill ledger":                 "is no time",
		"5s: stop ledger":                        "is no action",
		"5s: kill":                               "is no action",
		"5s: kill miner-0":                       "is no process",
		"5s: kill miner-01":                      "is no process",
		"5s: kill miner-65":                      "is no process",
		"5s: kill customer":                      "is no process",
		"5s: kill ledger-1":                      "is no process",
		"5s: kill ledger-02":                     "is no process",
		strings.Repeat("1s: kill ledger;", 1001): "more than 1000 steps",
	} {
		if _, err := ParseFaults(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want one with %q", script, err, want)
		}
	}
}

// TestCheckFaults: a step that kills a process which never runs is refused.
func TestCheckFaults(t *testing.T) {
	for script, want := range map[string]string{
		"round 10: kill miner-3":                            "",
		"round 10: kill miner-4":                            "no step starts miner-4",
		"round 10: start miner-4":                           "",
		"round 10: start miner-4; round 20: kill miner-4":   "",
		"round 10: kill ledger; round 10: kill coordinator": "",
		"5s: kill ledger-4":                                 "",
		"5s: kill ledger-5":                                 "the swarm has 4 validators, and the last is ledger-4",
		"5s: start ledger-5":                                "the swarm has 4 validators, and the last is ledger-4",
	} {
		faults, err := ParseFaults(script)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckFaults(faults, 4, 3)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q with 3 miners and 4 validators: %v, want %q", script, err, want)
		}
	}
}

// TestLate: the steps of rounds that never come are removed.
func TestLate(t *testing.T) {
	faults, err := ParseFaults("round 8: kill miner-1; round 9: kill miner-2; 30s: kill ledger")
	if err != nil {
		t.Fatal(err)
	}
	s := script{faults}
	if never := s.late(8); len(never) != 1 || never[0].Round != 9 || len(s.faults) != 2 {
		t.Errorf("late %v, left %v", never, s.faults)
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("round 10: kill miner-2; 30s: start ledger")
	f.Add("# no\n1h2m3.5s: kill coordinator\n;;")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			return
		}
		for _, want := range faults {
			again, err := ParseFaults(want.String())
			if err != nil || len(again) != 1 || again[0] != want {
				t.Errorf("%q is read back as %v, %v", want, again, err)
			}
		}
	})
}

func TestDue(t *testing.T) {
	faults, err := ParseFaults("round 10: kill coordinator; round 11: start coordinator; 5s: kill ledger; round 12: kill miner-1")
	if err != nil {
		t.Fatal(err)
	}
	s := script{faults}
	steps := []struct {
		round   int
		elapsed time.Duration
		down    bool
		want    string
	}{
		{9, time.Second, false, ""},
		{10, time.Second, false, "round 10: kill coordinator"},
		{10, time.Second, false, ""},
		{10, 6 * time.Second, true, "round 11: start coordinator|5s: kill ledger"},
		{10, 6 * time.Second, true, ""},
		{13, 6 * time.Second, false, "round 12: kill miner-1"},
	}
	for i, step := range steps {
		var got []string
		for _, f := range s.due(step.round, step.elapsed, step.down) {
			got = append(got, f.String())
		}
		if strings.Join(got, "|") != step.want {
			t.Errorf("step %d: due %q, want %q", i, got, step.want)
		}
	}
}
