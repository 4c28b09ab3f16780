package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
)

// note prints a message for people, unless a program reads the output.
func (a *app) note(format string, args ...any) {
	if !a.events {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// openRun makes the directory of a run, whose checkpoints all stay if keep is set. The run
// is this command's until done is called.
func (a *app) openRun(run block.Link, keep bool) (dir string, done func(), err error) {
	if done, err = a.host.once("the run " + run.String()); err != nil {
		return "", nil, err
	}
	dir = a.home.Run(run)
	if err = os.MkdirAll(dir, 0o755); err != nil {
		err = fmt.Errorf("run's directory: %w", err)
	} else {
		err = node.KeepCheckpoints(dir, keep)
	}
	if err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

// modelDir is the directory of a model, given as a directory or as a CID in the home's models.
func (a *app) modelDir(model string) (string, error) {
	if model == "" {
		return "", usagef("--model is missing: give a model's directory or its CID")
	}
	if info, err := os.Stat(model); err == nil && info.IsDir() {
		return model, nil
	}
	if link, err := block.ParseLink(model); err == nil {
		dir := a.home.Model(link)
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		}
		if dir, ok := a.namedOtherwise(link); ok {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no model %s: it is neither a directory nor the CID of a model in %s; `alia model list` prints those", model, a.home.Models())
}

// namedOtherwise finds a model among the home's directories that have other names than
// their models' CIDs, by their manifests.
func (a *app) namedOtherwise(link block.Link) (dir string, ok bool) {
	entries, err := os.ReadDir(a.home.Models())
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		dir := filepath.Join(a.home.Models(), e.Name())
		if m, err := node.ReadManifest(dir); err == nil && m.Model == link.String() {
			return dir, true
		}
	}
	return "", false
}

// models and runs are the directories whose names --model and --run take.
func (a *app) models() string { return a.home.Models() }
func (a *app) runs() string   { return a.home.Runs() }

// openNetwork reads the network file.
func (a *app) openNetwork() (node.Network, error) {
	n, err := node.ReadNetwork(a.network)
	if errors.Is(err, fs.ErrNotExist) {
		return n, fmt.Errorf("%w: get the file of the network you want to join, and give it with --network or to `alia init`; translate, serve and train need no network with --local", err)
	}
	return n, err
}
