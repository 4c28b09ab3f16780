package format

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// torchSave is what torch.save writes of a set: a zip of a pickle and the storages.
func torchSave(t *testing.T, items []tensor.Named) []byte {
	t.Helper()
	var pickle, b bytes.Buffer
	files := []string{"data.pkl"}
	contents := [][]byte{nil}
	word := func(s string) {
		fmt.Fprintf(&pickle, "X%s%s", binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s)
	}
	number := func(n int) { fmt.Fprintf(&pickle, "J%s", binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	pickle.WriteString("\x80\x02ccollections\nOrderedDict\n)R(")
	for i, x := range items {
		word(x.Name)
		pickle.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
		word("storage")
		pickle.WriteString(map[kernel.DType]string{kernel.F32: "ctorch\nFloatStorage\n", kernel.I32: "ctorch\nIntStorage\n"}[x.Type])
		word(fmt.Sprint(i))
		word("cpu")
		number(len(x.F) + len(x.I))
		pickle.WriteString("tQ")
		number(0)
		strides := make([]int, len(x.Shape))
		for d, n := len(x.Shape)-1, 1; d >= 0; d-- {
			strides[d], n = n, n*x.Shape[d]
		}
		for _, list := range [][]int{x.Shape, strides} {
			pickle.WriteString("(")
			for _, n := range list {
				number(n)
			}
			pickle.WriteString("t")
		}
		pickle.WriteString("\x89ccollections\nOrderedDict\n)RtR")
		var data []byte
		for _, f := range x.F {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
		}
		for _, n := range x.I {
			data = binary.LittleEndian.AppendUint32(data, uint32(n))
		}
		files, contents = append(files, fmt.Sprintf("data/%d", i)), append(contents, data)
	}
	pickle.WriteString("u.")
	contents[0] = pickle.Bytes()
	z := zip.NewWriter(&b)
	for i, name := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "pytorch_model/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(contents[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWeightFiles imports the same parameters from each of the files that transformers write:
// always the same model.
func TestWeightFiles(t *testing.T) {
	want, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(marianDir, hfWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	all, err := state.DecodeSafetensorsWidened(weights)
	if err != nil {
		t.Fatal(err)
	}
	// Two parts and their index, of either kind.
	var parts [2][]tensor.Named
	shards := map[string]map[string]string{".safetensors": {}, ".bin": {}}
	for i := range all.Len() {
		x := all.At(i)
		parts[i%2] = append(parts[i%2], x)
		for kind := range shards { // order-free: each kind by itself
			shards[kind][x.Name] = fmt.Sprintf("part-%d%s", i%2, kind)
		}
	}
	safe := func(items []tensor.Named) []byte {
		s, err := tensor.NewSet(items)
		if err != nil {
			t.Fatal(err)
		}
		return state.EncodeSafetensors(s)
	}
	index := func(files map[string]string) []byte {
		data, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 1}, "weight_map": files})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sharded := map[string][]byte{
		hfWeightsFile: nil, hfWeightsFile + indexSuffix: index(shards[".safetensors"]),
		"part-0.safetensors": safe(parts[0]), "part-1.safetensors": safe(parts[1]),
	}
	pickled := map[string][]byte{
		hfWeightsFile: nil, hfPickleFile + indexSuffix: index(shards[".bin"]),
		"part-0.bin": torchSave(t, parts[0]), "part-1.bin": torchSave(t, parts[1]),
	}
	for what, changes := range map[string]map[string][]byte{
		"one pickle":        {hfWeightsFile: nil, hfPickleFile: torchSave(t, append(parts[0], parts[1]...))},
		"parts":             sharded,
		"parts of pickles":  pickled,
		"safetensors first": {hfPickleFile: []byte("damaged")},
	} { // order-free: independent cases
		tr, err := Import("huggingface", dir(marianDir, changes))
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if tr.ID() != want.ID() {
			t.Errorf("%s: model %s, want %s", what, tr.ID(), want.ID())
		}
	}
	moved := func(name, file string) []byte {
		files := map[string]string{}
		for n, f := range shards[".bin"] { // order-free: a copy
			files[n] = f
		}
		files[name] = file
		return index(files)
	}
	first := parts[0][0].Name
	for what, c := range map[string]struct {
		file string
		data []byte
		says string
	}{
		"part missing":         {"part-1.bin", nil, "part-1.bin"},
		"part damaged":         {"part-1.bin", []byte("x"), "part-1.bin: torch checkpoint"},
		"part exchanged":       {"part-1.bin", pickled["part-0.bin"], "which the index has not there"},
		"index is no JSON":     {hfPickleFile + indexSuffix, []byte("{"), "not the JSON of an index"},
		"elsewhere":            {hfPickleFile + indexSuffix, moved(first, "../part-0.bin"), `"../part-0.bin"`},
		"elsewhere in Windows": {hfPickleFile + indexSuffix, moved(first, `C:\part-0.bin`), "no file of parameters"},
		"a tensor too many":    {hfPickleFile + indexSuffix, moved("more", "part-0.bin"), "the index"},
		"a tensor moved":       {hfPickleFile + indexSuffix, moved(first, "part-1.bin"), "which the index has not there"},
		"a pointer":            {"part-1.bin", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "part-1.bin: it is a Git LFS pointer"},
	} { // order-free: independent cases
		changes := map[string][]byte{c.file: c.data}
		for name, data := range pickled { // order-free: a copy
			if _, ok := changes[name]; !ok {
				changes[name] = data
			}
		}
		if _, err := Import("huggingface", dir(marianDir, changes)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
}

// TestPointers: each file of a model that is a pointer of Git LFS is named for what it is.
func TestPointers(t *testing.T) {
	pointer := []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 290924733\n")
	for _, name := range []string{hfConfigFile, hfWeightsFile, hfTokenizerFile, "source.spm", "target.spm", "vocab.json"} {
		_, err := Import("huggingface", dir(marianDir, map[string][]byte{name: pointer}))
		if err == nil || !strings.HasPrefix(err.Error(), name+": it is a Git LFS pointer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecognise: directories of other programs are named for what they are.
func TestRecognise(t *testing.T) {
	for names, says := range map[string]string{
		"config.json encoder_model.onnx": "ONNX", "README.md model-q4_k_m.GGUF": "GGUF", "tf_model.h5 config.json": "TensorFlow",
		"saved_model.pb": "SavedModel", "checkpoint_best.pt dict.en.txt": "fairseq", "flax_model.msgpack": "Flax",
		"model.npz vocab.yml": "--from marian", "model.bin shared_vocabulary.json": "--from ctranslate2",
		"adapter_config.json adapter_model.safetensors": "adapter", "config.json vocab.json": "",
		"model.enet.bin.gz vocab.enet.spm.gz":          "unpack the files",
		"model.ende.intgemm.alphas.bin vocab.ende.spm": "Firefox", "metadata.json model stanza": "Argos", "en_de.argosmodel": "FILE.argosmodel",
	} { // order-free: independent cases
		if got := Recognise("huggingface", strings.Fields(names)); (got == "") != (says == "") || !strings.Contains(got, says) {
			t.Errorf("%s: %q, want it to say %s", names, got, says)
		}
	}
	if got := Recognise("marian", []string{"model.npz", "vocab.yml"}); got != "" {
		t.Errorf("a damaged model of the format that was asked for: %q", got)
	}
}
