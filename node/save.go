package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
)

// manifestFile binds a model's directory to the run that made it.
const manifestFile = "manifest.json"

// Manifest is what manifest.json says: the model's CID and where it comes from.
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

// SaveModel writes the outcome's model as a directory below dir, whole or
// not at all, and returns its path.
func SaveModel(ctx context.Context, b block.Blocks, dir string, plan *work.Plan, o *Outcome) (string, error) {
	t, err := work.LoadModel(ctx, b, o.Model)
	if err != nil {
		return "", err
	}
	files := t.Files()
	if files[manifestFile], err = json.MarshalIndent(Manifest{
		Model: o.Model.String(), Run: plan.Link.String(), Corpus: plan.Run.Corpus.String(), RoundLog: o.Head.String(),
		Rounds: o.Rounds, TrainLoss: o.Loss, ValidLoss: o.Valid, Tests: o.Tests,
	}, "", "  "); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	path := filepath.Join(dir, o.Model.String())
	tmp, err := os.MkdirTemp(dir, ".model-*")
	if err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	defer os.RemoveAll(tmp)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := WriteFile(filepath.Join(tmp, name), files[name]); err != nil {
			return "", fmt.Errorf("save model: %w", err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	if err := os.RemoveAll(path); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", fmt.Errorf("save model: %w", err)
	}
	return path, nil
}

// OpenModel reads a model's directory, and checks it against its manifest
// where there is one.
func OpenModel(dir string) (*work.Translator, error) {
	t, err := work.ParseModel(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return t, nil
	} else if err != nil {
		return nil, fmt.Errorf("model %s: %w", dir, err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("model %s: %s: %w", dir, manifestFile, err)
	}
	if id := t.ID().String(); id != m.Model {
		return nil, fmt.Errorf("model %s: its files are of model %s, %s says %s: they were changed or damaged", dir, id, manifestFile, m.Model)
	}
	return t, nil
}
