package block

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
)

// maxDepth bounds the nesting of a node.
const maxDepth = 16

// The one encoder and decoder. Both are immutable and safe for concurrent use.
var (
	encoder = mustMode(func() (cbor.EncMode, error) {
		o := cbor.CoreDetEncOptions()
		o.NilContainers = cbor.NilContainerAsEmpty
		o.TagsMd = cbor.TagsAllowed
		return o.EncMode()
	}())
	decoder = mustMode(cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxDepth,
		MaxArrayElements: MaxSize,
	}.DecMode())
)

func mustMode[M any](m M, err error) M {
	if err != nil {
		panic(err) // the options are constants of this file
	}
	return m
}

// Encode returns the canonical bytes of v (PROTOCOL.md, section 2.1): DAG-CBOR
// restricted to unsigned integers, booleans, bytes, text, links ([Link]) and
// definite-length arrays, each in its shortest form, an array outermost.
// Structs are arrays of their fields (`cbor:",toarray"`). A value that needs
// anything else (a map, a float, a negative number, nil) is an error. The
// caller must bound the size: a node that becomes a block may not exceed
// [MaxSize].
func Encode(v any) ([]byte, error) {
	data, err := encoder.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	if err := scan(data, nil); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// Decode reads canonical bytes, as [Encode] writes them, into *v. It fails unless
// encoding *v again gives exactly data. Hostile bytes do no harm: Decode accepts
// at most [MaxSize] bytes and 16 levels of nesting.
func Decode(data []byte, v any) error {
	if err := scan(data, nil); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if err := decoder.Unmarshal(data, v); err != nil {
		return &otherKind{strings.TrimPrefix(fmt.Sprintf("%T", v), "*"), err}
	}
	again, err := encoder.Marshal(v)
	if err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("decode %T: bytes are not canonical", v)
	}
	return nil
}

// otherKind is the error of bytes that are not of the kind that was asked for. Its
// text leaves out the decoder's words, which are about types of Go.
type otherKind struct {
	kind  string
	cause error
}

func (e *otherKind) Error() string {
	return "not a " + e.kind + ": the bytes are of another kind, or damaged"
}
func (e *otherKind) Unwrap() error { return e.cause }

// Links returns the links of a CBOR node in their order in the node.
func Links(node []byte) ([]cid.Cid, error) {
	var links []cid.Cid
	err := scan(node, func(c cid.Cid) { links = append(links, c) })
	if err != nil {
		return nil, fmt.Errorf("links of a node: %w", err)
	}
	return links, nil
}

// The major types of RFC 8949, section 3.1, that are in the subset.
const (
	majorUint  = 0
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorTag   = 6
	majorOther = 7
)

var errTruncated = errors.New("truncated")

// scan checks that data is exactly one array of the subset, and calls link, if
// not nil, with each link in order. The length of data bounds its allocations.
func scan(data []byte, link func(cid.Cid)) error {
	if len(data) > MaxSize {
		return fmt.Errorf("%d bytes, the limit is %d", len(data), MaxSize)
	}
	if len(data) == 0 {
		return errTruncated
	}
	if data[0]>>5 != majorArray {
		return errors.New("outermost item is not an array")
	}
	rest, err := scanItem(data, 0, link)
	if err != nil {
		return fmt.Errorf("%w at byte %d", err, len(data)-len(rest))
	}
	if len(rest) != 0 {
		return fmt.Errorf("%d bytes after the end", len(rest))
	}
	return nil
}

// scanItem consumes one item and returns the bytes after it, or an error and the
// bytes from the error on.
func scanItem(data []byte, depth int, link func(cid.Cid)) ([]byte, error) {
	major, n, rest, err := scanHead(data)
	if err != nil {
		return data, err
	}
	switch major {
	case majorUint:
		return rest, nil
	case majorBytes, majorText:
		if n > uint64(len(rest)) {
			return data, errTruncated
		}
		if major == majorText && !utf8.Valid(rest[:n]) {
			return data, errors.New("text is not UTF-8")
		}
		return rest[n:], nil
	case majorArray:
		if depth == maxDepth {
			return data, errors.New("nested too deep")
		}
		if n > uint64(len(rest)) {
			return data, errTruncated
		}
		for range n {
			if rest, err = scanItem(rest, depth+1, link); err != nil {
				return rest, err
			}
		}
		return rest, nil
	case majorTag:
		return scanLink(data, link)
	case majorOther:
		if n == 20 || n == 21 { // false, true
			return rest, nil
		}
	}
	return data, fmt.Errorf("item 0x%02x is not of the subset", data[0])
}

// scanLink consumes a link.
func scanLink(data []byte, link func(cid.Cid)) ([]byte, error) {
	if len(data) < linkSize {
		return data, errTruncated
	}
	var l Link
	if err := l.UnmarshalCBOR(data[:linkSize]); err != nil {
		return data, err
	}
	if link != nil {
		link(l.Cid)
	}
	return data[linkSize:], nil
}

// scanHead reads an item's major type and argument, which must be in its
// shortest form.
func scanHead(data []byte) (major byte, n uint64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errTruncated
	}
	major, low := data[0]>>5, data[0]&31
	if low < 24 {
		return major, uint64(low), data[1:], nil
	}
	if low > 27 || major == majorOther {
		return 0, 0, nil, fmt.Errorf("item 0x%02x is not of the subset", data[0])
	}
	size := 1 << (low - 24)
	if len(data) < 1+size {
		return 0, 0, nil, errTruncated
	}
	for _, b := range data[1 : 1+size] {
		n = n<<8 | uint64(b)
	}
	shorter := uint64(24) // the least value that needs this form
	if size > 1 {
		shorter = 1 << (4 * size)
	}
	if n < shorter {
		return 0, 0, nil, errors.New("number is not in its shortest form")
	}
	return major, n, data[1+size:], nil
}

// Len returns the number of values that an array announces, from the array's first
// bytes. The values may be missing.
func Len(array []byte) (int, error) {
	if len(array) == 0 {
		return 0, errTruncated
	}
	major, n, _, err := scanHead(array)
	if err != nil {
		return 0, err
	}
	if major != majorArray || n > MaxSize {
		return 0, errors.New("not an array")
	}
	return int(n), nil
}
