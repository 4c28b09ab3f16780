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

// TestPackageBomb: a file of a package that becomes far larger when it is unpacked is refused
// before it is.
func TestPackageBomb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "en_et.argosmodel")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, zeros := zip.NewWriter(f), make([]byte, 1<<20)
	for _, name := range []string{"en_et/metadata.json", "en_et/model/model.bin"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 65 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	read, _, err := foreignFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"metadata.json", "model/model.bin"} {
		if _, err := read(name); err == nil || !strings.Contains(err.Error(), name+" has 68157440 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForeignFiles finds the files of a directory whatever its name, and says what is no directory.
func TestForeignFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "opus [en-de] *")
	if err := os.MkdirAll(filepath.Join(dir, "model"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.en.bin", "model/model.bin"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, names, err := foreignFiles(dir)
	if want := []string{"model", "model/model.bin", "model.en.bin"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q (%v), want %q", names, err, want)
	}
	for path, says := range map[string]string{dir + "x": "does not exist", filepath.Join(dir, "model.en.bin"): "is a file"} {
		if _, _, err := foreignFiles(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %s", path, err, says)
		}
	}
}
