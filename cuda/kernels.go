package cuda

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed kernels
var sources embed.FS

// Modules returns the names of the modules. Module NAME is kernels/NAME.c and kernels/NAME.ptx.
func Modules() []string {
	files, err := sources.ReadDir("kernels")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".ptx"); ok {
			names = append(names, name)
		}
	}
	return names
}

// PTX returns the text of a module, for compute capability 7.5 and later. Its first lines are the
// SHA-256 of the sources it was made from, and of the rest of the text.
func PTX(module string) (string, error) {
	text, err := sources.ReadFile("kernels/" + module + ".ptx")
	if err != nil {
		return "", fmt.Errorf("PTX: this build has no module %q", module)
	}
	return string(text), nil
}
