package format

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
)

// wideTranslator is a model of each form that only models of version 5 have, from the tokenizer of a
// MarianMT.
func wideTranslator(t testing.TB) *model.Translator {
	t.Helper()
	tr := marianTranslator(t, true)
	m := tr.Model
	m.Form.Recurrent, m.Form.BareSource, m.Form.OwnOutput = true, true, true
	wide, err := model.NewTranslator(m, nmt.Init(m.Config(), 4), tr.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return wide
}

// TestWideGolden holds the CID of a model of version 5.
func TestWideGolden(t *testing.T) {
	tr := wideTranslator(t)
	const want = "bafyreie6b7dgy3eqq3dixsoxc7cwlmvmpadxjasr7xwcqxymgxnmiavkyy"
	if got := tr.ID().String(); got != want || tr.Model.Version != model.VersionWide {
		t.Errorf("model %s of version %d, want %s of %d", got, tr.Model.Version, want, model.VersionWide)
	}
	travels(t, "", tr)
}

// TestWideRecordRefuses: one form has one record, and a record that a stranger wrote is refused with
// its reason.
func TestWideRecordRefuses(t *testing.T) {
	ctx, tr, blocks := t.Context(), wideTranslator(t), &block.MemoryStore{}
	if _, err := tr.Put(ctx, blocks); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(*model.WideRecord)
		says   string
	}{
		"as it is":         {func(*model.WideRecord) {}, ""},
		"another version":  {func(w *model.WideRecord) { w.Version = 2 }, "version 2"},
		"another inside":   {func(w *model.WideRecord) { w.Narrow.Version = 2 }, "version 2"},
		"no form of its":   {func(w *model.WideRecord) { w.Recurrent, w.BareSource, w.OwnOutput = false, false, false }, "version 5 do not have"},
		"a first position": {func(w *model.WideRecord) { w.Narrow.FirstPosition = 2 }, "version 5 do not have"},
		"a start":          {func(w *model.WideRecord) { w.Narrow.Start = 3 }, "SSRUs and its targets begin with token 3"},
		"one file more":    {func(w *model.WideRecord) { w.Narrow.Files = append(w.Narrow.Files, w.Narrow.Files[2]) }, "4 files, want 3"},
		"a vocabulary":     {func(w *model.WideRecord) { w.Narrow.SourceVocab = 9 }, "3 files, want 4"},
		"an end":           {func(w *model.WideRecord) { w.Narrow.SourceEOS = 2 }, "token 2 ends sources"},
	} { // order-free: independent cases
		var w model.WideRecord
		if err := block.GetNode(ctx, blocks, tr.Model.Tokenizer, &w); err != nil {
			t.Fatal(err)
		}
		c.change(&w)
		m := tr.Model
		var err error
		if m.Tokenizer, err = block.PutNode(ctx, blocks, w); err != nil {
			t.Fatal(err)
		}
		link, err := block.PutNode(ctx, blocks, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(ctx, blocks, link); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", what, err, c.says)
		}
	}
	// A record of another version is no wide one.
	m := tr.Model
	m.Version = model.VersionTwo
	link, err := block.PutNode(ctx, blocks, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Load(ctx, blocks, link); err == nil {
		t.Error("a wide record is read as that of version 3")
	}
}
