//go:build cuda && cudaemu

package emulator

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Variable is the environment variable for a [Config].
const Variable = "ALIA_EMULATOR"

// Config describes a machine and what is wrong with it. In the environment it has the form
// name=value,name=value.
type Config struct {
	Devices    int
	Memory     int64  // bytes of a device
	Capability int    // the compute capability times 10
	Driver     int    // the version of CUDA that the driver reports
	Early      int    // bit i: stream i runs its work as early as possible, not as late as possible
	Init       int    // the result of cuInit
	Missing    string // a function that the library does not have
	Refused    string // a kernel whose module does not load
	Wrong      string // a kernel that computes a wrong bit
	Lost       int    // the number of launches after which the device is lost
}

func sound() Config {
	return Config{Devices: 1, Memory: 1 << 30, Capability: 90, Driver: 12080, Lost: math.MaxInt}
}

// parse reads a Config. A value that is not given is that of a sound machine.
func parse(text string) (Config, error) {
	c := sound()
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, value, _ := strings.Cut(s, "=")
		texts := map[string]*string{"missing": &c.Missing, "refused": &c.Refused, "wrong": &c.Wrong}
		numbers := map[string]*int{
			"devices": &c.Devices, "capability": &c.Capability, "driver": &c.Driver, "init": &c.Init,
			"lost": &c.Lost, "early": &c.Early,
		}
		n, err := strconv.Atoi(value) // its error counts only for numbers
		switch {
		case texts[name] != nil:
			*texts[name], err = value, nil
		case numbers[name] != nil:
			*numbers[name] = n
		case name == "memory":
			c.Memory = int64(n)
		default:
			err = fmt.Errorf("the name is unknown")
		}
		if err != nil {
			return c, fmt.Errorf("%s: %s: %w", Variable, s, err)
		}
	}
	return c, nil
}

// Set replaces the machine by a new one.
func Set(c Config) {
	mu.Lock()
	defer mu.Unlock()
	now = newMachine(c)
}

// Change changes the machine's Config. Its memory, modules and streams stay.
func Change(c Config) {
	mu.Lock()
	defer mu.Unlock()
	now.Config, now.launched = c, 0
}

// Sound returns the Config of a machine with one device and nothing wrong.
func Sound() Config { return sound() }

// fromEnvironment returns the Config of the environment variable.
func fromEnvironment() Config {
	c, err := parse(os.Getenv(Variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return c
}
