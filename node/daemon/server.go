package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// socketMode lets nobody but the home's user connect.
	socketMode = 0o600
	// maxCommand bounds a command in JSON, in bytes. Linux takes 2 MiB of arguments
	// and environment.
	maxCommand = 4 << 20
	// maxGuests bounds the guests that run at a time.
	maxGuests = 256
	// patience is how long a client may take to send its command.
	patience = 10 * time.Second
	// lastWords is how long a client may take to read a line of a guest that was told
	// to end. Until then a guest waits for its client, as a writer waits for the reader
	// of a pipe.
	lastWords = 10 * time.Second
)

// Server runs the guests that come by a socket.
type Server struct {
	run    func(context.Context, *Guest) int
	http   *http.Server
	served chan error // the end of http.Serve

	mu      sync.Mutex // guards what follows
	closing bool       // no guest may come
	last    uint64     // number of the newest guest
	guests  map[uint64]*visit
	left    chan struct{} // closed and replaced when a guest leaves
}

// visit is a guest and what its server needs of it.
type visit struct {
	guest  *Guest
	cancel context.CancelCauseFunc
	done   <-chan struct{} // the guest was interrupted, or has ended
	stdin  *io.PipeWriter
	fed    bool // a client sends standard input; guarded by the server's mu
}

// Serve listens at a socket. The caller holds the home's lock: so a file at path was left
// by a process that has ended, and Serve replaces the file. run runs a guest's command and returns
// its exit status; its context ends when the guest is interrupted. A panic of run ends
// the guest.
func Serve(path string, run func(ctx context.Context, g *Guest) int) (*Server, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("home's socket: %w", err)
	}
	c := net.ListenConfig{Control: private}
	l, err := c.Listen(context.Background(), "unix", path)
	if err == nil {
		if err = os.Chmod(path, socketMode); err != nil {
			err = errors.Join(err, l.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("home's socket: %w", err)
	}
	return serve(l, run), nil
}

func serve(l net.Listener, run func(context.Context, *Guest) int) *Server {
	s := &Server{run: run, served: make(chan error, 1), guests: map[uint64]*visit{}, left: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /guests", s.receive)
	mux.HandleFunc("POST /guests/{number}/stdin", s.feed)
	mux.HandleFunc("DELETE /guests/{number}", s.interrupt)
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: patience, IdleTimeout: patience, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // a client that speaks no HTTP is told so
	}
	go func() {
		defer close(s.served)
		s.served <- s.http.Serve(l)
	}()
	return s
}

// Guests returns the commands that run now, and when they came, the oldest first.
func (s *Server) Guests() []Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Guest, 0, len(s.guests))
	for _, v := range s.guests {
		all = append(all, Guest{Command: v.guest.Command, Began: v.guest.Began})
	}
	slices.SortFunc(all, func(x, y Guest) int { return x.Began.Compare(y.Began) })
	return all
}

// Close ends the service when no guest is left; until then more guests may come. When
// ctx ends, no more guests may come, and Close interrupts the guests that run, with the
// cause [ErrStopped]. Close returns when all guests have ended.
func (s *Server) Close(ctx context.Context) error {
	stop := ctx.Done()
	for {
		s.mu.Lock()
		n, left := len(s.guests), s.left
		s.closing = s.closing || n == 0
		s.mu.Unlock()
		if n == 0 {
			break
		}
		select {
		case <-left:
		case <-stop:
			stop = nil
			s.stop()
		}
	}
	err := s.http.Close() // which removes the socket, too
	if end := <-s.served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("home's socket: %w", err)
	}
	return nil
}

// stop lets no other guest come, and interrupts those that are there.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for _, v := range s.guests {
		v.cancel(ErrStopped)
	}
}

// receive takes a command and runs it.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	answer := http.NewResponseController(w)
	command, err := readCommand(w, r, answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context()) // which ends when the client has gone
	defer cancel(nil)
	lines := &lines{to: json.NewEncoder(w), answer: answer, done: ctx.Done()}
	pr, pw := io.Pipe()
	guest := &Guest{
		Command: command, Began: time.Now(), Stdin: &stdin{from: pr, lines: lines},
		Stdout: output(func(p []byte) error { return lines.send(frame{Stdout: p}) }),
		Stderr: output(func(p []byte) error { return lines.send(frame{Stderr: p}) }),
	}
	number, refused := s.admit(&visit{guest: guest, cancel: cancel, done: ctx.Done(), stdin: pw})
	switch refused {
	case http.StatusServiceUnavailable:
		http.Error(w, ErrAbsent.Error(), refused)
		return
	case http.StatusTooManyRequests:
		http.Error(w, fmt.Sprintf("%d commands run there: wait until one of them is done", maxGuests), refused)
		return
	}
	defer s.dismiss(number)
	defer pr.Close()
	defer context.AfterFunc(ctx, func() {
		pr.CloseWithError(context.Cause(ctx))
		answer.SetWriteDeadline(time.Now().Add(lastWords)) // the connection is one that has deadlines
	})()
	// The client knows that its command has begun before the command does anything.
	w.Header().Set("Location", "/guests/"+strconv.FormatUint(number, 10))
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusCreated)
	if err := answer.Flush(); err != nil {
		return
	}
	status := s.protect(ctx, guest)
	lines.send(frame{Exit: &status}) // a client that has gone needs no status
}

