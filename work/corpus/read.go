package corpus

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"

	"github.com/alia-network/alia/work/text"
)

// The limits of a file, after decompression. Files are read line by line, so no limit of
// lines or bytes costs memory. They end the reading of a file that decompresses without end.
const (
	MaxLine  = 1 << 16 // bytes of a line that is read; a longer one is dropped
	MaxLines = 1 << 27 // lines of a file
	MaxFile  = 1 << 30 // bytes of a text that a caller holds in memory

	maxBytes  = 1 << 36 // bytes of a file of lines
	maxRun    = 1 << 24 // bytes without the end of a line: more is no text with a sentence on each line
	maxWindow = 1 << 27 // bytes that a decompressor looks back: zstd --long=27 and xz -9 fit
)

// packed are the kinds of compressed files: the end of their names, and their first bytes.
var packed = []struct{ end, magic, name string }{
	{".gz", "\x1f\x8b", "gzip"}, {".zst", "\x28\xb5\x2f\xfd", "zstd"}, {".xz", "\xfd7zXZ\x00", "xz"}, {".bz2", "BZh", "bzip2"},
}

// bare returns a file name without the end that says how the file is compressed.
func bare(name string) string {
	for _, p := range packed {
		if s, ok := strings.CutSuffix(name, p.end); ok {
			return s
		}
	}
	return name
}

// input is a file that is being read, decompressed.
type input struct {
	io.Reader
	path string
	file *os.File
	undo func()
}

func (in *input) Close() {
	in.undo()
	in.file.Close()
}

// open opens a file. Its first bytes say how it is compressed: what the name says must agree.
func open(path string) (in *input, err error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe may take for ever
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: it is a directory: give a file", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is a pipe or a device: give a file, because a corpus is read several times", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in = &input{path: path, file: f, undo: func() {}}
	defer func() {
		if err != nil {
			in.Close()
			err = fmt.Errorf("%s: %w", path, damage(err))
		}
	}()
	r := bufio.NewReaderSize(f, 1<<16)
	head, err := r.Peek(text.PointerHead)
	if err != nil && err != io.EOF {
		return in, err
	}
	if err = text.CheckPointer(head); err != nil {
		return in, err
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return in, errors.New("it is a zip archive: unpack it, and give the files in it")
	}
	in.Reader = r
	for _, p := range packed {
		if !bytes.HasPrefix(head, []byte(p.magic)) {
			if strings.HasSuffix(path, p.end) {
				if len(head) < len(p.magic) {
					return in, io.ErrUnexpectedEOF
				}
				return in, fmt.Errorf("%s: invalid header: the name says %s, and the file is something else", p.name, p.name)
			}
			continue
		}
		switch p.end {
		case ".gz":
			in.Reader, err = gzip.NewReader(r)
		case ".bz2":
			in.Reader = bzip2.NewReader(r)
		case ".xz":
			in.Reader, err = xz.NewReader(r, maxWindow)
		case ".zst":
			var z *zstd.Decoder
			z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
			if err == nil {
				in.Reader, in.undo = z, z.Close
			}
		}
	}
	return in, err
}

// damage replaces an error of a decompressor by one in plain words.
func damage(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, xz.ErrBuf):
		return errors.New("the file is cut short: get the file again")
	case errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("to decompress it takes more than %d MiB: compress it with a smaller window", maxWindow>>20)
	}
	return err
}

// lines reads the lines of a file. A line ends with LF or CR LF; the last line may also end
// with the file.
type lines struct {
	*input
	in    *bufio.Reader
	n     int   // lines read
	bytes int64 // and their bytes
	most  limits
}

// limits are those of a file of lines.
type limits struct {
	lines int
	bytes int64
}

func openLines(path string) (*lines, error) {
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	return newLines(in, limits{MaxLines, maxBytes}), nil
}

func newLines(in *input, most limits) *lines {
	return &lines{input: in, in: bufio.NewReaderSize(in, MaxLine+2), most: most}
}

// next returns the next line without its end, and the rule by which it is dropped, if there
// is one. The line is valid until the next call. At the end of the file the error is io.EOF.
func (l *lines) next() (line []byte, bad Rule, err error) {
	line, bad, err = l.read()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", l.path, damage(err))
	}
	return line, bad, err
}

func (l *lines) read() (line []byte, bad Rule, err error) {
	line, err = l.in.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, 0, io.EOF
	}
	l.n++
	size := int64(len(line))
	if l.n == 1 && size > MaxSentence && bytes.Count(line, []byte("\r")) > int(size/MaxSentence) {
		return nil, 0, errors.New("its lines end with CR alone: convert it, such as with tr '\\r' '\\n'")
	}
	for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long
		if bad = LongLine; size > maxRun {
			return nil, 0, fmt.Errorf("line %d is longer than %d MiB: this is no file with a sentence on each line", l.n, maxRun>>20)
		}
		line, err = l.in.ReadSlice('\n')
		size += int64(len(line))
	}
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	// A compressed file may be small, and its text without end.
	switch l.bytes += size; {
	case l.n > l.most.lines:
		return nil, 0, fmt.Errorf("it has more than %d lines: divide it", l.most.lines)
	case l.bytes > l.most.bytes:
		return nil, 0, fmt.Errorf("it has more than %d bytes of text: divide it", l.most.bytes)
	case bad == LongLine:
		return nil, LongLine, nil
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if l.n == 1 { // a byte-order mark is no text
		if bytes.HasPrefix(line, []byte("\xff\xfe\x00\x00")) || bytes.HasPrefix(line, []byte("\x00\x00\xfe\xff")) {
			return nil, 0, errors.New("it is in UTF-32: convert it, such as with iconv -f UTF-32 -t UTF-8")
		}
		if bytes.HasPrefix(line, []byte("\xff\xfe")) || bytes.HasPrefix(line, []byte("\xfe\xff")) {
			return nil, 0, errors.New("it is in UTF-16: convert it, such as with iconv -f UTF-16 -t UTF-8")
		}
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
	}
	if len(line) > MaxLine {
		return nil, LongLine, nil
	}
	return line, badText(line), nil
}

// badText returns the rule by which bytes are no text.
func badText(line []byte) Rule {
	if !utf8.Valid(line) {
		return NotUTF8
	}
	for i, b := range line {
		// The controls of ASCII but for white space, and those that Latin-1 has at 0x80 to
		// 0x9F: text of another encoding, or no text. U+0085 is a line's end.
		if b < ' ' && b != '\t' && (b < '\n' || b > '\r') || b == 0x7F ||
			b == 0xC2 && line[i+1] < 0xA0 && line[i+1] != 0x85 {
			return Control
		}
	}
	return 0
}
