package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/work/kernel"
)

// app is what all commands share: the flags every command has, and where to
// write.
type app struct {
	started        time.Time
	args           []string                    // without the program's name
	env            func(string) (string, bool) // looks a variable up
	dir            string                      // that typed paths are relative to; empty: this process's own
	stdin          io.Reader
	stdout, stderr io.Writer
	host           *host           // this process, as one that may serve the home
	guest          bool            // the command is of another process, and this process serves its home
	devices        []kernel.Device // accelerators that the command has opened
	began          bool            // a command's own code runs: errors are no longer of usage
	command        string          // its words without flags, such as "alia node start"

	home              home.Dir
	network, logLevel string
	passwordFile      string   // see [app.password]
	console           *console // nil until somebody is asked at the terminal
	json, events      bool
	typed             map[string]bool // flags given on the command line
	log               *slog.Logger

	mu sync.Mutex // held while a line is written to stdout
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "alia",
		Short: "Train translation models together, and translate with them",
		Long: `Train translation models together, and translate with them. Miners compute
units of work that anyone can recompute to the same bits, and are paid for
them.

A value for a flag may also come from the environment (ALIA_THREADS=2 stands
for --threads 2) or from config.toml in the home (threads = 2). The command
line counts first, then the environment, then the file.

Results go to standard output, with --json as one JSON object. Messages go to
standard error. Amounts are in ALIA in texts and flags, and in 1e-8 ALIA in
JSON. The exit status is 0 when the command is done, 1 when it failed, 2 for
wrong usage, and 130 when it was interrupted before it was done.`,
		Example: `  alia swarm                                     try a whole network
  alia init --network FILE && alia miner run     earn
  alia translate --local --to de letter.txt       translate on this machine`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.settings(cmd); err != nil {
				return err
			}
			a.began, a.command = true, cmd.CommandPath()
			return nil
		},
	}
	f := root.PersistentFlags()
	a.home, _ = home.Default() // settings refuses none
	f.StringVar((*string)(&a.home), "home", string(a.home), "`DIR` of keys, blocks and models")
	if user, err := os.UserHomeDir(); err == nil {
		if below, ok := strings.CutPrefix(string(a.home), user+string(filepath.Separator)); ok {
			f.Lookup("home").DefValue = filepath.Join("~", below)
		}
	}
	f.StringVar(&a.network, "network", "", "network `FILE` (default: network.json in the home)")
	f.StringVar(&a.passwordFile, "password-file", "", "`FILE` whose first line is the password of a sealed wallet; - is standard input (default: the systemd credential alia-password, or the terminal)")
	f.StringVar(&a.logLevel, "log-level", "warn", "least `LEVEL` of log lines: debug, info, warn or error")
	f.BoolVar(&a.json, "json", false, "print the result as one JSON object")
	complete(root, "log-level", []string{"debug", "info", "warn", "error"})
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("alia {{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages ", fmt.Sprintf("FlagUsagesWrapped %d ", helpWidth)))
	root.DisableAutoGenTag = true // a manual page is the same on every day
	group(root,
		newSwarm(a), newInit(a), newMiner(a), newTrain(a), newTranslate(a), newServe(a), newNode(a), newLedger(a),
		newWallet(a), newEscrow(a), newVerify(a), newModel(a), newDocument(a), newCorpus(a), newMemory(a), newCorrections(a), newRunCommand(a), newGC(a), newBench(a), newDoctor(a), newVersion(a), newMan(a),
	)
	strictHelp(root)
	return root
}

// helpWidth is the columns that --help takes at most.
const helpWidth = 80

// eventsFlag adds the flag by which a supervisor follows a command.
func (a *app) eventsFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.events, "events", false, "print events as JSON lines, the result last")
	if err := cmd.Flags().MarkHidden("events"); err != nil {
		panic(err) // the flag was added the line before
	}
}

// complete has a shell complete the value of a flag from words.
func complete(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added before
	}
}

// event prints a notice for the supervisor.
func (a *app) event(n node.Notice) {
	if !a.events {
		return
	}
	data, err := node.EncodeNotice(n)
	if err != nil {
		a.log.Error("notice not written", "err", err)
		return
	}
	a.line(data)
}

// line prints a line. The process ends in an error if a line is lost, see [output].
func (a *app) line(data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stdout.Write(append(data, '\n'))
}

// ready prints, with --json, that a process that runs until it is interrupted
// does its work.
func (a *app) ready(r report.Serving) error {
	if !a.json || a.events {
		return nil
	}
	return a.result(r, nil)
}

// result prints what a command found: v as one JSON object with --json or
// --events, text otherwise.
func (a *app) result(v any, text func(w io.Writer)) error {
	if !a.json && !a.events {
		text(a.stdout)
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if a.events { // v is an object, not empty
		data = append([]byte(`{"event":"result",`), data[1:]...)
	}
	a.line(data)
	return nil
}
