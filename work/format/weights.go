package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// weightFiles are the names under which transformers keep a model's parameters, the first choice
// first: as one file, or as an index of several.
var weightFiles = []struct {
	name   string
	decode func([]byte) (*tensor.Set, error) // nil for an index
}{
	{hfWeightsFile, state.DecodeSafetensorsWidened},
	{hfWeightsFile + indexSuffix, nil},
	{hfPickleFile, state.DecodeTorch},
	{hfPickleFile + indexSuffix, nil},
}

const (
	indexSuffix = ".index.json"
	maxShards   = 1 << 10
	maxIndex    = 4 << 20 // bytes of an index
)

// readWeights reads the parameters of a model of transformers, and gives the name of their file.
// Where several files are there, the first of [weightFiles] counts.
func readWeights(read ReadFile) (*tensor.Set, string, error) {
	for _, f := range weightFiles {
		data, err := read(f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		var s *tensor.Set
		if f.decode != nil {
			s, err = f.decode(data)
		} else {
			s, err = readShards(data, read)
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.name, err)
		}
		return s, f.name, nil
	}
	return nil, "", fmt.Errorf("%s: %w, and neither is %s", hfWeightsFile, fs.ErrNotExist, hfPickleFile)
}

// shardName is a name of a file beside the index, and of no other place.
var shardName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|bin)$`)

// readShards reads the files that an index names. Each must have the tensors that the index
// says, and no others.
func readShards(index []byte, read ReadFile) (*tensor.Set, error) {
	var list struct {
		Map map[string]string `json:"weight_map"` // by tensor: its file
	}
	if len(index) > maxIndex || json.Unmarshal(index, &list) != nil || len(list.Map) == 0 {
		return nil, fmt.Errorf("it is not the JSON of an index, or larger than %d bytes", maxIndex)
	}
	var files []string
	for name, file := range list.Map { // order-free: sorted below
		if !shardName.MatchString(file) {
			return nil, fmt.Errorf("tensor %.200q is in %.200q, which is no file of parameters in the model's directory", name, file)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	if files = slices.Compact(files); len(files) > maxShards {
		return nil, fmt.Errorf("it names %d files, at most %d are read", len(files), maxShards)
	}
	var items []tensor.Named
	for _, file := range files {
		data, err := read(file)
		if err != nil {
			return nil, err
		}
		decode := state.DecodeSafetensorsWidened
		if strings.HasSuffix(file, ".bin") {
			decode = state.DecodeTorch
		}
		s, err := decode(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for i := range s.Len() {
			x := s.At(i)
			if list.Map[x.Name] != file {
				return nil, fmt.Errorf("%s has the tensor %.200q, which the index has not there", file, x.Name)
			}
			items = append(items, x)
		}
	}
	if len(items) != len(list.Map) {
		return nil, fmt.Errorf("the files have %d tensors, the index %d", len(items), len(list.Map))
	}
	return tensor.NewSet(items)
}
