package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// The files of every model's directory. Its tokenizer has files beside them.
const (
	ParamsFile = "model.safetensors"
	ConfigFile = "config.json"
)

// FileNames lists the files that a model's directory may have.
func FileNames() []string {
	names := []string{ConfigFile, ParamsFile}
	for _, f := range families {
		names = append(names, f.files...)
	}
	return names
}

// modelConfig is config.json: languages, shape, marks and form.
type modelConfig struct {
	Architecture string `json:"architecture"`
	Numerics     string `json:"numerics"`
	Source       string `json:"source"`
	Target       string `json:"target"`
	Vocab        uint32 `json:"vocab_size"`
	nmt.Shape
	Pad  int32       `json:"pad_token_id"`
	BOS  int32       `json:"bos_token_id"`
	EOS  int32       `json:"eos_token_id"`
	Form *formConfig `json:"form,omitempty"` // where the family has one
}

// formConfig is an [nmt.Form] in config.json. The marks stand beside it.
type formConfig struct {
	Norm       string  `json:"norm"` // before or after a sub-layer
	Activation string  `json:"activation"`
	Positions  string  `json:"positions"`
	OutputBias bool    `json:"output_bias"`
	Scaled     bool    `json:"scaled_embedding"`
	NormEps    float32 `json:"norm_epsilon"` // 0: 1e-5
	moreForm
}

// The names in config.json of the values of a form's fields, by value.
var (
	normNames       = []string{"before", "after"}
	activationNames = []string{"relu", "swish"}
	positionNames   = []string{"interleaved", "halves", "timescales", "none"}
)

// configOf is a form as config.json has it.
func configOf(f nmt.Form) *formConfig {
	c := &formConfig{
		Norm: normNames[0], Activation: activationNames[f.Activation], Positions: positionNames[f.Positions],
		OutputBias: f.OutputBias, Scaled: !f.Unscaled, NormEps: f.NormEps,
		moreForm: moreForm{f.SourceVocab, f.SourceEOS, f.FirstPosition, f.Start, f.Recurrent, f.BareSource, f.OwnOutput},
	}
	if f.PostNorm {
		c.Norm = normNames[1]
	}
	return c
}

// form is the form in a config.json.
func (m modelConfig) form() (nmt.Form, error) {
	c := m.Form
	var choices [3]int
	for i, choice := range []struct {
		what, name string
		names      []string
	}{{"norm", c.Norm, normNames}, {"activation", c.Activation, activationNames}, {"positions", c.Positions, positionNames}} {
		if choices[i] = slices.Index(choice.names, choice.name); choices[i] < 0 {
			return nmt.Form{}, fmt.Errorf("form: %s is %q, want one of %q", choice.what, choice.name, choice.names)
		}
	}
	return nmt.Form{
		PostNorm: choices[0] == 1, Activation: nmt.Activation(choices[1]), Positions: nmt.Positions(choices[2]),
		OutputBias: c.OutputBias, Unscaled: !c.Scaled, NormEps: c.NormEps,
		Marks:       nmt.Marks{Pad: m.Pad, BOS: m.BOS, EOS: m.EOS},
		SourceVocab: c.SourceVocab, SourceEOS: c.SourceEOS, FirstPosition: c.FirstPosition, Start: c.Start,
		Recurrent: c.Recurrent, BareSource: c.BareSource, OwnOutput: c.OwnOutput,
	}, nil
}

// Files gives the model's directory: the contents of each of its files.
func (t *Translator) Files() map[string][]byte {
	m, marks := t.Model, t.Model.Config().Tokens()
	c := modelConfig{
		Architecture: m.family().architecture, Numerics: kernel.Numerics, Source: m.Source, Target: m.Target,
		Vocab: m.Vocab, Shape: m.Shape,
		Pad: marks.Pad, BOS: marks.BOS, EOS: marks.EOS,
	}
	if m.family().form {
		c.Form = configOf(m.Form)
	}
	config, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("model: " + err.Error()) // strings and numbers
	}
	files := t.Tokenizer.Files()
	files[ParamsFile], files[ConfigFile] = state.EncodeSafetensors(t.Params), append(config, '\n')
	return files
}

// Whole is read without files that are pointers of Git LFS: it returns an error for them.
func Whole(read func(name string) ([]byte, error)) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		data, err := read(name)
		if err != nil {
			return nil, err
		}
		if err := text.CheckPointer(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return data, nil
	}
}

// Parse reads a model from the contents of its directory's files, which files
// gives by name. The parameters share their file's memory.
func Parse(files func(name string) ([]byte, error)) (*Translator, error) {
	read := Whole(files)
	data, err := read(ConfigFile)
	if err != nil {
		return nil, err
	}
	m, f, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	tok, err := f.parse(read)
	if err != nil {
		return nil, err
	}
	if data, err = read(ParamsFile); err != nil {
		return nil, err
	}
	params, err := state.DecodeSafetensors(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	// No translation has a result with such a parameter, and the error would name no file.
	if name := notFinite(params); name != "" {
		return nil, fmt.Errorf("%s: tensor %.200q has a number that is not finite: the file is damaged, or its training failed", ParamsFile, name)
	}
	return NewTranslator(m, params, tok)
}

// notFinite names the first tensor that has a NaN or an infinity; "" for none.
func notFinite(params *tensor.Set) string {
	if params.Finite() {
		return ""
	}
	for i := range params.Len() {
		x := params.At(i)
		if slices.ContainsFunc(x.F, func(f float32) bool { return f-f != 0 }) {
			return x.Name
		}
	}
	return ""
}

// parseConfig reads a config.json: a model without parameters and tokenizer,
// and its family.
func parseConfig(data []byte) (Model, *family, error) {
	var c modelConfig
	var kind *json.UnmarshalTypeError
	if err := json.Unmarshal(data, &c); errors.As(err, &kind) && kind.Field != "" {
		return Model{}, nil, fmt.Errorf("%.80q is of the kind %.80q, which it cannot be in a model: the file is damaged", strings.TrimPrefix(kind.Field, "Shape."), kind.Value)
	} else if err != nil {
		return Model{}, nil, errors.New("the file is not the JSON of a model, or it is damaged")
	}
	f, err := familyNamed(c.Architecture, c.Form != nil)
	if err != nil {
		return Model{}, nil, err
	}
	if c.Numerics != "" && c.Numerics != kernel.Numerics {
		return Model{}, nil, fmt.Errorf("numerics %q, this program computes %q", c.Numerics, kernel.Numerics)
	}
	m := Model{Source: c.Source, Target: c.Target, Vocab: c.Vocab, Shape: c.Shape}
	if f.form {
		if m.Form, err = c.form(); err != nil {
			return Model{}, nil, err
		}
	}
	return m, f, m.Config().Validate()
}
