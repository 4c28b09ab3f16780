package mesh

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The block session: PROTOCOL.md, section 6.7. A request is one byte, a count
// of 1 to maxWant, and that number of binary CIDs of 36 bytes. The answer is,
// for each CID in turn, four bytes of length and the block, or the length
// notHeld alone. The length queued, any number of times, may come before the
// answer. A stream carries any number of requests, one after the other.
const (
	blocksProtocol = "/blk/1"
	maxWant        = 64
	cidSize        = 36
	notHeld        = 1<<32 - 1
	queued         = 1<<32 - 2
	blockPiece     = 64 << 10
	blockTimeout   = 30 * time.Second // without a byte, or between two requests
	pieceTimeout   = time.Minute      // to hand a piece to yamux, which waits for the reader
	leastRate      = 1 << 10          // bytes per second of a block
	queuedEvery    = 5 * time.Second
	maxQueue       = 10 * time.Minute // a fetch waits for its turn at one holder no longer
)

// serveBlocks answers the requests of one stream.
func (m *Mesh) serveBlocks(ctx context.Context, s network.Stream) {
	if err := m.answerBlocks(ctx, s); err != nil {
		m.log.Debug("block session ended", "peer", s.Conn().RemotePeer(), "err", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (m *Mesh) answerBlocks(ctx context.Context, s network.Stream) error {
	r := bufio.NewReader(s)
	for {
		if err := s.SetReadDeadline(time.Now().Add(blockTimeout)); err != nil {
			return err
		}
		wants, err := readWants(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if protocol.ReasonOf(err) == protocol.Malformed {
				m.counters.reject(protocol.Malformed)
			}
			return err
		}
		for _, c := range wants {
			if err := m.answerBlock(ctx, s, c); err != nil {
				return err
			}
		}
	}
}

// readWants reads one request.
func readWants(r *bufio.Reader) ([]cid.Cid, error) {
	n, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if n == 0 || n > maxWant {
		return nil, protocol.Refuse(protocol.Malformed, "a request for %d blocks", n)
	}
	buf := make([]byte, int(n)*cidSize)
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, fmt.Errorf("read request: %w", io.ErrUnexpectedEOF)
	}
	wants := make([]cid.Cid, n)
	for i := range wants {
		c, err := cid.Cast(buf[i*cidSize : (i+1)*cidSize])
		if err == nil {
			err = block.Check(c)
		}
		if err != nil {
			return nil, protocol.Refuse(protocol.Malformed, "a request for a block: %w", err)
		}
		wants[i] = c
	}
	return wants, nil
}

func (m *Mesh) answerBlock(ctx context.Context, s network.Stream, c cid.Cid) error {
	// The store is not asked for a block that the peer may not read: the time of the
	// answer would tell whether the block is here.
	if m.cfg.Serve != nil && !m.cfg.Serve(s.Conn().RemotePeer(), c) || !m.cfg.Blocks.Has(c) {
		return writeLength(s, notHeld)
	}
	u := m.uploads.enter(s.Conn().RemotePeer(), lineOf(s.Conn().RemoteMultiaddr()))
	defer m.uploads.leave(u)
	for waiting := true; waiting; {
		select {
		case <-u.turn:
			waiting = false
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(queuedEvery):
			if err := writeLength(s, queued); err != nil {
				return err
			}
		}
	}
	// Not sooner: thousands of requests may wait, and cost nothing.
	data, err := m.cfg.Blocks.Get(ctx, c)
	if err != nil {
		if !errors.Is(err, block.ErrNotFound) || errors.Is(err, block.ErrDamaged) {
			m.log.Warn("block not served", "err", err)
		}
		return writeLength(s, notHeld)
	}
	if err := writeLength(s, uint32(len(data))); err != nil {
		return err
	}
	for piece := range slices.Chunk(data, blockPiece) {
		if err := s.SetWriteDeadline(time.Now().Add(pieceTimeout)); err != nil {
			return err
		}
		if _, err := s.Write(piece); err != nil {
			return err
		}
	}
	m.counters.serve(len(data))
	return nil
}

func writeLength(s network.Stream, n uint32) error {
	if err := s.SetWriteDeadline(time.Now().Add(blockTimeout)); err != nil {
		return err
	}
	_, err := s.Write(binary.BigEndian.AppendUint32(nil, n))
	return err
}

func writeWants(s network.Stream, wants []cid.Cid) error {
	buf := make([]byte, 1, 1+len(wants)*cidSize)
	buf[0] = byte(len(wants))
	for _, c := range wants {
		buf = append(buf, c.Bytes()...)
	}
	if err := s.SetWriteDeadline(time.Now().Add(blockTimeout)); err != nil {
		return err
	}
	_, err := s.Write(buf)
	return err
}

// receive reads the answer for c and stores the block. It reports whether the
// peer has the block. A block that does not match its CID is counted, and ends
// the session. So does one of more bytes than most.
func (m *Mesh) receive(ctx context.Context, s network.Stream, r io.Reader, c cid.Cid, most int) (bool, error) {
	n, err := readLength(s, r)
	if err != nil {
		return false, err
	}
	if n == notHeld {
		return false, nil
	}
	if n > block.MaxSize {
		m.counters.reject(protocol.TooLarge)
		return false, protocol.Refuse(protocol.TooLarge, "block %s of %d bytes", c, n)
	}
	if int(n) > most {
		return false, fmt.Errorf("block %s of %d bytes, want at most %d: %w", c, n, most, ErrTooLarge)
	}
	buf, _ := m.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer m.buffers.Put(buf)
	if *buf, err = readBlock(s, r, (*buf)[:0], int(n)); err != nil {
		return false, fmt.Errorf("read block: %w", err)
	}
	if err := m.cfg.Blocks.PutNamed(ctx, c, *buf); errors.Is(err, block.ErrMismatch) {
		m.counters.reject(protocol.BadBlock)
		return false, protocol.Refuse(protocol.BadBlock, "peer %s: %w", s.Conn().RemotePeer(), err)
	} else if err != nil {
		return false, &putError{err}
	}
	m.counters.fetch(int(n))
	return true, nil
}

// readLength reads the length of a block. Before it the peer may say, again and
// again, that the block waits for its turn.
func readLength(s network.Stream, r io.Reader) (uint32, error) {
	for until := time.Now().Add(maxQueue); ; {
		if err := s.SetReadDeadline(time.Now().Add(blockTimeout)); err != nil {
			return 0, err
		}
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 0, fmt.Errorf("read block: %w", err)
		}
		if n := binary.BigEndian.Uint32(head[:]); n != queued {
			return n, nil
		}
		if time.Now().After(until) {
			return 0, fmt.Errorf("read block: it waited for its turn longer than %v", maxQueue)
		}
	}
}

// readBlock reads n bytes into data, which is empty. A block may take as long as bytes come, at leastRate or
// faster. Memory grows as bytes come: an announced length costs nothing.
func readBlock(s network.Stream, r io.Reader, data []byte, n int) ([]byte, error) {
	end := time.Now().Add(blockTimeout + time.Duration(n)*time.Second/leastRate)
	for len(data) < n {
		if len(data) == cap(data) {
			data = slices.Grow(data, min(max(len(data), blockPiece), n-len(data)))
		}
		deadline := time.Now().Add(blockTimeout)
		if deadline.After(end) {
			deadline = end
		}
		if err := s.SetReadDeadline(deadline); err != nil {
			return data, err
		}
		k, err := r.Read(data[len(data):min(cap(data), n)])
		data = data[:len(data)+k]
		if err == io.EOF && len(data) < n {
			return data, io.ErrUnexpectedEOF
		}
		if err != nil && len(data) < n {
			return data, err
		}
	}
	return data, nil
}

// putError is a failure to store a block here, for which no peer is to blame.
type putError struct{ error }

func (e *putError) Unwrap() error { return e.error }
