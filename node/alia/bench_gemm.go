package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/alia/gemmpeer"
	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/work/train"
)

// newBenchGemm is alia bench gemm.
func newBenchGemm(a *app) *cobra.Command {
	var c deviceFlags
	var peer, arithmetic string
	var classes []string
	cmd := &cobra.Command{
		Use:   "gemm",
		Short: "Measure matrix products, beside OpenBLAS where it is installed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if peer != "" && peer != "openblas" {
				return usagef("--peer %s: give openblas, the only library to measure beside", peer)
			}
			if !slices.Contains(train.Arithmetics(), arithmetic) {
				return usagef("--arithmetic %s: give one of %s", arithmetic, strings.Join(train.Arithmetics(), ", "))
			}
			if arithmetic == train.Int8 && (peer != "" || len(classes) > 0) {
				return usagef("--arithmetic int8 measures beside our own binary32 products: leave out --peer and --class")
			}
			cases := bench.GemmCases()
			if len(classes) > 0 {
				cases = slices.DeleteFunc(cases, func(c bench.GemmCase) bool { return !slices.Contains(classes, c.Class) })
			}
			if len(cases) == 0 {
				return usagef("--class %v: give large, small, attention or training", classes)
			}
			dev, err := c.open(a)
			if err != nil {
				return err
			}
			if !dev.Host() && len(classes) == 0 {
				cases = append(cases, bench.GemmCase{Class: "large", Variant: "NN", M: 4096, N: 4096, K: 4096, Batch: 1})
			}
			b := bench.Gemm{Device: dev, Threads: c.threads, Rounds: 7, Sample: 25 * time.Millisecond}
			if arithmetic == train.Int8 {
				r, err := b.RunCodes(cmd.Context(), bench.CodesCases())
				if err != nil {
					return undone(cmd.Context(), err, "nothing is measured")
				}
				return a.result(r, codesText{r}.print)
			}
			if peer != "" {
				if b.Peer, err = gemmpeer.Start(cmd.Context()); err != nil {
					a.note("OpenBLAS cannot be measured, so there are no ratios: %v", err)
				} else {
					defer b.Peer.Close()
					a.note("peer: %s on its %s kernels, %s", b.Peer.Library, b.Peer.Core, b.Peer.Config)
				}
			}
			r, err := b.Run(cmd.Context(), cases)
			if err != nil {
				return undone(cmd.Context(), err, "nothing is measured")
			}
			return a.result(r, gemmText{r}.print)
		},
	}
	c.flags(cmd)
	threads := cmd.Flags().Lookup("threads") // the goals are for one
	c.threads, threads.DefValue = 1, "1"
	cmd.Flags().StringVar(&peer, "peer", "", "`LIBRARY` to measure beside: openblas, where it is installed")
	cmd.Flags().StringVar(&arithmetic, "arithmetic", train.Binary32, "`ARITHMETIC` of the products: binary32; or int8, which measures the products of 8-bit codes in training beside the same products in binary32")
	cmd.Flags().StringSliceVar(&classes, "class", nil, "`CASES` to measure, separated by commas: large, small, attention, training (default: all)")
	return cmd
}

// gemmText is a report for people.
type gemmText struct{ *bench.GemmReport }

func (r gemmText) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	number := func(x *float64, format string) string {
		if x == nil {
			return "-"
		}
		return fmt.Sprintf(format, *x)
	}
	fmt.Fprintln(t, "class\tvariant\tm\tn\tk\tbatch\tGFLOP/s\tof peak\tpeer\tratio\t")
	for i := range r.Cases {
		c := &r.Cases[i]
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%.1f\t%s\t%s\t%s\t\n", c.Class, c.Variant, c.M, c.N, c.K, c.Batch,
			c.GFLOPS, number(c.PeakShare, "%.2f"), number(c.PeerGFLOPS, "%.1f"), number(c.Ratio, "%.2f"))
	}
	t.Flush()
	fmt.Fprintf(w, "%s, %d threads; peak %s GFLOP/s, large cases %s of it\n", r.Kernels, r.Threads,
		number(r.PeakGFLOPS, "%.1f"), number(r.PeakShareMedian, "%.2f"))
	fmt.Fprintf(w, "ratio to the peer: large %s, worst %s; small %s\n",
		number(r.MedianRatio, "%.2f"), number(r.WorstRatio, "%.2f"), number(r.SmallMedianRatio, "%.2f"))
	fmt.Fprintf(w, "two threads to one: %s\n", number(r.TwoThreadSpeedup, "%.2f"))
}

// codesText is a report for people.
type codesText struct{ *bench.CodesReport }

func (r codesText) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	number := func(x *float64, format string) string {
		if x == nil {
			return "-"
		}
		return fmt.Sprintf(format, *x)
	}
	fmt.Fprintln(t, "product\ttokens\tin\tout\tint8 Gop/s\tof peak\tbinary32 GFLOP/s\tratio\t")
	for i := range r.Cases {
		c := &r.Cases[i]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.1f\t%s\t%.1f\t%.2f\t\n", c.Product, c.Tokens, c.In, c.Out,
			c.GOPS, number(c.PeakShare, "%.2f"), c.ChainGFLOPS, c.Ratio)
	}
	t.Flush()
	fmt.Fprintf(w, "%s, %d threads; peak %s Gop/s, median case %s of it, worst %s\n", r.Kernels, r.Threads,
		number(r.PeakGOPS, "%.1f"), number(r.PeakShareMedian, "%.2f"), number(r.WorstPeakShare, "%.2f"))
	fmt.Fprintf(w, "int8 to binary32: median %.2f, worst %.2f\n", r.MedianRatio, r.WorstRatio)
}
