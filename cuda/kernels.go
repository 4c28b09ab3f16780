package cuda

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed kernels
var sources embed.FS

// Modules returns the names of the modules: a source kernels/NAME.c and its PTX.
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

// PTX returns the text of a module, for compute capability 7.5 and later. Its
// first lines name the SHA-256 of the sources it was made of, and of the rest.
func PTX(module string) (string, error) {
	text, err := sources.ReadFile("kernels/" + module + ".ptx")
	if err != nil {
		return "", fmt.Errorf("PTX: no module %q in this build", module)
	}
	return string(text), nil
}
