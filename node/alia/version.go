package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/kernel"
)

// version is the version of this program, which miners send to publishers.
const version = "0.1.0"

// about is what `alia version` says.
type about struct {
	Version  string   `json:"version"`
	Numerics string   `json:"numerics"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Kernels  []string `json:"kernels"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program, and its kernels",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := about{version, kernel.Numerics, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, kernel.Names()}
			return a.result(v, func(w io.Writer) {
				fmt.Fprintf(w, "alia %s, %s, %s %s, kernels %s\n", v.Version, v.Numerics, v.Go, v.Platform, strings.Join(v.Kernels, " "))
			})
		},
	}
}
