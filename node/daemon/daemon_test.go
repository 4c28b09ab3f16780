package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alia-network/alia/node/daemon"
)

// play is the command that the guests of these tests run: its first argument says what.
func play(ctx context.Context, g *daemon.Guest) int {
	switch g.Args[0] {
	case "tell":
		fmt.Fprintln(g.Stdout, g.Args[1:], g.Dir, g.Env, g.Columns)
		fmt.Fprintln(g.Stderr, "told")
		return 3
	case "upper": // a filter that answers each line at once
		for lines := bufio.NewScanner(g.Stdin); lines.Scan(); {
			fmt.Fprintln(g.Stdout, strings.ToUpper(lines.Text()))
		}
	case "read":
		if _, err := io.ReadAll(g.Stdin); err != nil {
			fmt.Fprintln(g.Stderr, err)
			return 1
		}
	case "wait":
		fmt.Fprintln(g.Stdout, "waiting")
		<-ctx.Done()
		fmt.Fprintln(g.Stderr, "interrupted:", context.Cause(ctx))
		return 130
	case "flood": // until its reader has gone
		for {
			if _, err := g.Stdout.Write(make([]byte, 64<<10)); err != nil {
				return 1
			}
		}
	case "panic":
		panic("on purpose")
	}
	return 0
}

// socket serves a socket for the test.
func socket(t *testing.T) (path string, s *daemon.Server) {
	t.Helper()
	dir, err := os.MkdirTemp("", "daemon") // t.TempDir has a path too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "node.sock")
	if s, err = daemon.Serve(path, play); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(ended()) })
	return path, s
}

// ended is a context that is over.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// buffer is a stream that tells when it has a text.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
	news chan struct{}
}

func newBuffer() *buffer { return &buffer{news: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await waits until the buffer has a text.
func (b *buffer) await(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.news:
		case <-time.After(time.Minute):
			t.Fatalf("no %q in %q", text, b.String())
		}
	}
}

func TestGuest(t *testing.T) {
	path, _ := socket(t)
	c := daemon.Command{Args: []string{"tell", "a", "b"}, Dir: "/some/where", Env: []string{"TERM=dumb"}, Columns: 72}
	var out, errs bytes.Buffer
	status, err := daemon.Visit(t.Context(), path, c, nil, &out, &errs)
	if err != nil || status != 3 || out.String() != "[a b] /some/where [TERM=dumb] 72\n" || errs.String() != "told\n" {
		t.Errorf("status %d, %v, stdout %q, stderr %q", status, err, &out, &errs)
	}
}

