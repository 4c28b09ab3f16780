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

// message is a line of a process or its end. One of notice, result and exited is set.
type message struct {
	from   *process
	notice node.Notice
	result json.RawMessage // the answer of the command
	exited bool
	err    error // of an exited process; nil for status 0
}

// process is a child of the supervisor. Only the supervisor's loop uses its fields.
type process struct {
	name string
	home home.Dir
	args []string

	cmd      *exec.Cmd // nil when it does not run
	began    time.Time // of the last start
	wasReady bool      // it was ready once, so that it can start here
	killed   bool      // by the fault script, which alone starts it again
	failures int       // ends with an error, one after another
	restart  time.Time // when to start it again; zero when that is not planned
}

// children starts processes and passes on their output. The processes end with
// this one, however this one ends.
type children struct {
	program  string
	messages chan message
	starts   chan func() // run by the thread whose end would kill the children
	ended    chan struct{}
	readers  sync.WaitGroup
}

func newChildren(program string) *children {
	c := &children{program: program, messages: make(chan message, 256), starts: make(chan func()), ended: make(chan struct{})}
	go c.parent()
	return c
}

// parent starts all children from one thread, which lives until close: the kernel
// sends the parent-death signal when the thread that forked ends, not its process.
func (c *children) parent() {
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

// start starts a process and begins to read its lines.
func (c *children) start(p *process) error {
	if err := p.home.Make(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	log, err := os.OpenFile(p.home.Log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own descriptor
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
	p.cmd, p.began, p.killed, p.restart = cmd, time.Now(), false, time.Time{}
	c.readers.Go(func() { c.read(p, cmd, out) })
	return nil
}

// maxLine bounds a line of a child. A translated document is one line.
const maxLine = 64 << 20

// read passes on a child's lines, and then its end.
func (c *children) read(p *process, cmd *exec.Cmd, out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		m := message{from: p}
		if bytes.HasPrefix(lines.Bytes(), resultPrefix) {
			m.result = bytes.Clone(lines.Bytes())
		} else {
			var err error
			if m.notice, err = node.DecodeNotice(lines.Bytes()); err != nil {
				continue // a kill cut the line
			}
		}
		c.messages <- m
	}
	_, drained := io.Copy(io.Discard, out) // after a line that is too long, so that the child does not block
	c.messages <- message{from: p, exited: true, err: errors.Join(cmd.Wait(), lines.Err(), drained)}
}

// resultPrefix begins the last line of a command, which is its answer.
var resultPrefix = []byte(`{"event":"result",`)

// close waits until every child, all of which were told to end, has ended.
func (c *children) close() {
	gone := make(chan struct{})
	go func() { c.readers.Wait(); close(gone) }()
	for {
		select {
		case <-c.messages: // nobody reads them now
		case <-gone:
			close(c.ended)
			return
		}
	}
}

// why returns the error that a process printed last, from its log.
func (p *process) why() string {
	data, err := os.ReadFile(p.home.Log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := len(lines) - 1; i >= 0; i-- { // alia prints its error last
		if text, ok := strings.CutPrefix(lines[i], "alia: "); ok {
			return text
		}
	}
	return lines[len(lines)-1]
}
