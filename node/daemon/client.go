package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Visit has the process that serves a socket run a command, copies the command's output,
// and returns its exit status. When ctx ends, the command is interrupted, and Visit goes
// on until the command has ended. The error wraps [ErrAbsent] if the command has not
// begun because no process serves the socket, and [ErrLost] if that process ended before
// the command.
func Visit(ctx context.Context, path string, c Command, stdin io.Reader, stdout, stderr io.Writer) (status int, err error) {
	if err := checkPath(path); err != nil {
		return 0, err
	}
	v := visitor{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	answer, err := v.begin(ctx, running, cancel, c)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	guest := answer.Header.Get("Location")
	defer context.AfterFunc(ctx, func() { v.send(running, http.MethodDelete, guest, nil) })()
	for lines := json.NewDecoder(answer.Body); ; {
		var f frame
		if err := lines.Decode(&f); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrLost, err)
		}
		switch {
		case f.Exit != nil:
			return *f.Exit, nil
		case f.Stdin:
			// Visit does not wait for this goroutine: a terminal may never send a key.
			go v.send(running, http.MethodPost, guest+"/stdin", io.NopCloser(stdin))
		}
		_, oerr := stdout.Write(f.Stdout)
		_, eerr := stderr.Write(f.Stderr)
		if err := errors.Join(oerr, eerr); err != nil {
			return 0, fmt.Errorf("the command's output cannot be written, so the command is interrupted: %w", err)
		}
	}
}

// visitor is a client of a socket.
type visitor struct{ http http.Client }

// begin sends a command, and returns the answer of a command that has begun. Until then
// ctx ends the request; afterwards running does.
func (v *visitor) begin(ctx, running context.Context, cancel context.CancelFunc, c Command) (*http.Response, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("send command: %w", err)
	}
	r, err := http.NewRequestWithContext(running, http.MethodPost, host+"/guests", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("send command: %w", err)
	}
	began := context.AfterFunc(ctx, cancel)
	answer, err := v.http.Do(r)
	if !began() {
		err = errors.Join(ctx.Err(), err)
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("send command: %w", err)
	case err != nil: // a command begins after the head of its answer
		return nil, fmt.Errorf("%w: %w", ErrAbsent, err)
	case answer.StatusCode == http.StatusCreated:
		return answer, nil
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusServiceUnavailable {
		return nil, ErrAbsent
	}
	why, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	return nil, errors.Join(fmt.Errorf("the process that serves the home refuses the command: %s", strings.TrimSpace(string(why))), err)
}

// host is what stands for a host in the URLs of a socket.
const host = "http://home"

// send sends standard input, or an interrupt, to a running guest. It ignores errors: a
// guest that has ended needs neither.
func (v *visitor) send(ctx context.Context, method, path string, body io.Reader) {
	r, err := http.NewRequestWithContext(ctx, method, host+path, body)
	if err != nil {
		return // the process that serves the home made the path
	}
	if answer, err := v.http.Do(r); err == nil {
		answer.Body.Close()
	}
}
