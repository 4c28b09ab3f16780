package format

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
)

// The files in testdata/trained are what Marian v1.12.43 (commit c9f287d) wrote, on sentences of
// this project's phrasebook: a Transformer and its vocabulary after 150 steps, with ReLU, its norms
// after the sums, and one embedding; its own greedy translations (beam-size 1, max-length-factor 3);
// and the log-probabilities that its scorer gives to references.
const trainedDir = "testdata/trained"

// table reads rows of fields with tabs between them.
func table(t *testing.T, name string) (all [][]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(trainedDir, name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return all
}

// trained is the model that Marian trained.
func trained(t *testing.T) *model.Translator {
	t.Helper()
	tr, err := Import("marian", dir(trainedDir, nil), "model.npz", "vocab.ende.spm", "scores.tsv", "translations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestMarianTrained: a model that Marian trained translates as in Marian, and gives the same
// probabilities.
func TestMarianTrained(t *testing.T) {
	tr := trained(t)
	e := nmt.NewEngine(device(t), tr.Model.Config())
	for _, row := range table(t, "translations.tsv") {
		// Marian ends a translation at three times the source's tokens, </s> included.
		got, _, err := e.Greedy(tr.Params, [][]int32{tr.Tokenizer.Source(row[0])}, func(n int) int { return 3 * (n + 1) })
		if err != nil {
			t.Fatal(err)
		}
		if text := tr.Tokenizer.Decode(got[0]); text != row[1] {
			t.Errorf("%q becomes %q, in Marian %q", row[0], text, row[1])
		}
	}
	for _, row := range table(t, "scores.tsv") {
		probs, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{tr.Tokenizer.Source(row[0])}, Target: [][]int32{tr.Tokenizer.Target(row[1])}})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, p := range probs[0] {
			sum += float64(p)
		}
		// Marian adds in another sequence.
		if want, err := strconv.ParseFloat(row[2], 64); err != nil || math.Abs(sum-want) > 1e-6*math.Abs(want) {
			t.Errorf("%q: log-probability %v, in Marian %v, %v", row[1], sum, want, err)
		}
	}
}

// TestMarianTrainedBack: the arrays of a model that goes back to Marian are those that Marian wrote.
func TestMarianTrainedBack(t *testing.T) {
	files, err := Export("marian", trained(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(trainedDir, marianModelFile))
	if err != nil {
		t.Fatal(err)
	}
	want, err := readNPZ(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readNPZ(files[marianModelFile])
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d arrays, Marian wrote %d", len(got), len(want))
	}
	for name, a := range want {
		if name != marianOptions && (!slices.Equal(got[name].shape, a.shape) || !slices.Equal(got[name].f, a.f)) {
			t.Errorf("array %s differs", name)
		}
	}
	// What Export writes of the options says the same as what Marian wrote.
	mine, err := readYAML(got[marianOptions].b)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := readYAML(want[marianOptions].b)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range mine {
		if name != "max-length" && !slices.Equal(value, theirs[name]) {
			t.Errorf("option %s is %q, Marian wrote %q", name, value, theirs[name])
		}
	}
}

// TestMarianOld: before 1.10.24 Marian computed another attention where norms precede it.
func TestMarianOld(t *testing.T) {
	files, err := writeMarian(marianTranslator(t, false))
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := readNPZ(files[marianModelFile])
	if err != nil {
		t.Fatal(err)
	}
	for version, refused := range map[string]bool{
		"v1.9.0 ba94c5b9 2020-05-17 10:42:17 +0100": true, "v1.10.23": true, "v1.10.24": false, "v1.12.43 c9f287d": false, "v2.0.0": false, "": false,
	} {
		var all []array
		for name, a := range arrays {
			if a.name = name; name == marianOptions {
				a.b = append(bytes.TrimRight(slices.Clone(a.b), "\x00"), "version: "+strconv.Quote(version)+"\n\x00"...)
				a.shape = []int{len(a.b)}
			}
			all = append(all, a)
		}
		data, err := writeNPZ(all)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Import("marian", dir("", map[string][]byte{
			marianModelFile: data, marianVocabFile: files[marianVocabFile], "source.spm": files["source.spm"], "target.spm": files["target.spm"],
		}), marianModelFile, marianVocabFile)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "before 1.10.24") {
			t.Errorf("a model of version %q: %v", version, err)
		}
	}
}

// TestMarianAsTrained imports the folder in which Marian trained, with the other files that it
// writes there, and paths of the machine on which it ran.
func TestMarianAsTrained(t *testing.T) {
	want := trained(t)
	read := dir(trainedDir, map[string][]byte{
		"model.npz.decoder.yml": []byte("relative-paths: false\nmodels:\n  - /data/run/model.npz\nvocabs:\n  - corpus/vocab.ende.spm\n  - corpus/vocab.ende.spm\nbeam-size: 12\n"),
	})
	files := []string{"model.npz", "model.npz.decoder.yml", "model.npz.optimizer.npz", "model.npz.progress.yml", "model.npz.yml", "vocab.ende.spm"}
	for _, files := range [][]string{files, slices.Delete(slices.Clone(files), 1, 2)} {
		if tr, err := Import("marian", read, files...); err != nil || tr.ID() != want.ID() {
			t.Errorf("of the files %q: %v", files, err)
		}
	}
}
