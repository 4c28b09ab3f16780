package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write a manual page for each command",
		Example: "  alia man ~/.local/share/man/man1\n  man alia-train",
		Args:    exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			err := doc.GenManTreeFromOpts(cmd.Root(), doc.GenManTreeOptions{
				Header: &doc.GenManHeader{Section: "1", Source: "alia " + version, Manual: "ALIA"},
				Path:   dir, CommandSeparator: "-",
			})
			if err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			pages, err := filepath.Glob(filepath.Join(dir, "alia*.1"))
			if err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			return a.result(struct {
				Path  string `json:"path"`
				Pages int    `json:"pages"`
			}{dir, len(pages)}, func(w io.Writer) {
				fmt.Fprintf(w, "%d pages in %s\n", len(pages), dir)
			})
		},
	}
}