// TestStdin: a guest reads what comes as it comes, up to its end. What it does not read
// stays where it is.
func TestStdin(t *testing.T) {
	path, _ := socket(t)
	out := newBuffer()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"upper"}, Dir: "/"}, pr, out, io.Discard)
		done <- err
	}()
	fmt.Fprintln(pw, "one")
	out.await(t, "ONE\n")
	fmt.Fprintln(pw, "two")
	out.await(t, "TWO\n")
	pw.Close()
	if err := <-done; err != nil || out.String() != "ONE\nTWO\n" {
		t.Errorf("%v, %q", err, out)
	}

	rest := strings.NewReader("for another command")
	if _, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, rest, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if rest.Len() != len("for another command") {
		t.Error("a guest that reads nothing takes its client's standard input")
	}

	// Input that breaks off is not taken for input that ends.
	var errs bytes.Buffer
	broken := io.MultiReader(strings.NewReader("half"), errReader{})
	status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"read"}, Dir: "/"}, broken, io.Discard, &errs)
	if err != nil || status != 1 {
		t.Errorf("input that breaks off: status %d, %v, %s", status, err, &errs)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the disk is broken") }

// TestInterrupt: an interrupt reaches the guest, and its last words the client.
func TestInterrupt(t *testing.T) {
	path, s := socket(t)
	ctx, interrupt := context.WithCancel(t.Context())
	out, errs := newBuffer(), newBuffer()
	done := make(chan int, 1)
	go func() {
		status, err := daemon.Visit(ctx, path, daemon.Command{Args: []string{"wait"}, Dir: "/"}, nil, out, errs)
		if err != nil {
			t.Error(err)
		}
		done <- status
	}()
	out.await(t, "waiting")
	if all := s.Guests(); len(all) != 1 || all[0].Args[0] != "wait" || all[0].Began.IsZero() {
		t.Errorf("guests %v", all)
	}
	interrupt()
	if status := <-done; status != 130 || errs.String() != "interrupted: context canceled\n" {
		t.Errorf("status %d, %q", status, errs)
	}
	interrupted := ended()
	if _, err := daemon.Visit(interrupted, path, daemon.Command{Args: []string{"wait"}, Dir: "/"}, nil, out, errs); !errors.Is(err, context.Canceled) {
		t.Errorf("a command that is interrupted before it begins: %v", err)
	}
}

// TestClientGone: a guest whose client has gone is interrupted.
func TestClientGone(t *testing.T) {
	path, s := socket(t)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"args":["wait"],"dir":"/"}`
	fmt.Fprintf(conn, "POST /guests HTTP/1.1\r\nHost: home\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := s.Close(t.Context()); err != nil { // waits for the guest
		t.Fatal(err)
	}
}

// TestPanic: a guest that breaks down says so, and the others go on.
func TestPanic(t *testing.T) {
	path, _ := socket(t)
	var errs bytes.Buffer
	status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"panic"}, Dir: "/"}, nil, io.Discard, &errs)
	if err != nil || status != 2 || !strings.Contains(errs.String(), "by a defect of this program: on purpose\n") {
		t.Errorf("status %d, %v, %s", status, err, &errs)
	}
	if status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, nil, io.Discard, io.Discard); status != 3 || err != nil {
		t.Errorf("the next guest: status %d, %v", status, err)
	}
}

// TestClose: a server that closes waits for its guests. Told not to wait, it tells the
// guests why they end.
func TestClose(t *testing.T) {
	path, s := socket(t)
	out, errs := newBuffer(), newBuffer()
	visited := make(chan int, 1)
	go func() {
		status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"wait"}, Dir: "/"}, nil, out, errs)
		if err != nil {
			t.Error(err)
		}
		visited <- status
	}()
	out.await(t, "waiting")
	stopping, stop := context.WithCancel(t.Context())
	closed := make(chan error, 1)
	go func() { closed <- s.Close(stopping) }()
	// Until it is told to stop, others may come.
	if status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, nil, io.Discard, io.Discard); status != 3 || err != nil {
		t.Errorf("a guest that comes while the server waits: status %d, %v", status, err)
	}
	select {
	case <-closed:
		t.Fatal("the server does not wait for its guest")
	default:
	}
	stop()
	if status := <-visited; status != 130 || !strings.Contains(errs.String(), daemon.ErrStopped.Error()) {
		t.Errorf("status %d, %q", status, errs)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, nil, io.Discard, io.Discard); !errors.Is(err, daemon.ErrAbsent) {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestSocket: the file is its owner's alone, replaces that of a dead process, and has a
// path that fits.
func TestSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes")
	}
	path, s := socket(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as a process that is killed
	stale.Close()
	if _, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, nil, io.Discard, io.Discard); !errors.Is(err, daemon.ErrAbsent) {
		t.Errorf("at the socket of a dead process: %v", err)
	}
	s, err = daemon.Serve(path, play)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if status, err := daemon.Visit(t.Context(), path, daemon.Command{Args: []string{"tell"}, Dir: "/"}, nil, io.Discard, io.Discard); status != 3 || err != nil {
		t.Errorf("after the socket was replaced: status %d, %v", status, err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 108))
	if _, err := daemon.Serve(long, play); err == nil || !strings.Contains(err.Error(), "choose a home with a shorter path") {
		t.Errorf("a path that is too long: %v", err)
	}
	if _, err := daemon.Visit(t.Context(), long, daemon.Command{}, nil, nil, nil); err == nil || errors.Is(err, daemon.ErrAbsent) {
		t.Errorf("a visit to a path that is too long: %v", err)
	}
}

// TestGarbage: what is no command of a guest is refused, and runs nothing.
func TestGarbage(t *testing.T) {
	path, _ := socket(t)
	post := func(body string) string {
		return fmt.Sprintf("POST /guests HTTP/1.1\r\nHost: home\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for request, want := range map[string]string{
		"\x00\x01\x02\r\n\r\n":                                            "400 Bad Request",
		"GET / HTTP/1.1\r\nHost: home\r\n\r\n":                            "404 Not Found",
		"GET /guests HTTP/1.1\r\nHost: home\r\n\r\n":                      "405 Method Not Allowed",
		"DELETE /guests/1 HTTP/1.1\r\nHost: home\r\n\r\n":                 "404 Not Found",
		"DELETE /guests/x HTTP/1.1\r\nHost: home\r\n\r\n":                 "404 Not Found",
		post(`{"args":`):                                                  "400 Bad Request",
		post(`{"args":"tell","dir":"/"}`):                                 "400 Bad Request",
		post(`{"args":["tell"],"dir":"here"}`):                            "400 Bad Request",
		post(`{"args":["tell"],"dir":"/","columns":-1}`):                  "400 Bad Request",
		post(`{"args":["` + strings.Repeat("x", 5<<20) + `"],"dir":"/"}`): "400 Bad Request",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, request)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.Status != want {
			t.Errorf("%.60q: %v, %v; want %s", request, answer, err, want)
		}
		conn.Close()
	}
}

// TestLost: a process that ends before its guest is told apart from one that is not there.
func TestLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answer := make(chan string, 1)
	go func() {
		for a := range answer {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, a)
			conn.Close()
		}
	}()
	defer close(answer)
	for a, want := range map[string]error{
		"": daemon.ErrAbsent,
		"HTTP/1.1 201 Created\r\nLocation: /guests/1\r\n\r\n{\"stdout\":\"b25l\"}\n": daemon.ErrLost,
	} {
		answer <- a
		if _, err := daemon.Visit(t.Context(), path, daemon.Command{}, nil, io.Discard, io.Discard); !errors.Is(err, want) {
			t.Errorf("after %q: %v, want %v", a, err, want)
		}
	}
}

// pipes is a listener whose connections have a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// TestSilence: a client that sends nothing, or half of its command, is soon left.
func TestSilence(t *testing.T) {
	for _, request := range []string{"", "POST /gue", "POST /guests HTTP/1.1\r\nHost: home\r\nContent-Length: 99\r\n\r\n{"} {
		synctest.Test(t, func(t *testing.T) {
			p := pipes{make(chan net.Conn), make(chan struct{})}
			s := daemon.ServeOn(p, play)
			client, server := net.Pipe()
			p.conns <- server
			began := time.Now()
			go io.WriteString(client, request)
			io.Copy(io.Discard, client) // until the server closes
			if took := time.Since(began); took > daemon.Patience+time.Second {
				t.Errorf("after %q the server waits %v", request, took)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStalledReader: a client that reads nothing holds its guest, as the reader of a pipe
// would, but it does not hold a server that closes.
func TestStalledReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes{make(chan net.Conn), make(chan struct{})}
		s := daemon.ServeOn(p, play)
		client, server := net.Pipe()
		p.conns <- server
		body := `{"args":["flood"],"dir":"/"}`
		fmt.Fprintf(client, "POST /guests HTTP/1.1\r\nHost: home\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if len(s.Guests()) != 1 {
			t.Error("the guest does not wait for its reader")
		}
		began := time.Now()
		if err := s.Close(ended()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 2*daemon.LastWords {
			t.Errorf("closing takes %v", took)
		}
		client.Close()
	})
}
