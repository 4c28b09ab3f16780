package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/swarm"
	"github.com/alia-network/alia/protocol/block"
)

// letter is the document the customer has translated when none is given: a
// copy of the one in examples/travel, and a test compares the two.
//
//go:embed letter.en.txt
var letter []byte

// swarmFlags is the flags of alia swarm besides those of its run.
type swarmFlags struct {
	once                        bool
	validators, miners          int
	devices, kernels            []string
	faults, faultFile, document string
	page                        string       // HOST:PORT of the page
	lock                        *block.Store // of the swarm's home, see config
}

func newSwarm(a *app) *cobra.Command {
	var l trainFlags
	var s swarmFlags
	cmd := &cobra.Command{
		Use:   "swarm [--once]",
		Short: "Run a whole network on this machine, to try it",
		Long: `Run a whole network on this machine. Each member is a process of its own:
ledger nodes, a coordinator that publishes a training run, and miners that
compute its units and are paid. When the model is trained, a miner sells some
ALIA to a customer, who has a document translated. Then the network stays up
until you interrupt it, unless --once is given.

A fault script kills and starts members at a round or at a time, such as "round
10: kill miner-2; round 20: start miner-4; 30s: kill ledger". The members are
ledger, coordinator, miner-1, miner-2 and so on, and ledger-2, ledger-3 and so
on with --validators. A miner with a number above --miners joins when the script
starts it. More than two thirds of the validators make heights: of four, one can
be down.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSwarm(cmd.Context(), a, &l, &s)
		},
	}
	l.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.once, "once", false, "end when the document is translated")
	f.IntVar(&s.validators, "validators", 1, "`NUMBER` of validators, each with a ledger node, 1 to 16")
	f.IntVar(&s.miners, "miners", 3, "`NUMBER` of miners to begin with, 1 to 64")
	f.StringSliceVar(&s.devices, "device", nil, "`DEVICES` of the miners in turn, separated by commas: auto, cpu, "+kernelNames()+", or a GPU such as cuda:0 (default auto)")
	f.StringSliceVar(&s.kernels, "kernels", nil, "`KERNELS` of the miners in turn; the same as --device with their names (default auto)")
	f.StringVar(&s.faults, "faults", "", "fault `SCRIPT`")
	f.StringVar(&s.faultFile, "fault-file", "", "`FILE` with a fault script")
	f.StringVar(&s.page, "page", "127.0.0.1:8080", "`HOST:PORT` of the web page, or off; another port where this one is taken")
	f.StringVar(&s.document, "document", "", "`FILE` with the text that the customer has translated (default: a letter)")
	return cmd
}

func runSwarm(ctx context.Context, a *app, l *trainFlags, s *swarmFlags) error {
	cfg, err := s.config(ctx, a, l)
	if s.lock != nil {
		defer s.lock.Close()
	}
	if err != nil {
		return err
	}
	if cfg.Document == "" {
		cfg.Document = filepath.Join(cfg.Home, "letter.en.txt")
		if err := node.WriteFile(cfg.Document, letter); err != nil {
			return err
		}
	}
	page := &swarmPage{app: a, dir: home.Dir(cfg.Home), at: s.page}
	done := false
	cfg.Done = func(r *report.SwarmResult) error {
		done = true
		if err := a.result(r, func(w io.Writer) { printSwarm(w, r) }); err != nil || s.once {
			return err
		}
		suggest(a.stderr, r)
		if page.url != "" {
			a.note("    page %s, and the token in %s pauses miners\n", page.url, page.dir.GatewayToken())
		}
		return nil
	}
	if s.page != "off" {
		cfg.Watch = func(now swarm.Snapshot) string { return page.watch(ctx, now) }
		defer page.close()
	}
	if err := swarm.Run(ctx, cfg); !done {
		return undone(ctx, err, "the swarm is not done; `alia swarm --home %s` with the same options goes on", cfg.Home)
	} else if !s.once {
		return a.drained(ctx, err) // the network stayed up until the interrupt
	} else {
		return err
	}
}

// config checks the flags, the corpus and the home before anything is started.
func (s *swarmFlags) config(ctx context.Context, a *app, l *trainFlags) (swarm.Config, error) {
	if err := a.goesWith("with other commands: a swarm founds its own network", "network"); err != nil {
		return swarm.Config{}, err
	}
	cfg := swarm.Config{Validators: s.validators, Miners: s.miners, Once: s.once, Started: a.started}
	if s.miners < 1 || s.miners > 64 {
		return cfg, usagef("--miners %d: give 1 to 64", s.miners)
	}
	if s.validators < 1 || s.validators > 16 {
		return cfg, usagef("--validators %d: give 1 to 16", s.validators)
	}
	var err error
	if cfg.Devices, err = s.pickDevices(); err != nil {
		return cfg, err
	}
	if s.faultFile != "" {
		data, err := os.ReadFile(s.faultFile)
		if err != nil {
			return cfg, fmt.Errorf("fault file: %w", err)
		}
		s.faults += "\n" + string(data)
	}
	if cfg.Faults, err = swarm.ParseFaults(s.faults); err != nil {
		return cfg, usageError{err.Error()}
	}
	if err := swarm.CheckFaults(cfg.Faults, s.validators, s.miners); err != nil {
		return cfg, usageError{err.Error()}
	}
	if s.document != "" {
		if _, err := readText(s.document, nil); err != nil {
			return cfg, err
		}
		if cfg.Document, err = filepath.Abs(s.document); err != nil {
			return cfg, fmt.Errorf("document: %w", err)
		}
	}
	if cfg.Home, err = a.swarmHome(); err != nil {
		return cfg, err
	}
	// The members have homes of their own. The store of the swarm's home says that
	// the swarm runs, before its members do: alia gc --swarms leaves it alone.
	if s.lock, err = home.Dir(cfg.Home).Store(); err != nil {
		return cfg, err
	}
	if err := s.plan(ctx, a, l, &cfg); err != nil {
		return cfg, err
	}
	if cfg.Program, err = os.Executable(); err != nil {
		return cfg, fmt.Errorf("find this program: %w", err)
	}
	cfg.Screen = a.screen()
	return cfg, nil
}

// pickDevices is the devices of the miners, as --device or --kernels names them.
func (s *swarmFlags) pickDevices() ([]string, error) {
	if len(s.devices) > 0 && len(s.kernels) > 0 {
		return nil, usagef("--device and --kernels both name the devices of the miners: give only --device")
	}
	var devices []string
	for _, d := range s.devices {
		name, err := pickDevice(d, auto)
		if err != nil {
			return nil, err
		}
		devices = append(devices, name)
	}
	for _, k := range s.kernels {
		name, err := pickDevice(auto, k)
		if err != nil {
			return nil, err
		}
		devices = append(devices, name)
	}
	return devices, nil
}

// runFile, in a swarm's home, is the configuration of its run.
const runFile = "run.toml"

// plan writes the run's configuration into the swarm's home, with the batches
// fitted to the memory that the members share, and sets the coordinator's flags.
// Local steps on auto stay so: the coordinator decides them, in the network.
func (s *swarmFlags) plan(ctx context.Context, a *app, l *trainFlags, cfg *swarm.Config) error {
	c, err := l.open(a)
	if err != nil {
		return err
	}
	cfg.Source, cfg.Target = c.Corpus.Source, c.Corpus.Target
	later := map[string]bool{}
	if c.undecided["local_steps"] {
		later["local_steps"] = true
		delete(c.undecided, "local_steps")
	}
	if err := c.decide(ctx, a, home.Dir(cfg.Home).Decisions(), nil, nil, uint64(s.miners)+1); err != nil {
		return err
	}
	path := filepath.Join(cfg.Home, runFile)
	if err := node.WriteFile(path, []byte(options.Print(c.Config, c.Preset, later))); err != nil {
		return err
	}
	cfg.Train = []string{"--config", path}
	if l.corpus != "" {
		path, err := filepath.Abs(l.corpus)
		if err != nil {
			return fmt.Errorf("corpus: %w", err)
		}
		cfg.Train = append(cfg.Train, "--corpus", path)
	}
	if l.from != "" {
		from, err := l.absoluteFrom(a)
		if err != nil {
			return err
		}
		cfg.Train = append(cfg.Train, "--from", from)
	}
	for _, f := range []struct{ name, value string }{{"--src", l.src}, {"--tgt", l.tgt}, {"--columns", l.columns}} {
		if f.value != "" {
			cfg.Train = append(cfg.Train, f.name, f.value)
		}
	}
	return nil
}

// swarmHome makes the directory of a swarm: the home given, or a new one
// below the default home.
func (a *app) swarmHome() (string, error) {
	dir := string(a.home)
	if usual, err := home.Default(); err == nil && a.home == usual {
		dir = filepath.Join(usual.Swarms(), a.started.Format("2006-01-02-150405.000"))
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("home: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("home: %w", err)
	}
	return dir, nil
}

// screen shows a swarm on standard error.
func (a *app) screen() *swarm.Screen {
	var size func() (columns, rows int)
	if t, ok := onTerminal(a.stderr); ok {
		size = t.size
	}
	plain, _ := a.env("NO_COLOR")
	return swarm.NewScreen(a.stderr, size, plain == "")
}
