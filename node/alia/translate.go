package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node/stream"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/terms"
)

// translateHelp is the long help of alia translate.
const translateHelp = `Translate files, folders or standard input.

A document comes back as the same document: its texts are taken out, their
translations are put in, and every other byte stays. --output names the file to
write, or the folder where several files or a folder go. A folder keeps its
tree; files of other kinds are skipped. A file that exists is replaced only with
--force. A kind of file that is not supported is refused.

A segment is a paragraph, a cell, a line or another text of a document. The
command names each segment that a person should look at: because a tag found no
place in the translation, or because the translation looks wrong. It looks wrong
when it repeats itself, is far too long or short, or is a copy. A text without
letters is copied: no model sees it, and no term of a glossary changes it.

Each segment that is done is kept in the home's translation memory (alia
memory). Whoever has the disk can read it; --no-memory keeps nothing. An
interrupted command goes on when it is given again. No segment is paid for twice
under one model and one setting.

Without --model the command takes the best model for the languages, and names
it: with --local the best in the home ("alia model list"), else the best that
miners serve. With --from auto the program finds the language of each document.
Some models have several target languages: --to chooses one, such as fra or fr,
and a text that begins with a code, such as >>fra<<, chooses its own.

With --local this process computes the translation, and nobody is paid. Plain
text without --output is translated as a stream, line for line: each line comes
out as soon as it is done, as in a pipe. Bytes that are not UTF-8 and control
characters are replaced. A sentence too long for the model is cut, and the
translations of its parts are joined. A warning at the end counts both. The
first ten sentences whose translations look wrong are named, and with --json
all.

With --alignments each word of a translation is linked to the source words that
the model attends to. 1-2 links word 1 of the line to word 2 of its translation;
words are counted from 0. White space separates words, but each letter of
Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan is a word.

With --n-best several translations of each line are printed, each with the
number of its line, from 0, and its score. The score is the log-probability in
nats, divided by the length in tokens to the power of --length-penalty. A line
of several sentences first has the best translation of each, then the second
best of each, and so on; the scores are added. No translation of a line is
printed twice, so there may be fewer. With --json the key translations has for
each line a list of objects with text and score.

With --prefix a line is one sentence, a tab, and the text that its translation
begins with, which may end within a word. Neither goes with --alignments.

Without --local the miners of a network compute the translation. --privacy says
who may read the text. sealed: each miner reads the parts that it translates,
and nobody else reads anything. private: the same, and only the miners of
--miner translate. open: everybody. With --check this machine translates some
sentences again, drawn so that no miner knows them before. A miner that gave a
wrong translation is not asked again.

This home's account pays the miners. When the work begins, the ledger sets aside
the most that the text can cost. When the work is done, the miners' pay is
claimed; the ledger pays it some heights later. The unspent part comes back with
a later alia translate, or with "alia wallet reclaim". Amounts are in ALIA; with
--json in 1e-8 ALIA.

The receipt of a document is one file. It says what was translated into what, by
which miners, and what they are paid; "alia verify" checks it. It is kept in the
home, or in the file of --receipt. With --local there is a receipt only with
--receipt. Whoever has the file can read the text.

With --json the result of one file has the keys input, output, segments, reused
(from the memory), flagged (for a person), flags, paid and receipt; that of a
folder or of several files has files, a list of these, and skipped and failed.
Files: `

// translateFlags is all flags of alia translate.
type translateFlags struct {
	decodeFlags
	local
	buyFlags
	here     bool
	from, to string
	output   string
	force    bool
	noMemory bool
	glossary string
	receipt  string
	deadline time.Duration
	nBest    int
	prefix   bool
}

// onlyDocuments are the flags that mean nothing for a stream of plain text, and onlyStreams
// those that mean nothing for a document.
var (
	onlyDocuments = []string{"force", "no-memory", "receipt"}
	onlyStreams   = []string{"batch", "whole-lines", "n-best", "prefix", "alignments"}
)

