package main

import (
	"io"
	"testing"

	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/work/train"
)

// TestExample: the file in examples is one that can be trained by.
func TestExample(t *testing.T) {
	l := trainFlags{config: "../../examples/training/run.toml"}
	cfg, preset, undecided, err := l.configure(&app{stderr: io.Discard})
	if err != nil || preset != "tiny" || len(undecided) > 0 || cfg.Decay != train.Cosine || cfg.ClipPPM != options.Million {
		t.Errorf("preset %q, undecided %v, %+v, %v", preset, undecided, cfg, err)
	}
}
