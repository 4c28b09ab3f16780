package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServe: alia serve --local answers both APIs, says where, keeps a document over a
// restart, and ends with status 0.
func TestServe(t *testing.T) {
	dir, home := smallModel(t, 32), t.TempDir()
	var done string
	for round := range 2 {
		url, stop := startServe(t, "--home", home, "--local", "--model", dir)
		for path, body := range map[string]string{
			"/translate": `{"q":"one two","source":"en","target":"de"}`, "/v2/translate": `{"text":["one two"],"target_lang":"DE"}`,
		} {
			if status, answer := post(t, url+path, "application/json", body); status != 200 {
				t.Errorf("%s: %d %s", path, status, answer)
			}
		}
		if round == 0 {
			_, answer := post(t, url+"/api/jobs", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\none two\r\n--x\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nde\r\n--x--\r\n")
			var job struct{ ID string }
			if err := json.Unmarshal([]byte(answer), &job); err != nil || job.ID == "" {
				t.Fatalf("job: %s", answer)
			}
			done = "/api/jobs/" + job.ID
			r, err := http.Get(url + done + "/events") // until the job is done
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		if r, err := http.Get(url + done + "/result"); err != nil || r.StatusCode != 200 {
			t.Errorf("round %d: result %v, %v", round, r, err)
		}
		if status := stop(); status != exitDone {
			t.Errorf("exit status %d", status)
		}
	}

	// The command finds in the memory what the gateway has translated.
	in := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(in, []byte("one two\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	a := &app{
		started: time.Now(), args: []string{"translate", "--home", home, "--local", "--model", dir, in, "--output", in + ".de", "--json"},
		env: os.LookupEnv, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
	}
	a.host = newHost(a)
	if status := a.run(t.Context()); status != exitDone || !strings.Contains(stdout.String(), `"reused":1`) {
		t.Errorf("alia translate: status %d, %s%s", status, &stdout, &stderr)
	}
}

// startServe runs alia serve with flags on a free port.
func startServe(t *testing.T, flags ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	var stderr strings.Builder
	a := &app{
		started: time.Now(), args: append([]string{"serve", "--listen", "127.0.0.1:0", "--json"}, flags...),
		env: os.LookupEnv, stdin: strings.NewReader(""), stdout: stdout, stderr: &stderr,
	}
	a.host = newHost(a)
	ended := make(chan int, 1)
	go func() {
		ended <- a.run(ctx)
		stdout.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	var r served
	if err != nil || json.Unmarshal([]byte(line), &r) != nil || r.Role != "gateway" || len(r.Models) != 1 {
		cancel()
		t.Fatalf("ready: %q, %v: %s", line, err, &stderr)
	}
	return r.URL, func() int { cancel(); return <-ended }
}

func post(t *testing.T, url, kind, body string) (int, string) {
	t.Helper()
	r, err := http.Post(url, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(data)
}

// TestServeMistakes: what is wrong is refused before anything is served.
func TestServeMistakes(t *testing.T) {
	dir := smallModel(t, 32)
	for _, c := range []struct {
		flags  []string
		status int
		text   string
	}{
		{[]string{"--local", "--model", filepath.Join(dir, "none")}, exitFailed, "no model"},
		{[]string{"--local"}, exitFailed, "model"},
		{[]string{"--local", "--model", dir, "--listen", "0.0.0.0:0"}, exitFailed, "alia serve key add"},
		{[]string{"--local", "--model", dir, "--listen", "nowhere"}, exitFailed, "--listen nowhere"},
		{[]string{"--local", "--model", dir, "--cert", "x"}, exitUsage, "--tls-key"},
		{[]string{"--local", "--model", dir, "--cert", "x", "--tls-key", "y", "--listen", "127.0.0.1:0"}, exitFailed, "certificate"},
		{[]string{"--local", "--model", dir, "--jobs", "0"}, exitUsage, "--jobs"},
		{[]string{"--local", "--model", dir, "--origin", "x"}, exitFailed, "https://example.org"},
		{[]string{"--local", "--budget", "1"}, exitUsage, "--budget"},
		{[]string{"--local", "--model", dir, "--suggest-licence", "mine"}, exitUsage, "CC0-1.0"},
		{[]string{"--int8"}, exitUsage, "--int8"},
		{[]string{"--local", "extra"}, exitUsage, "extra"},
	} {
		var stderr strings.Builder
		a := &app{
			started: time.Now(), args: append([]string{"serve", "--home", t.TempDir()}, c.flags...), env: os.LookupEnv,
			stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr,
		}
		a.host = newHost(a)
		if status := a.run(t.Context()); status != c.status || !strings.Contains(stderr.String(), c.text) {
			t.Errorf("%v: status %d, %s", c.flags, status, &stderr)
		}
	}
}
