// Package gemmpeer talks to the program that times another library's matrix
// products for comparison. It is a separate program, so that alia stays one
// static binary.
//
// The program writes one JSON object a line: first a [Hello], then a [Reply]
// to each [Request] it reads, until its input ends.
//
//	p, err := gemmpeer.Start(ctx)
//	defer p.Close()
//	r, err := p.Time(gemmpeer.Request{Variant: "NN", M: 256, N: 512, K: 512, Batch: 1, Repeats: 10, Threads: 1})
package gemmpeer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Program is the name of the program, which lies beside alia or in the PATH.
const Program = "gemm-peer"

// Hello names the library that was opened and its processor, or the reason why none was opened.
type Hello struct {
	Error   string  `json:"error,omitempty"`
	Library string  `json:"library,omitempty"`
	Config  string  `json:"config,omitempty"`       // openblas_get_config
	Core    string  `json:"core,omitempty"`         // openblas_get_corename: whose kernels it picked
	Call    float64 `json:"call_seconds,omitempty"` // of an empty call from Go, taken off each product's time
}

// Request asks for Batch products C [m,n] = A B over k, each on its own matrices.
// They are computed Repeats times, by Threads threads. Variant is NN, NT (B is
// [n,k]) or TN (A is [k,m]).
type Request struct {
	Variant string `json:"variant"`
	M       int    `json:"m"`
	N       int    `json:"n"`
	K       int    `json:"k"`
	Batch   int    `json:"batch"`
	Repeats int    `json:"repeats"`
	Threads int    `json:"threads"`
}

// Reply is the time of all repeats.
type Reply struct {
	Error string  `json:"error,omitempty"`
	CPU   float64 `json:"cpu_seconds"`
	Wall  float64 `json:"wall_seconds"`
}

// Baseline is a running program with another library, to compare with.
type Baseline struct {
	Hello

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// ErrNoLibrary is wrapped when the program runs and OpenBLAS is not there.
var ErrNoLibrary = errors.New("no OpenBLAS to load")

// Start runs the program and waits for its hello. The error says what to
// install where the program or the library is missing.
func Start(ctx context.Context) (*Baseline, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	p := &Baseline{cmd: exec.CommandContext(ctx, path)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	err = p.receive(&p.Hello)
	if err == nil && p.Hello.Error != "" {
		err = fmt.Errorf("%w: %s; Debian's package is libopenblas0-pthread", ErrNoLibrary, p.Hello.Error)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// find looks beside this program, then in the PATH.
func find() (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), Program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(Program)
	if err != nil {
		return "", fmt.Errorf("%w: make build puts it beside alia, on Linux on amd64 and arm64", err)
	}
	return path, nil
}

// Time has the program do q.
func (p *Baseline) Time(q Request) (Reply, error) {
	var r Reply
	if err := json.NewEncoder(p.in).Encode(q); err != nil {
		return r, fmt.Errorf("ask %s: %w", Program, err)
	}
	if err := p.receive(&r); err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// receive reads the next line.
func (p *Baseline) receive(to any) error {
	if !p.out.Scan() {
		return fmt.Errorf("%s ended: %w", Program, errors.Join(p.out.Err(), io.ErrUnexpectedEOF))
	}
	if err := json.Unmarshal(p.out.Bytes(), to); err != nil {
		return fmt.Errorf("read what %s says: %w", Program, err)
	}
	return nil
}

// Close ends the program's input, at which it exits, and waits for it. That it
// found no library is no error here.
func (p *Baseline) Close() error {
	err := p.in.Close()
	var exit *exec.ExitError
	if werr := p.cmd.Wait(); werr != nil && !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	return err
}
