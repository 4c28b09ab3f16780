// Package format reads and writes the model files of other programs.
//
// [Import] reads a model's directory into a [model.Translator]. It takes models of
//
//   - Hugging Face: MarianMT, as the public OPUS-MT models are, and M2M-100 and NLLB for one
//     pair of their languages ([ImportPair]);
//   - Marian, and Firefox Translations;
//   - CTranslate2, and Argos Translate;
//   - [Export].
//
// A model that needs an operation which this program does not compute is refused, and the
// error names the setting. Export writes a model so that the other program computes the
// same function of the same tokens, up to the rounding of sums. Where the other
// program cannot, Export refuses the model and gives the reason.
//
//	t, err := format.Import("huggingface", read)
//	files, err := format.Export("ctranslate2", t)
//
// The real programs agree with this package: MEASURED.md beside package work has the figures,
// with CTranslate2 4.8.1 and Marian 1.12.43. They differ from it in their searches only. Marian's
// beam narrows by one with each translation that ends. CTranslate2 asks for one token at least
// (min_decoding_length), and may write the marks for padding and beginning (suppress_sequences).
// The sinusoids of CTranslate2's own converter for Marian are not those of Marian: a model that
// went that way translates otherwise, here as there.
//
// The files may be hostile: sizes and shapes are checked before memory is taken, and
// every tensor must have the name and shape that the architecture says.
package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
)

// ReadFile gives a file of a model's directory by its name. Its error is
// fs.ErrNotExist where there is no such file. Nobody writes to the bytes.
type ReadFile func(name string) ([]byte, error)

// The formats that can be read, and those that can be written.
var (
	Imports = []string{"huggingface", "marian", "ctranslate2"}
	Exports = []string{"huggingface", "ctranslate2", "marian"}
)

// Import reads a model of another program. files are the names in its directory, for formats whose
// files have no fixed names.
func Import(from string, read ReadFile, files ...string) (*model.Translator, error) {
	return ImportPair(from, read, "", "", files...)
}

// ImportPair is Import with the languages that the model is to translate: multilingual models need
// them, others have theirs from their files, and get those that are not "" as their record's.
func ImportPair(from string, read ReadFile, source, target string, files ...string) (*model.Translator, error) {
	t, err := importFrom(from, read, pair{source, target}, files)
	if err != nil {
		return nil, err
	}
	if source != "" {
		t.Model.Source = source
	}
	if target != "" {
		t.Model.Target = target
	}
	return t, nil
}

func importFrom(from string, read ReadFile, p pair, files []string) (*model.Translator, error) {
	read = model.Whole(read)
	switch from {
	case "huggingface":
		return importHuggingFace(read, p)
	case "marian":
		return importMarian(read, files)
	case "ctranslate2":
		return importCTranslate2(read, files)
	}
	return nil, fmt.Errorf("format %.200q: this program reads %s", from, strings.Join(Imports, ", "))
}

// Export gives the files of a model's directory for another program.
func Export(to string, t *model.Translator) (map[string][]byte, error) {
	if err := writable(t.Model.Form); err != nil {
		return nil, fmt.Errorf("export to %s: this program does not write such a model: %w", to, err)
	}
	switch to {
	case "huggingface":
		return exportHuggingFace(t)
	case "ctranslate2":
		return exportCTranslate2(t)
	case "marian":
		return exportMarian(t)
	}
	return nil, fmt.Errorf("format %.200q: this program writes %s", to, strings.Join(Exports, ", "))
}

// writable returns an error that says why a form is in no export.
func writable(f nmt.Form) error {
	switch {
	case f.Recurrent:
		return errors.New("its decoder has SSRUs")
	case f.OwnOutput:
		return errors.New("its output projection is not the embedding")
	case f.BareSource:
		return errors.New("its sources do not end with </s>")
	case f.Positions == nmt.Unplaced:
		return errors.New("it has no positions")
	}
	return nil
}

// foreignParam is how another program names and shapes a parameter of ours.
type foreignParam struct {
	name       string
	transposed bool  // a projection's weight is [out, in] there
	shape      []int // nil where it does not differ; the elements are the same, in sequence
}

