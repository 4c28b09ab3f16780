// Package daemon lets the process that serves a home run commands of other processes,
// its guests.
//
// A home has one key, one block store and one place in the mesh, so one process serves
// it. A second command of the same home does not wait for the first: it becomes a guest.
// Its process sends the command over a Unix socket, copies what the guest prints, and
// ends with the guest's exit status.
//
//	s, err := daemon.Serve(path, func(ctx context.Context, g *daemon.Guest) int {
//		fmt.Fprintln(g.Stdout, "hello", g.Args)
//		return 0
//	})
//	defer s.Close(ctx) // waits for the guests
//
// In the other process:
//
//	status, err := daemon.Visit(ctx, path, daemon.Command{Args: os.Args[1:]}, os.Stdin, os.Stdout, os.Stderr)
//
// The protocol is HTTP. POST /guests has a [Command] as JSON. The answer, 201, names the
// guest in its Location, and goes on for as long as the guest runs: one JSON object a
// line, with output, or with the exit status in the last line. POST to Location/stdin
// sends standard input, which the guest asks for with a line. DELETE of Location
// interrupts the guest, as Ctrl-C does. A guest is interrupted, too, when the connection
// of its answer breaks.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// Command is a command as its user gave it.
type Command struct {
	Args []string `json:"args"` // without the program's name
	Dir  string   `json:"dir"`  // the absolute path that paths in Args are relative to
	Env  []string `json:"env"`  // NAME=VALUE
	// Columns is the width of the terminal at standard error; 0 if there is no terminal.
	Columns int `json:"columns,omitempty"`
}

// Guest is a command of another process that runs in this one.
type Guest struct {
	Command
	// Began is when the guest came.
	Began time.Time
	// Stdin is asked for when it is first read: a guest that reads nothing takes
	// nothing from a pipe.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ErrAbsent is wrapped by the error of [Visit] when no process serves the socket, or
// when the process that does is about to end. The command has not begun.
var ErrAbsent = errors.New("no process serves the home")

// ErrLost is wrapped by the error of [Visit] when the process that served the socket
// ended before the guest did.
var ErrLost = errors.New("the process that served the home ended before this command was done")

// ErrStopped is the cause of a guest's context when the process that serves the home
// ends, and did not wait for the guest.
var ErrStopped = errors.New("the process that serves the home ends")

// frame is a line of the answer. One of its fields is set.
type frame struct {
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Stdin  bool   `json:"stdin,omitempty"` // the guest reads standard input
	Exit   *int   `json:"exit,omitempty"`  // the guest ended
}

// checkPath refuses a path that is too long for a socket.
func checkPath(path string) error {
	if most := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > most {
		return fmt.Errorf("the path of the socket %s has %d bytes, and this system takes %d: choose a home with a shorter path", path, len(path), most)
	}
	return nil
}
