package swarm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
)

// message is something a process says or does.
type message struct {
	from   *process
	notice node.Notice     // nil: none
	result json.RawMessage // its last line, when it printed a result
	exited bool
	err    error // of an exited process; nil for status 0
}

// process is a child of the supervisor. Only the supervisor's loop uses it.
type process struct {
	name string
	home home.Dir
	args []string

	cmd      *exec.Cmd // nil when it does not run
	began    time.Time // of the last start
	ready    bool      // since the last start
	met      bool      // ready at least once: it can start here
	killed   bool      // by the fault script: not to be started again by itself
	failures int       // failed starts, or short lives, in a row
	restart  time.Time // when to start it again; zero: not planned
}

// crowd starts processes and reports what they say. They die with this
// process.
type crowd struct {
	program  string
	messages chan message
	starts   chan func() // run by the one thread whose death would kill the children
	ended    chan struct{}
	readers  sync.WaitGroup
}

func newCrowd(program string) *crowd {
	c := &crowd{program: program, messages: make(chan message, 256), starts: make(chan func()), ended: make(chan struct{})}
	go c.parent()
	return c
}

// parent starts all children from one thread that lives as long as the crowd:
// the kernel's parent-death signal is about the thread that forked, not about
// its process.
func (c *crowd) parent() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case f := <-c.starts:
			f()
		case <-c.ended:
			return
		}
	}
}

// start starts p and begins to read what it says.
func (c *crowd) start(p *process) error {
	if err := p.home.Make(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	log, err := os.OpenFile(p.home.Log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(c.program, p.args...)
	cmd.SysProcAttr, cmd.Stderr = attributes(), log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan error)
	c.starts <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.began, p.ready, p.killed, p.restart = cmd, time.Now(), false, false, time.Time{}
	c.readers.Go(func() { c.read(p, cmd, out) })
	return nil
}

// maxLine bounds a line of a child: a translated document is in one.
const maxLine = 64 << 20

// read passes on a child's lines, and at the end how it ended.
func (c *crowd) read(p *process, cmd *exec.Cmd, out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		m := message{from: p}
		if bytes.HasPrefix(lines.Bytes(), resultPrefix) {
			m.result = bytes.Clone(lines.Bytes())
		} else {
			var err error
			if m.notice, err = node.DecodeNotice(lines.Bytes()); err != nil {
				continue // torn by a kill
			}
		}
		c.messages <- m
	}
	_, drained := io.Copy(io.Discard, out) // a line too long must not block the child
	c.messages <- message{from: p, exited: true, err: errors.Join(cmd.Wait(), lines.Err(), drained)}
}

// resultPrefix begins a command's last line, its result.
var resultPrefix = []byte(`{"event":"result",`)

// close waits until every child is gone; they have been told to go.
func (c *crowd) close() {
	gone := make(chan struct{})
	go func() { c.readers.Wait(); close(gone) }()
	for {
		select {
		case <-c.messages: // nobody listens any more
		case <-gone:
			close(c.ended)
			return
		}
	}
}

// why is the end of a process's log, for the error that it did not start.
func (p *process) why() string {
	data, err := os.ReadFile(p.home.Log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := len(lines) - 1; i >= 0; i-- { // what alia says last is its error
		if text, ok := strings.CutPrefix(lines[i], "alia: "); ok {
			return text
		}
	}
	return lines[len(lines)-1]
}
