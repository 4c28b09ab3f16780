package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// frameHead is the size of a frame's head (PROTOCOL.md, section 6.4) in bytes:
// four bytes for the length of the body and two for the record type, both
// big-endian.
const frameHead = 6

// WriteMessage writes one frame in one Write: a head and the record's bytes.
func WriteMessage(w io.Writer, t RecordType, body []byte) error {
	if len(body) > MaxMessage {
		return Refuse(TooLarge, "write %s: %d bytes, the limit is %d", t, len(body), MaxMessage)
	}
	frame := make([]byte, frameHead, frameHead+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)))
	binary.BigEndian.PutUint16(frame[4:], uint16(t))
	if _, err := w.Write(append(frame, body...)); err != nil {
		return fmt.Errorf("write %s: %w", t, err)
	}
	return nil
}

// ReadMessage reads one frame. It returns io.EOF at the end of the stream, and
// wraps io.ErrUnexpectedEOF when the stream ends inside a frame. A frame whose
// head announces more bytes than its type allows is refused unread.
func ReadMessage(r io.Reader) (RecordType, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err == io.EOF {
		return 0, nil, io.EOF
	} else if err != nil {
		return 0, nil, fmt.Errorf("read message: %w", err)
	}
	n, t := binary.BigEndian.Uint32(head[:]), RecordType(binary.BigEndian.Uint16(head[4:]))
	if !t.known() {
		return 0, nil, Refuse(Malformed, "read message: a %s is unknown", t)
	}
	if limit := min(MaxMessage, types[t].max); int64(n) > int64(limit) {
		return 0, nil, Refuse(TooLarge, "read %s: %d bytes, the limit is %d", t, n, limit)
	}
	// The buffer grows as bytes come: an announced length costs the sender nothing.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("read %s: %w", t, err)
	}
	return t, body.Bytes(), nil
}
