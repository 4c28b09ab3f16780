//go:build cuda && cudaemu

package emulator

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Variable is the environment's name for a [Config].
const Variable = "ALIA_EMULATOR"

// Config is a machine, and what is wrong with it. In the environment it is
// written name=value,name=value.
type Config struct {
	Devices    int
	Memory     int64  // bytes of a device
	Capability int    // 10 times
	Driver     int    // the version of CUDA, as the driver tells it
	Early      int    // bit i: the i-th stream runs as early as it may, the others as late
	Init       int    // what cuInit returns
	Missing    string // a function that the library does not have
	Refused    string // a kernel whose module does not load
	Wrong      string // a kernel that gives a wrong bit
	Lost       int    // launches after which the device is lost
}

func sound() Config {
	return Config{Devices: 1, Memory: 1 << 30, Capability: 90, Driver: 12080, Lost: math.MaxInt}
}

// parse reads a Config over that of a sound machine.
func parse(text string) (Config, error) {
	c := sound()
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, value, _ := strings.Cut(s, "=")
		texts := map[string]*string{"missing": &c.Missing, "refused": &c.Refused, "wrong": &c.Wrong}
		numbers := map[string]*int{"devices": &c.Devices, "capability": &c.Capability, "driver": &c.Driver, "init": &c.Init, "lost": &c.Lost, "early": &c.Early}
		n, err := strconv.Atoi(value)
		switch {
		case texts[name] != nil:
			*texts[name], err = value, nil
		case numbers[name] != nil:
			*numbers[name] = n
		case name == "memory":
			c.Memory = int64(n)
		default:
			err = fmt.Errorf("no such thing")
		}
		if err != nil {
			return c, fmt.Errorf("%s: %s: %w", Variable, s, err)
		}
	}
	return c, nil
}

// Set makes the machine what c says, with nothing of what it held.
func Set(c Config) {
	mu.Lock()
	defer mu.Unlock()
	now = newMachine(c)
}

// Change makes the machine what c says; it holds what it held.
func Change(c Config) {
	mu.Lock()
	defer mu.Unlock()
	now.Config, now.launched = c, 0
}

// Sound returns the Config of a machine with one device and no faults.
func Sound() Config { return sound() }

// fromEnvironment is the machine of the environment.
func fromEnvironment() Config {
	c, err := parse(os.Getenv(Variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return c
}
