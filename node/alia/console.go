package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"
)

// console asks the person at the terminal: on the terminal itself, so that passwords and
// recovery phrases never stand in a file to which standard output or standard error goes.
type console struct {
	term *term.Terminal
	// raw has the terminal give every key at once, until restore is called.
	raw  func() (restore func() error, err error)
	dumb bool // it knows no escape sequences
}

// person returns the console of the person who gave the command, or nil if nobody is
// there: a person has standard input or standard error on a terminal, and is not at that
// of a guest, which belongs to another process.
func (a *app) person() (*console, error) {
	if a.guest || !term.IsTerminal(int(os.Stdin.Fd())) && !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, nil
	}
	if a.console == nil {
		c, err := openConsole()
		if err != nil {
			return nil, err
		}
		a.console = c // one for all questions, because it may have read the next answers
	}
	return a.console, nil
}

// openConsole opens the terminal of this process.
func openConsole() (*console, error) {
	in, out := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		in, out = "CONIN$", "CONOUT$"
	}
	r, rerr := os.OpenFile(in, os.O_RDWR, 0)
	w, werr := os.OpenFile(out, os.O_RDWR, 0)
	if err := errors.Join(rerr, werr); err != nil {
		return nil, fmt.Errorf("the terminal cannot be opened: %w", err)
	}
	c := &console{
		term: term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{r, w}, ""),
		raw: func() (func() error, error) {
			before, err := term.MakeRaw(int(r.Fd()))
			return func() error { return term.Restore(int(r.Fd()), before) }, err
		},
		dumb: os.Getenv("TERM") == "dumb",
	}
	if err := c.term.SetSize(sizeOf(w)); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return c, nil
}

// Write prints a text.
func (c *console) Write(text []byte) (int, error) { return c.term.Write(text) }

// ask prints a prompt and reads a line. A secret line is not shown while it is typed. The
// error is an [interruption] when the person leaves, or ctx ends.
func (c *console) ask(ctx context.Context, prompt string, secret bool) (string, error) {
	restore, err := c.raw()
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	// When ctx ends, nobody waits for this goroutine: a terminal may never send a key.
	go func() {
		var got answer
		if secret {
			got.line, got.err = c.term.ReadPassword(prompt)
		} else {
			c.term.SetPrompt(prompt)
			got.line, got.err = c.term.ReadLine()
			c.term.SetPrompt("")
		}
		answered <- got
	}()
	var got answer
	select {
	case got = <-answered:
	case <-ctx.Done():
		got.err = io.EOF
	}
	if err := restore(); err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	if errors.Is(got.err, io.EOF) { // Ctrl-C, Ctrl-D or the terminal's end
		fmt.Fprintln(os.Stderr) // the line that the person has left
		return "", interruption{"the command is not done"}
	} else if got.err != nil {
		return "", fmt.Errorf("terminal: %w", got.err)
	}
	return got.line, nil
}

// page begins an empty screen, which leave takes away with all that was on it.
func (c *console) page() (leave func()) {
	if c.dumb {
		return func() {}
	}
	fmt.Fprint(c, "\x1b[?1049h") // the alternate screen of xterm
	return func() { fmt.Fprint(c, "\x1b[?1049l") }
}

// clear empties the screen.
func (c *console) clear() {
	if !c.dumb {
		fmt.Fprint(c, "\x1b[H\x1b[2J")
	}
}
