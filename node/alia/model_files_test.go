package main

import (
	"archive/zip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPackageFiles reads a package of Argos Translate, and damaged ones.
func TestPackageFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "en_et.argosmodel")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	text := strings.Repeat("one model of many bytes ", 99)
	for name, body := range map[string]string{"en_et/": "", "en_et/metadata.json": `{"from_code": "en"}`, "en_et/model/model.bin": text} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	read, names, err := foreignFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"metadata.json", "model/model.bin"}) {
		t.Errorf("it has %q", names)
	}
	if data, err := read("model/model.bin"); err != nil || string(data) != text {
		t.Errorf("the model is %q, %v", data, err)
	}
	if _, err := read("bpe.model"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	// Cut, or with another byte in a file, it is refused.
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := slices.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		read, _, err := foreignFiles(path)
		if err != nil {
			continue
		}
		if data, err := read("model/model.bin"); err == nil && string(data) != text {
			t.Fatalf("with byte %d changed other bytes are read", at)
		}
	}
	if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := foreignFiles(path); err == nil || !strings.Contains(err.Error(), "a zip") {
		t.Errorf("half a package: %v", err)
	}
}
