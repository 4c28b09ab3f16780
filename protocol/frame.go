package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
)

// frameHead is the size of what precedes a frame's body: four bytes of its
// length and two of its type, big-endian.
const frameHead = 6

// WriteMessage writes one frame: the record's bytes after their length and
// type. It is one Write.
func WriteMessage(w io.Writer, t Type, body []byte) error {
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

// ReadMessage reads one frame. At the end of the stream it returns io.EOF, and
// within a frame io.ErrUnexpectedEOF wrapped. A frame announced larger than its
// type may be is refused unread.
func ReadMessage(r io.Reader) (Type, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err == io.EOF {
		return 0, nil, io.EOF
	} else if err != nil {
		return 0, nil, fmt.Errorf("read message: %w", err)
	}
	n, t := binary.BigEndian.Uint32(head[:]), Type(binary.BigEndian.Uint16(head[4:]))
	if int(t) >= len(kinds) || kinds[t].max == 0 {
		return 0, nil, Refuse(Malformed, "read message: %s is not known", t)
	}
	if limit := min(MaxMessage, kinds[t].max); int64(n) > int64(limit) {
		return 0, nil, Refuse(TooLarge, "read %s: %d bytes, the limit is %d", t, n, limit)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("read %s: %w", t, err)
	}
	return t, body, nil
}
