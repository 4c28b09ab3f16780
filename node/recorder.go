package node

import "github.com/alia-network/alia/node/journal"

// recorder appends lines to a journal. One goroutine writes, and the lines that come
// while the disk syncs are one batch with one sync: a thousand results that come
// together do not cost a thousand syncs.
type recorder struct {
	journal *journal.Journal
	lines   chan recording
}

// recording is a line, and where to say that it is durable.
type recording struct {
	line journal.Line
	done chan error // of capacity 1
}

const maxBatch = 256 // lines

func newRecorder(j *journal.Journal) recorder { return recorder{j, make(chan recording)} }

// append returns when the line is durable, or with the journal's error. It is not
// called after close.
func (r *recorder) append(l journal.Line) error {
	done := make(chan error, 1)
	r.lines <- recording{l, done}
	return <-done
}

// run writes lines until close.
func (r *recorder) run() {
	for first := range r.lines {
		batch := []recording{first}
	more:
		for len(batch) < maxBatch {
			select {
			case next, open := <-r.lines:
				if !open {
					break more
				}
				batch = append(batch, next)
			default:
				break more
			}
		}
		lines := make([]journal.Line, len(batch))
		for i, b := range batch {
			lines[i] = b.line
		}
		err := r.journal.Append(lines...)
		for _, b := range batch {
			b.done <- err
		}
	}
}

func (r *recorder) close() { close(r.lines) }
