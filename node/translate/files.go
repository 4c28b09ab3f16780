package translate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/document"
)

// MaxFile is the most bytes of a file that is read.
const MaxFile = 512 << 20

// Bytes translates a document that is in memory. Its name has the extension of its format.
func (c *Config) Bytes(ctx context.Context, name string, data []byte) ([]byte, report.TranslatedFile, error) {
	w, err := c.begin(ctx, name, data)
	if err != nil {
		return nil, report.TranslatedFile{}, err
	}
	if err := w.run(ctx); err != nil {
		return nil, report.TranslatedFile{}, err
	}
	out, r, err := w.rebuild()
	if err == nil {
		err = w.prove(ctx, data, out, "", &r)
	}
	return out, r, err
}

// File translates a file into another. The output is written whole or not at all, with the
// permissions of the input. A file that exists is replaced only with Force; one that has the
// bytes of the result already is no error. What is refused is refused before it is paid.
func (c *Config) File(ctx context.Context, input, output string) (r report.TranslatedFile, err error) {
	data, mode, err := read(ctx, input)
	if err != nil {
		return r, err
	}
	return c.Write(ctx, input, data, output, mode)
}

// Write translates a document that is in memory into a file with permissions.
func (c *Config) Write(ctx context.Context, name string, data []byte, output string, mode fs.FileMode) (r report.TranslatedFile, err error) {
	w, err := c.begin(ctx, name, data)
	if err != nil {
		return r, err
	}
	if err := fitsFormat(w.document.Format, output); err != nil {
		return r, err
	}
	old, exists, err := c.existing(name, output, len(w.missing) == 0)
	if err != nil {
		return r, err
	}
	if err := w.run(ctx); err != nil {
		return r, err
	}
	out, r, err := w.rebuild()
	if err != nil {
		return r, err
	}
	r.Output = output
	same := exists && bytes.Equal(old, out)
	if exists && !same && !c.Force {
		return r, existsError(output)
	}
	if !same {
		if err := disk.MakeDir(disk.OS, filepath.Dir(output)); err != nil {
			return r, fmt.Errorf("write %s: %w", output, err)
		}
		if err := disk.WriteFileMode(disk.OS, output, out, mode); err != nil {
			return r, err
		}
	}
	return r, w.prove(ctx, data, out, output, &r)
}

// fitsFormat refuses an output whose name is that of another format: the translation has
// that of the document.
func fitsFormat(f document.Format, output string) error {
	ext := strings.ToLower(filepath.Ext(output))
	for _, other := range document.Formats() {
		if other != f && slices.Contains(other.Extensions(), ext) {
			return fmt.Errorf("%s is the name of a %s file, and the document is %s: give an output that ends in %s", output, other, f, f.Extensions()[0])
		}
	}
	return nil
}

func existsError(output string) error {
	return fmt.Errorf("%s exists and is another text: choose another --output, or replace it with --force", output)
}

// existing looks at what stands in the place of an output. It is read only if the
// translation is there already: then it may be the result of the same command before.
func (c *Config) existing(name, output string, finished bool) (old []byte, exists bool, err error) {
	info, err := os.Stat(output)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("write %s: %w", output, err)
	}
	if !info.Mode().IsRegular() {
		return nil, true, fmt.Errorf("write %s: it is not a file", output)
	}
	if c.Force {
		return nil, true, nil
	}
	if in, err := os.Stat(name); err == nil && os.SameFile(in, info) {
		return nil, true, fmt.Errorf("%s is the document itself: choose another --output, or replace the document with --force", output)
	}
	if !finished {
		return nil, true, existsError(output)
	}
	old, err = os.ReadFile(output)
	return old, true, err
}

// read reads a file whole. A named pipe ends with its writer, or with ctx.
func read(ctx context.Context, path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fmt.Errorf("the file %s does not exist: check its name", path)
	case err != nil:
		return nil, 0, fmt.Errorf("read document: %w", err)
	case info.IsDir():
		return nil, 0, fmt.Errorf("%s is a directory", path)
	case info.Size() > MaxFile:
		return nil, 0, tooLarge(path)
	}
	how := os.O_RDONLY
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	if pipe {
		how |= syscall.O_NONBLOCK // to open it would wait for a writer, whatever the context says
	}
	f, err := os.OpenFile(path, how, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("read document: %w", err)
	}
	defer f.Close()
	if pipe {
		stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) }) // an error means that it cannot wait
		defer stop()
	}
	data, err := ReadAll(path, f)
	switch {
	case ctx.Err() != nil:
		return nil, 0, fmt.Errorf("read %s: %w", path, ctx.Err())
	case pipe && err == nil && len(data) == 0:
		return nil, 0, fmt.Errorf("nobody writes to the pipe %s", path)
	}
	return data, info.Mode().Perm(), err
}

