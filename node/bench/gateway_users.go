package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/machine"
)

// user is a client of a gateway, with a key and connections of its own.
type user struct {
	url, key, from, to string
	http               *http.Client
}

func newUser(url, key, from, to string) *user {
	return &user{url: url, key: key, from: from, to: to, http: &http.Client{Transport: &http.Transport{}}}
}

// ask sends a request, and refuses an answer of another status.
func (u *user) ask(ctx context.Context, method, path, kind string, body io.Reader, status int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+u.key)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := u.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != status {
		said, err := io.ReadAll(io.LimitReader(res.Body, 1000))
		return nil, errors.Join(fmt.Errorf("%s %s: %s: %s", method, path, res.Status, said), err, res.Body.Close())
	}
	return res, nil
}

// sentence has a sentence translated.
func (u *user) sentence(ctx context.Context, text string) (string, error) {
	body, err := json.Marshal(map[string]string{"q": text, "source": u.from, "target": u.to})
	if err != nil {
		return "", err
	}
	res, err := u.ask(ctx, http.MethodPost, "/translate", "application/json", bytes.NewReader(body), http.StatusOK)
	if err != nil {
		return "", err
	}
	var answer struct {
		Text string `json:"translatedText"`
	}
	err = json.NewDecoder(res.Body).Decode(&answer)
	return answer.Text, errors.Join(err, res.Body.Close())
}

// delivery is a document that came back, and how long parts of the way took from the request.
type delivery struct {
	first   time.Duration // until a segment was translated
	done    time.Duration // until the result was here
	settled time.Duration // until the gateway had nothing more to do
	cpu     float64       // seconds of the process until the result was here
	result  []byte
}

// document has a document translated, as a page does: it sends the document, watches the
// events of the job, and fetches the result.
func (u *user) document(ctx context.Context, data []byte) (d delivery, err error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "report.docx")
	if err == nil {
		_, err = part.Write(data)
	}
	for name, value := range map[string]string{"from": u.from, "to": u.to} {
		err = errors.Join(err, w.WriteField(name, value))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return d, err
	}
	began, cpu := time.Now(), machine.CPUSeconds()
	res, err := u.ask(ctx, http.MethodPost, "/api/jobs", w.FormDataContentType(), &form, http.StatusCreated)
	if err != nil {
		return d, err
	}
	var job struct {
		ID string `json:"id"`
	}
	if err := errors.Join(json.NewDecoder(res.Body).Decode(&job), res.Body.Close()); err != nil {
		return d, err
	}
	path := "/api/jobs/" + job.ID
	err = u.events(ctx, path, func(s jobState) error {
		if s.Done > 0 && d.first == 0 {
			d.first = time.Since(began)
		}
		if s.Status != "done" || d.result != nil {
			return nil
		}
		res, err := u.ask(ctx, http.MethodGet, path+"/result", "", nil, http.StatusOK)
		if err != nil {
			return err
		}
		d.result, err = io.ReadAll(res.Body)
		d.done, d.cpu = time.Since(began), machine.CPUSeconds()-cpu
		return errors.Join(err, res.Body.Close())
	})
	d.settled = time.Since(began)
	if err == nil && d.result == nil {
		err = fmt.Errorf("GET %s/events: the events ended before the document was done", path)
	}
	return d, err
}

// jobState is what an event says of a job.
type jobState struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Done   int    `json:"done"`
}

// events calls f with each event of a job, until the gateway ends them. A job that fails is
// an error.
func (u *user) events(ctx context.Context, path string, f func(jobState) error) error {
	res, err := u.ask(ctx, http.MethodGet, path+"/events", "", nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20) // an event has the flags of the whole document
	for lines.Scan() {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		var s jobState
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return fmt.Errorf("GET %s/events: %w", path, err)
		}
		if s.Error != "" {
			return fmt.Errorf("job %s: %s", path, s.Error)
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return lines.Err()
}

// flood has users ask again and again for a time, each as soon as it has its answer. ask
// gets the number of the request, and reports whether its user asks again. An answer that
// begins in the time counts, and is waited for.
func (s *served) flood(ctx context.Context, users int, ask func(ctx context.Context, u *user, i int) (bool, error), last time.Duration) (LoadRow, error) {
	times := make([][]float64, users)
	var count atomic.Int64
	began, cpu := time.Now(), machine.CPUSeconds()
	g, ctx := errgroup.WithContext(ctx)
	for i, u := range s.users[:users] {
		g.Go(func() error {
			for again := true; again && time.Since(began) < last; {
				at := time.Now()
				var err error
				if again, err = ask(ctx, u, int(count.Add(1))); err != nil {
					return err
				}
				times[i] = append(times[i], time.Since(at).Seconds())
			}
			return nil
		})
	}
	err := g.Wait()
	row := LoadRow{Clients: users, Seconds: time.Since(began).Seconds(), CPUSeconds: machine.CPUSeconds() - cpu}
	var all []float64
	for _, t := range times {
		all = append(all, t...)
	}
	row.Requests, row.PerSecond = len(all), float64(len(all))/row.Seconds
	row.P50, row.P95, row.P99 = quantile(all, 0.5), quantile(all, 0.95), quantile(all, 0.99)
	return row, err
}
