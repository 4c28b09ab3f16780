package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// failure is an answer that says why there is no other. Its status is that of RFC 9110,
// or statusQuota; an API may have another for it.
type failure struct {
	status int
	text   string
	detail string        // more, for the API of DeepL's glossaries
	after  time.Duration // until the request can be sent again
}

// statusQuota says that a key has used up its month. DeepL answers it, others have 429.
const statusQuota = 456

func (f *failure) Error() string { return f.text }

// refuse makes a failure.
func refuse(status int, format string, args ...any) *failure {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// bad is a failure because of the request.
func bad(format string, args ...any) *failure { return refuse(http.StatusBadRequest, format, args...) }

// api is one of the APIs: the form of its errors.
type api struct {
	name   string
	status map[int]int // its codes, where they are others than those of a failure
	body   func(f *failure) any
}

// The body of an error: LibreTranslate and the API of this gateway have the first, DeepL
// the second.
type (
	errorBody struct {
		Error string `json:"error"`
	}
	messageBody struct {
		Message string `json:"message"`
		Detail  string `json:"detail,omitempty"`
	}
)

var (
	// libre has the codes 400, 403, 429 and 500, see /spec of LibreTranslate.
	libre = &api{
		name:   "libre",
		status: map[int]int{http.StatusUnauthorized: http.StatusBadRequest, statusQuota: http.StatusTooManyRequests},
		body: func(f *failure) any {
			if f.status == http.StatusTooManyRequests || f.status == statusQuota {
				return errorBody{"Slowdown: " + f.text}
			}
			return errorBody{f.text}
		},
	}
	// deepl has the codes of https://developers.deepl.com/docs/best-practices/error-handling.
	deepl = &api{
		name:   "deepl",
		status: map[int]int{http.StatusUnauthorized: http.StatusForbidden},
		body:   func(f *failure) any { return messageBody{f.text, f.detail} },
	}
	own = &api{
		name:   "own",
		status: map[int]int{statusQuota: http.StatusTooManyRequests},
		body:   func(f *failure) any { return errorBody{f.text} },
	}
)

// fail answers a failure. Another error is the gateway's own: it is logged, and the client
// learns where.
func (c *call) fail(err error) {
	if c.w.status != 0 {
		return // the answer has begun: the client sees that it is cut off
	}
	var f *failure
	if !errors.As(err, &f) {
		if c.r.Context().Err() != nil {
			f = refuse(http.StatusServiceUnavailable, "the request was interrupted")
		} else if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
			c.g.Log.Error("the disk is full", "trace", c.trace, "path", c.r.URL.Path, "err", err)
			f = &failure{status: http.StatusServiceUnavailable, text: "the disk of this gateway is full: try again later", after: time.Minute}
		} else {
			c.g.Log.Error("request failed", "trace", c.trace, "path", c.r.URL.Path, "err", err)
			f = refuse(http.StatusInternalServerError, "Internal error: the log of the gateway has it under %s", c.trace)
		}
	}
	status := f.status
	if s, other := c.api.status[status]; other {
		status = s
	}
	if f.after > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.after.Seconds()))))
	}
	if status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	c.answer(status, c.api.body(f))
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	c.w.Header().Set("Content-Type", "application/json")
	return c.write(status, data)
}

// write writes an answer whose type is set. An answer that the client does not take is
// not an error of the gateway.
func (c *call) write(status int, data []byte) error {
	c.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead && status != http.StatusNoContent {
		c.w.Write(data)
	}
	return nil
}