// gather makes parameters of configuration c from another program's set. It refuses
// tensors that are neither a parameter nor, by name, spare.
func gather(c nmt.Config, from *tensor.Set, at func(nmt.ParamShape) foreignParam, spare ...string) (*tensor.Set, error) {
	if err := affordable(c, from); err != nil {
		return nil, err
	}
	var items []tensor.Named
	used := map[string]bool{}
	for _, s := range spare {
		used[s] = true
	}
	for _, s := range c.Shapes() {
		p := at(s)
		want := p.foreign(s)
		x, ok := from.Get(p.name)
		switch {
		case !ok:
			return nil, fmt.Errorf("there is no tensor %.200q: want it of F32 and shape %v", p.name, want)
		case x.Type != kernel.F32:
			return nil, fmt.Errorf("tensor %.200q has whole numbers: want it of F32 and shape %v", p.name, want)
		case !slices.Equal(x.Shape, want):
			return nil, fmt.Errorf("tensor %.200q has shape %v: want it of F32 and shape %v", p.name, x.Shape, want)
		}
		used[p.name] = true
		if p.transposed {
			x = transpose(x)
		}
		items = append(items, tensor.Named{Name: s.Name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: s.Dims, F: x.F}})
	}
	// A tensor that is left over means another architecture.
	for i := range from.Len() {
		if name := from.At(i).Name; !used[name] {
			return nil, fmt.Errorf("tensor %.200q: the model as config.json describes it has none of this name", name)
		}
	}
	p, err := tensor.NewSet(items)
	if err != nil {
		return nil, err
	}
	if !p.Finite() {
		return nil, fmt.Errorf("a parameter is not a finite number")
	}
	return p, nil
}

// maxShared is how many parameters, on average, may share a number of a file. Layers that share
// their parameters are few.
const maxShared = 16

// affordable returns an error where a model of configuration c is far larger than the file that
// from was read from: tensors of a file may be views of the same numbers, but each parameter gets
// memory of its own.
func affordable(c nmt.Config, from *tensor.Set) error {
	stored, longest := uint64(0), map[*float32]int{} // by its first number: the longest view
	for i := range from.Len() {
		if x := from.At(i).F; len(x) > 0 && len(x) > longest[&x[0]] {
			stored += uint64(len(x) - longest[&x[0]])
			longest[&x[0]] = len(x)
		}
	}
	return enough(c, stored)
}

// enough returns an error where a model of configuration c is far larger than a file of so many
// numbers.
func enough(c nmt.Config, stored uint64) error {
	if n := c.Elements(); n > maxShared*stored+1<<20 {
		return fmt.Errorf("the model has %d parameters, and the file only %d numbers", n, stored)
	}
	return nil
}

// foreign is the shape of the parameter in the other program.
func (p foreignParam) foreign(s nmt.ParamShape) []int {
	switch {
	case p.shape != nil:
		return p.shape
	case p.transposed:
		return []int{s.Dims[1], s.Dims[0]}
	}
	return s.Dims
}

// scatter is the inverse of gather. It adds tensors that are no parameters of ours.
func scatter(c nmt.Config, params *tensor.Set, at func(nmt.ParamShape) foreignParam, more ...tensor.Named) (*tensor.Set, error) {
	items := more
	for _, s := range c.Shapes() {
		x, ok := params.Get(s.Name)
		if !ok {
			return nil, fmt.Errorf("no parameter %s", s.Name)
		}
		p := at(s)
		if p.transposed {
			x = transpose(x)
		}
		items = append(items, tensor.Named{Name: p.name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: p.foreign(s), F: x.F}})
	}
	return tensor.NewSet(items)
}

// transpose is the transpose of a matrix.
func transpose(x kernel.Tensor) kernel.Tensor {
	rows, cols := x.Shape[0], x.Shape[1]
	y := kernel.New(kernel.F32, cols, rows)
	for i := range rows {
		for j := range cols {
			y.F[j*rows+i] = x.F[i*cols+j]
		}
	}
	return y
}

// split cuts a parameter's name into its parts. Example: "encoder.2.self.q.weight" has
// stack encoder, layer 2, sub-layer self, part q and kind weight. Final norms have
// layer -1. The embedding and the output's bias have no stack.
func split(name string) (stack string, layer int, sub, part, kind string) {
	f := strings.Split(name, ".")
	layer = -1
	switch len(f) {
	case 2:
		return "", layer, f[0], "", f[1]
	case 3:
		return f[0], layer, "", f[1], f[2]
	}
	if _, err := fmt.Sscanf(f[1], "%d", &layer); err != nil {
		panic("format: parameter " + name) // nmt names its own
	}
	return f[0], layer, f[2], f[3], f[4]
}

// named is a tensor of F32 with its name.
func named(name string, x []float32, shape ...int) tensor.Named {
	return tensor.Named{Name: name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: shape, F: x}}
}
