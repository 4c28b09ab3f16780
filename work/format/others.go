package format

import (
	"fmt"
	"slices"
	"strings"
)

// kinds are files of model directories that [Import] cannot read, or reads as another format, by
// the end of their name. The first row that a directory has counts.
var kinds = []struct{ suffix, what, do string }{
	{"model.npz", "Marian's own parameters", "import it with --from marian"},
	{"shared_vocabulary.json", "a vocabulary of CTranslate2", "import it with --from ctranslate2"},
	{"shared_vocabulary.txt", "a vocabulary of CTranslate2", "import it with --from ctranslate2"},
	{".alphas.bin", "parameters of a model of Firefox Translations", "import it with --from marian"},
	{"metadata.json", "the description of a package of Argos Translate", "import it with --from ctranslate2"},
	{"manifest.json", "the manifest of a model of this program", "use the directory as it is: alia translate --local --model DIR"},
	{"adapter_model.safetensors", "an adapter (LoRA) without its model", "merge it into its model with merge_and_unload of peft, save that, and import it"},
	{".gguf", "a GGUF model of llama.cpp, which is a language model or quantised", anotherFormat},
	{".onnx", "an ONNX graph", anotherFormat},
	{".h5", "a checkpoint of TensorFlow or Keras", anotherFormat},
	{"saved_model.pb", "a SavedModel of TensorFlow", anotherFormat},
	{".ckpt.index", "a checkpoint of TensorFlow", anotherFormat},
	{".msgpack", "a checkpoint of Flax", anotherFormat},
	{".ot", "parameters of rust-bert", anotherFormat},
	{".tflite", "a TensorFlow Lite graph", anotherFormat},
	{".nemo", "a model of NVIDIA NeMo", anotherFormat},
	{".argosmodel", "a package of Argos Translate", "import that file in the place of its directory, with --from ctranslate2 FILE.argosmodel"},
	{"dict.txt", "a dictionary of fairseq", fairseqToo},
	{".pt", "a checkpoint of fairseq or OpenNMT-py, a pickle that names classes of its program", fairseqToo},
	{".pth", "a pickle of PyTorch", fairseqToo},
	{".gz", "a compressed file", unpacked},
	{".zst", "a compressed file", unpacked},
	{".zip", "an archive", unpacked},
	{".tar", "an archive", unpacked},
}

const (
	anotherFormat = "get the same model with model.safetensors or pytorch_model.bin"
	unpacked      = "unpack the files, and import the directory that has them"
	fairseqToo    = "convert it to transformers with that program's conversion script, and import the result"
)

// Recognise says what the files of a directory are when they are no model of the format that was
// asked for, and what to do; "" where it does not know, or where they seem to be of this format.
func Recognise(from string, names []string) string {
	for _, k := range kinds {
		i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(strings.ToLower(name), k.suffix) })
		if i >= 0 && strings.HasSuffix(k.do, "--from "+from) {
			return ""
		}
		if i >= 0 {
			return fmt.Sprintf("%s is %s: %s", names[i], k.what, k.do)
		}
	}
	return ""
}