// readCommand reads a command as fast as a client of this machine sends one.
func readCommand(w http.ResponseWriter, r *http.Request, answer *http.ResponseController) (c Command, err error) {
	if err := answer.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return c, fmt.Errorf("read command: %w", err)
	}
	// The body is read to its end: only then does the server notice that a client goes.
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommand))
	if err != nil {
		return c, fmt.Errorf("read command: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("read command: want a JSON object with args, dir, env and columns: %w", err)
	}
	if !filepath.IsAbs(c.Dir) || c.Columns < 0 {
		return c, fmt.Errorf("read command: dir %q and columns %d: want an absolute path, and a number that is not negative", c.Dir, c.Columns)
	}
	return c, answer.SetReadDeadline(time.Time{})
}

// protect runs a guest; a panic ends it.
func (s *Server) protect(ctx context.Context, g *Guest) (status int) {
	defer func() {
		if why := recover(); why != nil {
			fmt.Fprintf(g.Stderr, "the command broke down, by a defect of this program: %v\n%s", why, debug.Stack())
			status = 2 // the exit status of a Go program that panics
		}
	}()
	return s.run(ctx, g)
}

// admit notes a guest and gives it a number, or returns the HTTP status of a refusal.
func (s *Server) admit(v *visit) (number uint64, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return 0, http.StatusServiceUnavailable
	case len(s.guests) == maxGuests:
		return 0, http.StatusTooManyRequests
	}
	s.last++
	s.guests[s.last] = v
	return s.last, 0
}

func (s *Server) dismiss(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.guests, number)
	close(s.left)
	s.left = make(chan struct{})
}

// find returns the guest that a request names, or tells the client that it has gone.
func (s *Server) find(w http.ResponseWriter, r *http.Request) *visit {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	s.mu.Lock()
	v := s.guests[number]
	s.mu.Unlock()
	if err != nil || v == nil {
		http.Error(w, "no such guest: it has ended", http.StatusNotFound)
		return nil
	}
	return v
}

// interrupt interrupts a guest.
func (s *Server) interrupt(w http.ResponseWriter, r *http.Request) {
	if v := s.find(w, r); v != nil {
		v.cancel(context.Canceled)
		w.WriteHeader(http.StatusNoContent)
	}
}

// feed passes standard input on to a guest, until its end or the guest's.
func (s *Server) feed(w http.ResponseWriter, r *http.Request) {
	v := s.find(w, r)
	if v == nil {
		return
	}
	s.mu.Lock()
	twice := v.fed
	v.fed = true
	s.mu.Unlock()
	if twice {
		http.Error(w, "the guest has its standard input", http.StatusConflict)
		return
	}
	// A guest that has ended closes the pipe. The input may be a terminal at which nobody
	// types, so the client is not read any more either.
	answer := http.NewResponseController(w)
	go func() {
		select {
		case <-v.done:
			answer.SetReadDeadline(time.Unix(1, 0))
		case <-r.Context().Done():
		}
	}()
	_, err := io.Copy(v.stdin, r.Body)
	v.stdin.CloseWithError(err) // without an error the guest reads the end of its input
	w.WriteHeader(http.StatusNoContent)
}

// lines writes the lines of an answer.
type lines struct {
	mu     sync.Mutex // held while a line is written
	to     *json.Encoder
	answer *http.ResponseController
	done   <-chan struct{} // the guest was interrupted
}

func (l *lines) send(f frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
		l.answer.SetWriteDeadline(time.Now().Add(lastWords))
	default:
	}
	if err := l.to.Encode(f); err != nil {
		return err
	}
	return l.answer.Flush()
}

// output is a stream that a guest writes to.
type output func([]byte) error

// Write implements [io.Writer].
func (o output) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := o(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// stdin is the standard input of a guest, asked for when it is first read.
type stdin struct {
	from  *io.PipeReader
	lines *lines
	ask   sync.Once
}

// Read implements [io.Reader].
func (s *stdin) Read(p []byte) (int, error) {
	s.ask.Do(func() {
		if err := s.lines.send(frame{Stdin: true}); err != nil {
			s.from.CloseWithError(err)
		}
	})
	return s.from.Read(p)
}
