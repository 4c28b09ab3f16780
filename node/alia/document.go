package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/work/document"
)

func newDocument(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "document", Short: "Check what a document keeps when it is translated"}, newDocumentCheck(a))
}

func newDocumentCheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Rebuild a document from its own text, and compare the two",
		Long: `Take the text out of a document, put the same text in again, and compare the
result with the document byte for byte. So nobody needs to believe that a
translation changes the text only. The exit status is 1 if a byte differs.

The kinds of files: ` + formatNames() + `.`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, name := cmd.InOrStdin(), args[0]
			if name != "-" {
				f, err := os.Open(name)
				if err != nil {
					return fmt.Errorf("read document: %w", err)
				}
				defer f.Close()
				in = f
			}
			data, err := translate.ReadAll(name, in)
			if err != nil {
				return err
			}
			d, err := document.Parse(name, data)
			if err != nil {
				return err
			}
			again, err := d.Check()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			r := report.CheckedDocument{Format: string(d.Format), Segments: len(d.Segments), Identical: bytes.Equal(data, again)}
			var differs error
			if !r.Identical {
				differs = fmt.Errorf("%s: rebuilt from its own segments, the file has other bytes: this is a bug of ALIA", name)
			}
			return errors.Join(a.result(r, func(w io.Writer) {
				if r.Identical {
					fmt.Fprintf(w, "%s: %s, %s, rebuilt with the same bytes\n", name, r.Format, english.Plural(r.Segments, "segment", ""))
				}
			}), differs)
		},
	}
}
