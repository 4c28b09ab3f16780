package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseJSON reads the JSON object of a file into v. It returns an error that names the file and
// the key where a value has the wrong kind, or where a key is there twice: programs differ in
// which of the two they take. Package json takes D_MODEL for d_model, so these are twice too.
func parseJSON(file string, data []byte, v any) error {
	if file != "" {
		file += ": "
	}
	err := json.Unmarshal(data, v)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s%.80q is of the kind %q, want %s", file, kind.Field, kind.Value, kindName(kind))
	case kind != nil:
		return fmt.Errorf("%sthe file is not an object of JSON", file)
	case err != nil:
		return fmt.Errorf("%sthe file is not JSON, or it is cut short: %w", file, err)
	}
	d, seen := json.NewDecoder(bytes.NewReader(data)), map[string]bool{}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%sthe file is not an object of JSON", file)
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("%s%w", file, err)
		}
		key := strings.ToLower(t.(string)) // the decoder takes nothing else for a key
		if seen[key] {
			return fmt.Errorf("%sthe key %.80q is there twice", file, key)
		}
		seen[key] = true
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return fmt.Errorf("%s%w", file, err)
		}
	}
	return nil
}

// kindName is in words the kind of value that a field takes.
func kindName(e *json.UnmarshalTypeError) string {
	switch name := e.Type.String(); {
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"):
		return fmt.Sprintf("a whole number of %d bits", e.Type.Bits())
	case strings.HasPrefix(name, "float"):
		return fmt.Sprintf("a number that binary%d has", e.Type.Bits())
	case name == "bool":
		return "true or false"
	case name == "string":
		return "a text"
	}
	return "a list or an object"
}
