package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/alia-network/alia/protocol"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// plainError is an error of libp2p with a text of one line for people.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.err }

// plain returns err with a text of one line. When ctx has ended, the end of ctx
// is the error: libp2p then reports a stream reset, which is only a consequence.
func plain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var dial *swarm.DialError
	var timeout net.Error
	switch {
	case err == nil, protocol.ReasonOf(err) != protocol.Unspecified:
		return err
	case errors.As(err, &dial):
		return &plainError{dialText(dial), err}
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return protocol.Refuse(protocol.TimedOut, "no answer in time: %w", errors.Join(ctx.Err(), err))
	case errors.Is(err, network.ErrReset), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &plainError{"the connection was closed", err}
	}
	return err
}

// dialText names the addresses that were dialled and why each failed.
func dialText(e *swarm.DialError) string {
	var causes []string
	for _, t := range e.DialErrors {
		cause := t.Cause
		var errno syscall.Errno
		if errors.As(cause, &errno) { // without the repeated address
			cause = errno
		}
		causes = append(causes, fmt.Sprintf("%s: %v", t.Address, cause))
	}
	if len(causes) == 0 {
		return fmt.Sprintf("not reachable: %v", e.Cause)
	}
	return "not reachable at " + strings.Join(causes, ", ")
}
