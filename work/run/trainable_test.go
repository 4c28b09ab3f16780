package run

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
)

// TestTrainable: a model whose form no run trains is refused by name, before any work.
func TestTrainable(t *testing.T) {
	for want, form := range map[string]nmt.Form{
		"":                      {PostNorm: true},
		"recurrent":             {Recurrent: true},
		"vocabulary of its own": {SourceVocab: 300},
	} {
		err := trainable(model.Model{Form: form}, block.Link{})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", form, err, want)
		}
	}
}
