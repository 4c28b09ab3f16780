package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// TestAnnouncedFrame: a peer that announces a large frame and sends little of it costs
// little memory.
func TestAnnouncedFrame(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, MaxMessage/2)
	head = binary.BigEndian.AppendUint16(head, uint16(TypeTicket))
	frame := append(head, make([]byte, 100)...)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ReadMessage(bytes.NewReader(frame)); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 8<<10 {
		t.Errorf("100 bytes of an announced frame of %d took %d bytes of memory", MaxMessage/2, got)
	}
}
