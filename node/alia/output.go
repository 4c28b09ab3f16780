package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// output is standard output. It remembers the first write that failed, such as
// one to a full disk: a command whose result is lost must not end in status 0,
// whether or not the code that printed the result looked at the error.
type output struct {
	to io.Writer

	mu  sync.Mutex // guards the field below
	err error
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = fmt.Errorf("the result is not written whole: %w", err)
		}
	}
	return n, err
}

// failed is the first error of Write, or nil.
func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// isTerminal reports whether a command's standard output is this process's terminal.
func isTerminal(w io.Writer) bool {
	o, ok := w.(*output)
	if !ok {
		return false
	}
	f, ok := o.to.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
