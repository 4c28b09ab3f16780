package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol/disk"
)

func newMemory(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "memory",
		Short: "Show, exchange and clear the translation memory",
		Long: `Show, exchange and clear the home's translation memory: the segments that alia
translate and alia serve have translated. A segment is a paragraph, a cell, a
line or another text of a document. The same segment under the same model and
the same settings is taken from there, and is neither computed nor paid for
again.

Translations that people made can be imported. They belong to no model, and are
used in place of the translations of every model.`,
	}, newMemoryShow(a), newMemoryExport(a), newMemoryImport(a), newMemoryClear(a))
}

func newMemoryShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show how much the translation memory holds",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := a.openMemory()
			if err != nil {
				return err
			}
			defer m.Close()
			s := m.Stats()
			return a.result(s, func(w io.Writer) {
				fmt.Fprintf(w, "%s in %s, of at most %s, in %s\n", english.Plural(s.Entries, "segment", ""), machine.MiB(uint64(s.Bytes)), machine.MiB(uint64(s.Limit)), a.home.Memory())
				if s.Damaged > 0 {
					fmt.Fprintf(w, "%s damaged, and passed over\n", english.Plural(s.Damaged, "line is", "lines are"))
				}
			})
		},
	}
}

func newMemoryExport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE.tmx",
		Short: "Write the translation memory for other programs",
		Long: `Write the translation memory as a TMX 1.4b file, the oldest segments first. With
the properties x-alia-model and x-alia-how, alia memory import takes them for
the same model and settings again. Whoever gets the file can read all texts.`,
		Args: exactArgs("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := a.openMemory()
			if err != nil {
				return err
			}
			defer m.Close()
			var out bytes.Buffer
			n, err := memory.WriteTMX(&out, m.All())
			if err == nil {
				err = disk.WriteFileMode(disk.OS, args[0], out.Bytes(), 0o600)
			}
			if err != nil {
				return fmt.Errorf("export memory: %w", err)
			}
			return a.result(exchanged{Path: args[0], Entries: n}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\n", args[0], english.Plural(n, "segment", ""))
			})
		},
	}
}

// exchanged is the result of alia memory import and export.
type exchanged struct {
	Path    string `json:"path"`
	Entries int    `json:"entries"`
	*memory.TMXFindings
}

// importedTogether is how many translations are kept at a time.
const importedTogether = 1000

func newMemoryImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE.tmx",
		Short: "Take translations of people or of another machine into the memory",
		Long: `Take the translations of a TMX file into the memory. Those that this program
exported belong to their model again. All others are taken for the work of a
person, and go before those of every model: import no file that you do not
trust. Units with codes of a file format inside are passed over.`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("import memory: %w", err)
			}
			defer f.Close()
			m, err := a.openMemory()
			if err != nil {
				return err
			}
			defer m.Close()
			r := exchanged{Path: args[0], TMXFindings: &memory.TMXFindings{}}
			var some []memory.Known
			for e, err := range memory.ReadTMX(f, r.TMXFindings) {
				if err == nil {
					err = cmd.Context().Err()
				}
				if err != nil {
					return undone(cmd.Context(), fmt.Errorf("import %s: %w (%d segments are imported)", args[0], err, r.Entries), "%d segments are imported", r.Entries)
				}
				if some = append(some, e); len(some) == importedTogether {
					if err := m.Put(some...); err != nil {
						return err
					}
					some, r.Entries = some[:0], r.Entries+importedTogether
				}
			}
			if err := m.Put(some...); err != nil {
				return err
			}
			r.Entries += len(some)
			if err := m.Sync(); err != nil {
				return err
			}
			return a.result(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s imported\n", args[0], english.Plural(r.Entries, "segment", ""))
				for _, p := range []struct {
					n   int
					why string
				}{{r.Codes, "with codes of a file format inside"}, {r.Empty, "without a text in two languages"}, {r.Long, "with a text that is too long"}} {
					if p.n > 0 {
						fmt.Fprintf(w, "%s %s passed over\n", english.Plural(p.n, "unit", ""), p.why)
					}
				}
			})
		},
	}
}

func newMemoryClear(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clear",
		Short: "Remove all segments from the translation memory",
		Long: `Remove all segments from the translation memory, also the translations of people
and approved corrections. A document that is translated again is then paid for
again. To keep a copy, give alia memory export first.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := a.openMemory()
			if err != nil {
				return err
			}
			defer m.Close()
			before := m.Stats()
			if err := m.Clear(); err != nil {
				return err
			}
			return a.result(struct {
				Removed int `json:"removed"`
			}{before.Entries}, func(w io.Writer) {
				fmt.Fprintf(w, "%s removed\n", english.Plural(before.Entries, "segment", ""))
			})
		},
	}
}
