package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
)

// ManifestFile binds a model's directory to the run that made it.
const ManifestFile = "manifest.json"

// Manifest is the content of manifest.json: the model's CID and its origin.
type Manifest struct {
	Model     string      `json:"model"`
	Run       string      `json:"run"`
	Corpus    string      `json:"corpus"`
	RoundLog  string      `json:"round_log"`
	Rounds    int         `json:"rounds"`
	TrainLoss float64     `json:"train_loss"`
	ValidLoss float64     `json:"valid_loss"`
	Tests     []TestScore `json:"tests"`
}

// ReadManifest reads the manifest of a model's directory. The error wraps
// [fs.ErrNotExist] where there is none.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	data, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return m, err
	}
	if json.Unmarshal(data, &m) != nil {
		return m, fmt.Errorf("the %s of %s is not JSON, or damaged", ManifestFile, dir)
	}
	return m, nil
}

// SaveModel writes the outcome's model as a directory below dir, whole or
// not at all, and returns its path.
func SaveModel(ctx context.Context, b block.Blocks, dir string, plan *run.Plan, o *TrainingResult) (string, error) {
	t, err := model.Load(ctx, b, o.Model)
	if err != nil {
		return "", err
	}
	files := t.Files()
	if files[ManifestFile], err = json.MarshalIndent(Manifest{
		Model: o.Model.String(), Run: plan.Link.String(), Corpus: plan.Run.Corpus.String(), RoundLog: o.Head.String(),
		Rounds: o.Rounds, TrainLoss: o.Loss, ValidLoss: o.Valid, Tests: o.Tests,
	}, "", "  "); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	path := filepath.Join(dir, o.Model.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	if err := os.RemoveAll(path); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	return path, WriteDir(path, files)
}

// Writable returns an error where [WriteDir] would not write a directory: where one that is not
// empty is there, or a file, or where the directory above is missing.
func Writable(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("write %s: it exists and is a file: give the name of a new directory", path)
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
		return fmt.Errorf("write %s: it exists and is not empty: give the name of a new directory", path)
	}
	if above := filepath.Dir(path); err != nil {
		if info, err := os.Stat(above); err != nil || !info.IsDir() {
			return fmt.Errorf("write %s: there is no directory %s: make it first", path, above)
		}
	}
	return nil
}

// WriteDir writes files as a new directory, whole or not at all.
func WriteDir(path string, files map[string][]byte) error {
	if err := Writable(path); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".model-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.RemoveAll(tmp)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := WriteFile(filepath.Join(tmp, name), files[name]); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ManifestOf is the manifest of a model that no run of the network's has made.
func ManifestOf(t *model.Translator) ([]byte, error) {
	return json.MarshalIndent(Manifest{Model: t.ID().String(), Tests: []TestScore{}}, "", "  ")
}

// OpenModel reads a model's directory, and checks it against its manifest
// where there is one. Later changes of the files do not change the model.
func OpenModel(dir string) (*model.Translator, error) {
	t, err := model.Parse(func(name string) ([]byte, error) { return ReadPart(filepath.Join(dir, name), name == model.ParamsFile) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	data, err := ReadPart(filepath.Join(dir, ManifestFile), false)
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	} else if err != nil {
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	var m Manifest
	if json.Unmarshal(data, &m) != nil {
		return nil, fmt.Errorf("model %s: %s is not JSON, or damaged: get the model again", dir, ManifestFile)
	}
	if id := t.ID().String(); id != m.Model {
		return nil, fmt.Errorf("model %s: its files are of model %s, %s says %s: they were changed or damaged", dir, id, ManifestFile, m.Model)
	}
	return t, nil
}

// maxPart bounds the files of a model that are not its parameters.
const maxPart = 64 << 20

// ReadPart reads a file of a model, as it is now: what happens to the file later changes
// nothing. A file of parameters may be large, any other has at most 64 MiB.
func ReadPart(path string, large bool) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened, which may take for ever
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", filepath.Base(path))
	case info.Size() == 0, int64(int(info.Size())) != info.Size(), !large && info.Size() > maxPart:
		return nil, fmt.Errorf("%s has %d bytes", filepath.Base(path), info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The file is not mapped: a mapped file that another program cuts or overwrites would
	// end this process, or give other numbers under the CID that was computed before.
	data := largePages(int(info.Size()))
	if n, err := io.ReadFull(f, data); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s was cut to %d of %d bytes while it was read", filepath.Base(path), n, len(data))
	} else if err != nil {
		return nil, err
	}
	return data, nil
}
