package mesh

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The block session: PROTOCOL.md, section 6.7. A request is one byte, a count
// of 1 to maxWant, and that number of binary CIDs of 36 bytes. The answer is,
// for each CID in turn, four bytes of length and the block, or the length
// notHeld alone. A stream carries any number of requests, one after the other.
const (
	blocksProtocol = "/blk/1"
	maxWant        = 64
	cidSize        = 36
	notHeld        = 1<<32 - 1
	blockTimeout   = 30 * time.Second // for one block, or between two requests
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
	var head [4]byte
	data, err := m.cfg.Blocks.Get(ctx, c)
	if err != nil {
		if !errors.Is(err, block.ErrNotFound) || errors.Is(err, block.ErrDamaged) {
			m.log.Warn("block not served", "err", err)
		}
		binary.BigEndian.PutUint32(head[:], notHeld)
	} else {
		binary.BigEndian.PutUint32(head[:], uint32(len(data)))
	}
	if err := s.SetWriteDeadline(time.Now().Add(blockTimeout)); err != nil {
		return err
	}
	if _, err := s.Write(head[:]); err != nil {
		return err
	}
	if len(data) == 0 {
		return nil
	}
	if _, err := s.Write(data); err != nil {
		return err
	}
	m.counters.serve(len(data))
	return nil
}

// fetchFrom asks one peer for the blocks and stores the blocks that the peer
// has. It returns the CIDs of the other blocks, and an error if the session
// ended early. A block may have the bytes that most says, or else [block.MaxSize].
func (m *Mesh) fetchFrom(ctx context.Context, from peer.AddrInfo, wants []cid.Cid, most map[cid.Cid]int) ([]cid.Cid, error) {
	if err := m.connect(ctx, from); err != nil {
		return wants, err
	}
	s, err := m.host.NewStream(ctx, from.ID, m.protocol(blocksProtocol))
	if err != nil {
		return wants, err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	r := bufio.NewReaderSize(s, 64<<10)
	buf := make([]byte, 0, block.LeafSize)
	var missing []cid.Cid
	for len(wants) > 0 {
		batch := wants[:min(maxWant, len(wants))]
		if err := writeWants(s, batch); err != nil {
			_ = s.Reset()
			return append(missing, wants...), err
		}
		for _, c := range batch {
			limit, ok := most[c]
			if !ok {
				limit = block.MaxSize
			}
			held, err := m.receive(ctx, s, r, &buf, c, limit)
			if err != nil {
				_ = s.Reset()
				return append(missing, wants...), err
			}
			if !held {
				missing = append(missing, c)
			}
			wants = wants[1:]
		}
	}
	return missing, s.Close()
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
func (m *Mesh) receive(ctx context.Context, s network.Stream, r io.Reader, buf *[]byte, c cid.Cid, most int) (bool, error) {
	if err := s.SetReadDeadline(time.Now().Add(blockTimeout)); err != nil {
		return false, err
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return false, fmt.Errorf("read block: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
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
	if cap(*buf) < int(n) {
		*buf = make([]byte, n)
	}
	data := (*buf)[:n]
	if _, err := io.ReadFull(r, data); err != nil {
		return false, fmt.Errorf("read block: %w", err)
	}
	if err := block.Verify(c, data); err != nil {
		m.counters.reject(protocol.BadBlock)
		return false, protocol.Refuse(protocol.BadBlock, "peer %s: %w", s.Conn().RemotePeer(), err)
	}
	if _, err := m.cfg.Blocks.Put(ctx, block.Codec(c.Type()), data); err != nil {
		return false, &putError{err}
	}
	m.counters.fetch(len(data))
	return true, nil
}

// putError is a failure to store a block here, for which no peer is to blame.
type putError struct{ error }

func (e *putError) Unwrap() error { return e.error }
