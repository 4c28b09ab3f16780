package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/daemon"
	"github.com/alia-network/alia/node/report"
)

// interruption is the error of a command that an interrupt ended before it was
// done. Its text says which work is unfinished, and how to continue.
type interruption struct{ text string }

func (e interruption) Error() string { return e.text }

// undone gives the error of a command that ctx ended a text that says what was
// not done. Other errors stay as they are.
func undone(ctx context.Context, err error, format string, args ...any) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return interruption{fmt.Sprintf(format, args...)}
}

// drained is the error of a command that runs until it is interrupted: then it
// is done. It tells a guest that was not interrupted by its own user.
func (a *app) drained(ctx context.Context, err error) error {
	if ctx.Err() == nil || err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(context.Cause(ctx), daemon.ErrStopped) {
		a.note("ended: %v", daemon.ErrStopped)
	}
	return nil
}

// interrupted tells that cmd was interrupted, and what was not done: in words,
// and as JSON where a program waits for the result.
func (a *app) interrupted(ctx context.Context, cmd *cobra.Command, err error) {
	text := "the command is not done"
	var i interruption
	if errors.As(err, &i) {
		text = i.text
	} else if !errors.Is(err, context.Canceled) {
		text += ": " + err.Error()
	}
	if errors.Is(context.Cause(ctx), daemon.ErrStopped) {
		text = fmt.Sprintf("%v: %s", daemon.ErrStopped, text)
	}
	fmt.Fprintf(a.stderr, "alia: interrupted: %s\n", text)
	if !a.json || a.events {
		return
	}
	data, err := json.Marshal(report.Interrupted{Interrupted: true, Command: cmd.CommandPath(), Text: text})
	if err != nil {
		a.log.Error("interrupt not reported", "err", err)
		return
	}
	a.line(data)
}
