package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fields are the parameters of a request: of a JSON object, or of a form and the query.
type fields struct {
	json map[string]json.RawMessage
	form url.Values
	size int // bytes of the parts of a form
}

// maxDepth bounds the nesting of JSON. The deepest request has an array in an object.
const maxDepth = 16

// maxField bounds a field of a multipart form, maxFields all of them together, because they
// are in memory before the client is known, and maxParts their number.
const (
	maxField  = 1 << 20
	maxFields = 2 * maxField
	maxParts  = 64
)

// part is a part of a multipart form.
type part = multipart.Part

// readParts reads a multipart form, part by part: nothing of it is kept.
func readParts(r *http.Request, each func(p *part) error) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return bad("send multipart/form-data with a boundary")
	}
	for range maxParts {
		p, err := parts.NextPart()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return bodyError(err)
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return bad("the form has more than %d parts", maxParts)
}

// readFields reads the parameters of a request whose body is bounded.
func readFields(r *http.Request) (fields, error) {
	kind, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return fields{}, bad("Content-Type is not a media type: send application/json or a form")
	}
	if kind == "multipart/form-data" {
		f := fields{form: r.URL.Query()}
		return f, readParts(r, func(p *part) error { return f.addPart(p) })
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fields{}, bodyError(err)
	}
	switch {
	case kind == "application/json":
		if cs := args["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") {
			return fields{}, bad("JSON in %q: send UTF-8", cs)
		}
		return parseJSON(body)
	case kind == "application/x-www-form-urlencoded" || kind == "" && len(body) == 0:
		return parseForm(string(body), r.URL.RawQuery)
	}
	return fields{}, bad("Content-Type %.60q is not supported: send application/json or a form", kind)
}

// bodyError says what is wrong with a body that cannot be read.
func bodyError(err error) error {
	var large *http.MaxBytesError
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &large):
		return refuse(http.StatusRequestEntityTooLarge, "the request is larger than %d bytes", large.Limit)
	}
	return bad("the body of the request cannot be read whole")
}

// parseJSON reads an object.
func parseJSON(body []byte) (fields, error) {
	if !utf8.Valid(body) {
		return fields{}, bad("Invalid JSON format: it is not UTF-8")
	}
	if depth(body) > maxDepth {
		return fields{}, bad("Invalid JSON format: it is nested more than %d times", maxDepth)
	}
	var f fields
	if err := json.Unmarshal(body, &f.json); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fields{}, bad("Invalid JSON format: %v at byte %d", syntax, syntax.Offset)
		}
		return fields{}, bad("Invalid JSON format: send an object")
	}
	if f.json == nil {
		return fields{}, bad("Invalid JSON format: send an object")
	}
	return f, nil
}

// depth is how deep the brackets of JSON are nested, whether or not it is correct.
func depth(body []byte) (most int) {
	now, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// parseForm reads a form and a query. The form's values come first.
func parseForm(body, query string) (fields, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return fields{}, bad("the form is not URL-encoded: %.80v", err)
	}
	more, err := url.ParseQuery(query)
	if err != nil {
		return fields{}, bad("the query is not URL-encoded: %.80v", err)
	}
	for name, values := range more {
		form[name] = append(form[name], values...)
	}
	for _, values := range form {
		for _, v := range values {
			if !utf8.ValidString(v) {
				return fields{}, bad("the form is not UTF-8")
			}
		}
	}
	return fields{form: form}, nil
}

// addPart adds a field of a multipart form.
func (f *fields) addPart(p *part) error {
	if p.FileName() != "" {
		return bad("Invalid request: the file in %.40q is not expected here", p.FormName())
	}
	data, err := io.ReadAll(io.LimitReader(p, maxField+1))
	if err != nil {
		return bodyError(err)
	}
	if len(data) > maxField {
		return refuse(http.StatusRequestEntityTooLarge, "the field %.40q is larger than %d bytes", p.FormName(), maxField)
	}
	if f.size += len(data) + len(p.FormName()); f.size > maxFields {
		return refuse(http.StatusRequestEntityTooLarge, "the fields are larger than %d bytes together", maxFields)
	}
	if !utf8.Valid(data) {
		return bad("the form is not UTF-8")
	}
	f.form.Add(p.FormName(), string(data))
	return nil
}

// has reports whether a parameter was sent and is not null.
func (f fields) has(name string) bool {
	if f.json != nil {
		raw, ok := f.json[name]
		return ok && !bytes.Equal(raw, []byte("null"))
	}
	return f.form.Has(name)
}

// text is a parameter that is a string, "" where there is none.
func (f fields) text(name string) (string, error) {
	if f.json == nil {
		return f.form.Get(name), nil
	}
	if !f.has(name) {
		return "", nil
	}
	var s string
	if json.Unmarshal(f.json[name], &s) != nil {
		return "", bad("Invalid request: %s parameter is not a string", name)
	}
	return s, nil
}

// texts is a parameter that is a string, or an array of strings: then many.
func (f fields) texts(name string) (all []string, many bool, err error) {
	if f.json == nil {
		return f.form[name], len(f.form[name]) > 1, nil
	}
	if !f.has(name) {
		return nil, false, nil
	}
	if raw := f.json[name]; raw[0] == '[' {
		var list []*string
		if json.Unmarshal(raw, &list) != nil {
			return nil, true, bad("Invalid request: %s parameter has an element that is not a string", name)
		}
		for _, s := range list {
			if s == nil {
				return nil, true, bad("Invalid request: %s parameter has an element that is not a string", name)
			}
			all = append(all, *s)
		}
		return all, true, nil
	}
	s, err := f.text(name)
	if err != nil {
		return nil, false, bad("Invalid request: %s parameter is neither a string nor an array of strings", name)
	}
	return []string{s}, false, nil
}

// scalar is a parameter as a form has it, though JSON may have a number or a boolean.
func (f fields) scalar(name string) (string, error) {
	if !f.has(name) {
		return "", nil
	}
	if f.json == nil {
		return f.form.Get(name), nil
	}
	switch raw := f.json[name]; raw[0] {
	case '"':
		return f.text(name)
	case '{', '[':
		return "", bad("Invalid request: %s parameter is not a number, a boolean or a string", name)
	default:
		return string(raw), nil
	}
}

// number is a parameter that is a whole number, 0 where there is none.
func (f fields) number(name string) (int, error) {
	s, err := f.scalar(name)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, bad("Invalid request: %s parameter is not a number", name)
	}
	return n, nil
}

// flag is a parameter that is true or false.
func (f fields) flag(name string) (bool, error) {
	s, err := f.scalar(name)
	if err != nil {
		return false, err
	}
	switch s {
	case "", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	}
	return false, bad("Value for '%s' not supported: give true or false.", name)
}