func tooLarge(name string) error {
	return fmt.Errorf("%s has more than %d MiB: divide it", name, MaxFile>>20)
}

// ReadAll reads a document from a stream, which has a name for errors.
func ReadAll(name string, in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > MaxFile {
		return nil, tooLarge(name)
	}
	return data, nil
}

// Files translates files and folders into a folder, in the sequence of their names. A
// folder keeps its tree; given alone it becomes the output, and among others it lies in the
// output under its name. Files of kinds that cannot be translated, such as pictures, are
// skipped and listed. Other errors of a file are listed, too, and the next file follows. A
// job that breaks down ends all, because the next file would meet the same.
func (c *Config) Files(ctx context.Context, inputs []string, output string) (all report.TranslatedFiles, err error) {
	all = report.TranslatedFiles{Output: output, Files: []report.TranslatedFile{}, Skipped: []string{}, Failed: []report.FailedFile{}}
	pairs, err := plan(inputs, output)
	if err != nil {
		return all, err
	}
	for _, p := range pairs {
		if !p.named && !possible(p.input) {
			all.Skipped = append(all.Skipped, p.input)
			continue
		}
		r, err := c.File(ctx, p.input, p.output)
		switch {
		case err == nil:
			all.Files = append(all.Files, r)
			all.Segments, all.Reused, all.Flagged, all.Paid = all.Segments+r.Segments, all.Reused+r.Reused, all.Flagged+r.Flagged, all.Paid+r.Paid
		case ctx.Err() != nil || errors.As(err, new(*Unfinished)):
			return all, err
		case errors.Is(err, document.ErrUnsupported) && !p.named:
			all.Skipped = append(all.Skipped, p.input)
		default:
			all.Failed = append(all.Failed, report.FailedFile{Input: p.input, Error: err.Error()})
		}
	}
	if n := len(all.Failed); n > 0 {
		return all, fmt.Errorf("%d of %d files are not translated, the first is %s", n, n+len(all.Files), all.Failed[0].Error)
	}
	if len(all.Files) == 0 {
		return all, fmt.Errorf("there is no file that can be translated in %s (%d are of other kinds)", strings.Join(inputs, ", "), len(all.Skipped))
	}
	return all, nil
}

// pair is a file and where its translation goes.
type pair struct {
	input, output string
	named         bool // by the caller, and not found in a folder
}

// possible reports whether the name of a file may be that of a document. A film need not be
// read for that.
func possible(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == "" || slices.ContainsFunc(document.Formats(), func(f document.Format) bool { return slices.Contains(f.Extensions(), ext) })
}

// plan lists the files, and refuses two with one output.
func plan(inputs []string, output string) (all []pair, err error) {
	for _, in := range inputs {
		info, err := os.Stat(in)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the file %s does not exist: check its name", in)
		} else if err != nil {
			return nil, err
		}
		to := filepath.Join(output, filepath.Base(filepath.Clean(in)))
		if !info.IsDir() {
			all = append(all, pair{in, to, true})
			continue
		}
		if len(inputs) == 1 {
			to = output
		}
		found, err := walk(in, to, output)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	from := map[string]string{}
	for _, p := range all {
		if other, twice := from[p.output]; twice {
			return nil, fmt.Errorf("%s and %s would both be written to %s: translate them by two commands", other, p.input, p.output)
		}
		from[p.output] = p.input
	}
	return all, nil
}

// walk lists the files below a folder, in the sequence of their names. It leaves out those
// whose names begin with a point, links, and the output if that lies in the folder.
func walk(dir, to, output string) (all []pair, err error) {
	out, outErr := os.Stat(output)
	if in, err := os.Stat(dir); err == nil && outErr == nil && os.SameFile(in, out) {
		return nil, fmt.Errorf("%s is the folder itself: choose another --output", output)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == dir {
			return nil
		}
		if e.IsDir() {
			info, err := e.Info()
			if err == nil && (strings.HasPrefix(e.Name(), ".") || outErr == nil && os.SameFile(info, out)) {
				return fs.SkipDir
			}
			return err
		}
		if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		all = append(all, pair{input: path, output: filepath.Join(to, rel)})
		return err
	})
	return all, err
}