func newTranslate(a *app) *cobra.Command {
	var o translateFlags
	cmd := &cobra.Command{
		Use:   "translate [--local] --to LANGUAGE [FILE|FOLDER]... [--output PATH]",
		Short: "Translate files and folders, alone or through a network",
		Long:  translateHelp + formatNames() + ".",
		Example: `  alia translate --local --to de letter.docx --output brief.docx
  alia translate --to de manual --output handbuch --budget 2 --deadline 1h
  alia translate --local --model DIR letter.txt > brief.txt
  tail -f log | alia translate --local --model DIR | grep -i fehler`,
		DisableFlagsInUseLine: true,
		RunE:                  func(cmd *cobra.Command, args []string) error { return o.run(cmd, a, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.here, "local", false, "translate in this process: no network, no pay")
	f.StringVar(&o.from, "from", auto, "`LANGUAGE` of the text, such as en; with auto it is that of --model, or the program finds it")
	f.StringVar(&o.to, "to", "", "`LANGUAGE` to translate into, such as de (default: the model's)")
	f.StringVar(&o.output, "output", "", "`PATH` of the file to write, or of the folder (default: standard output)")
	f.BoolVar(&o.force, "force", false, "replace files that exist")
	f.BoolVar(&o.noMemory, "no-memory", false, "look nothing up in the translation memory, and keep nothing there")
	f.StringVar(&o.glossary, "glossary", "", "`FILE` of terms, each line a source term, a tab and the target term that must stand in the translation (default: none)")
	f.StringVar(&o.receipt, "receipt", "", "`FILE` for the receipt of one document (default: kept in the home; with --local there is none)")
	f.DurationVar(&o.deadline, "deadline", 0, "`TIME`, such as 10m, after which the command ends; what is done then is kept; 0 is none")
	f.IntVar(&o.nBest, "n-best", 0, "with --local: print the best `NUMBER` of translations of each line, at most --beam, as \"line ||| translation ||| score\"; 0 prints the best alone")
	f.BoolVar(&o.prefix, "prefix", false, "with --local: begin the translation of a line with what follows the line's last tab")
	// Other commands name languages so.
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		switch name {
		case "src":
			name = "from"
		case "tgt":
			name = "to"
		}
		return pflag.NormalizedName(name)
	})
	o.decodeFlags.flags(f)
	f.Lookup("model").Usage = "`MODEL` to use: its directory, or its CID (default: the best for the languages)"
	o.local.flags(cmd)
	o.buyFlags.flags(cmd)
	a.eventsFlag(cmd)
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// formatNames lists the kinds of documents, by the usual ends of their names, in lines that
// fit a terminal.
func formatNames() string {
	var b strings.Builder
	line := 0
	for i, f := range document.Formats() {
		name := f.Extensions()[0]
		switch {
		case i == 0:
		case line+len(", ")+len(name) > formatLine:
			b.WriteString(",\n")
			line = 0
		default:
			b.WriteString(", ")
			line += len(", ")
		}
		b.WriteString(name)
		line += len(name)
	}
	return b.String()
}

// formatLine is the most columns of a line of formatNames: words stand before the first.
const formatLine = 56

// run checks the flags and finds the way to translate.
func (o *translateFlags) run(cmd *cobra.Command, a *app, args []string) error {
	if o.from == "" {
		o.from = auto
	}
	if o.deadline < 0 {
		return usagef("--deadline %v: give a time from now, such as 10m", o.deadline)
	}
	if o.model == "" && o.to == "" {
		return usagef("--to is missing: give the language to translate into, such as --to de, or a --model")
	}
	// An option of the other way to translate is refused, never ignored.
	if o.here {
		if err := a.goesWith("without --local: this process asks no miner, and pays nobody", onlyNetwork...); err != nil {
			return err
		}
	} else if err := a.goesWith("with --local: miners choose how they compute", onlyLocal...); err != nil {
		return err
	}
	if err := o.checkNBest(a); err != nil {
		return err
	}
	if o.batch < 1 || o.batch > stream.MaxBatch {
		return usagef("--batch %d: give 1 to %d", o.batch, stream.MaxBatch)
	}
	ctx := cmd.Context()
	if o.deadline > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, o.deadline)
		defer stop()
	}
	err := o.dispatch(ctx, cmd, a, args)
	return overdue(ctx, err, o.deadline)
}

// dispatch translates as documents or as a stream, here or through the network.
func (o *translateFlags) dispatch(ctx context.Context, cmd *cobra.Command, a *app, args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	stream, err := o.stream(a, args)
	if err != nil {
		return err
	}
	switch {
	case stream && o.here:
		return o.filter(ctx, a, args[0], cmd.InOrStdin())
	case o.here:
		return o.documents(ctx, a, args, cmd.InOrStdin())
	}
	return a.atHome(cmd, func(context.Context) error {
		// If another process serves the home, the command begins again there: a pipe
		// that was read here would be empty.
		if _, err := a.host.open(ctx, a); err != nil {
			return err
		}
		if stream {
			return o.buyText(ctx, a, args[0], cmd.InOrStdin())
		}
		return o.documents(ctx, a, args, cmd.InOrStdin())
	})
}

// stream reports whether the input is plain text that is printed line for line. It checks
// the flags that go with only one of the two.
func (o *translateFlags) stream(a *app, args []string) (bool, error) {
	paths := make([]string, len(args))
	for i, arg := range args {
		if paths[i] = a.path(arg); arg == "-" {
			paths[i] = arg
		}
	}
	if slices.Contains(args, "-") && len(args) > 1 {
		return false, usagef("standard input (-) is translated alone: give the files in a command of their own")
	}
	info, err := os.Stat(paths[0])
	folder := len(args) > 1 || err == nil && info.IsDir()
	if folder && o.output == "" {
		return false, usagef("--output is missing: give the folder to write to")
	}
	if folder && o.receipt != "" {
		return false, usagef("--receipt is the file for the receipt of one document: leave it out, and the receipts of all are kept in the home")
	}
	if folder || o.output != "" || isDocument(args[0]) {
		return false, a.goesWith("with plain text that is printed, without --output", onlyStreams...)
	}
	if err := a.goesWith("with --output", onlyDocuments...); err != nil {
		return false, err
	}
	return true, checkFormat(args[0])
}

// openGlossary reads a glossary; that of no file is empty.
func openGlossary(name string) (*terms.Glossary, error) {
	if name == "" {
		return terms.New(nil)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--glossary: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, terms.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	g, err := terms.Parse(data)
	if err != nil {
		return nil, usagef("%s: %v", name, err)
	}
	return g, nil
}

// isDocument reports whether a file's name is that of a document with more than plain text.
func isDocument(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return slices.ContainsFunc(document.Formats(), func(f document.Format) bool {
		return f != plainText && slices.Contains(f.Extensions(), ext)
	})
}

// plainText is the format of files without anything but text.
const plainText document.Format = "txt"
