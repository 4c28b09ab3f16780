package text

import (
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Train learns a tokenizer of the given number of pieces from lines, which
// ought to be normalised. It starts from single bytes and merges, again and
// again, the pair of neighbouring pieces that occurs most often inside words;
// of equally frequent pairs the one whose left piece, then right piece, comes
// first in byte order. It stops early when no pair occurs twice, so a small
// text may give fewer pieces. The result depends on how often each word
// occurs and not on the order of the lines.
//
// An error means that pieces is outside [MinPieces, MaxPieces] or that there
// is no text.
func Train(lines iter.Seq[string], pieces int) (*BPE, error) {
	if pieces < MinPieces || pieces > MaxPieces {
		return nil, fmt.Errorf("train tokenizer: %d pieces, want %d to %d", pieces, MinPieces, MaxPieces)
	}
	words := countWords(lines)
	if len(words) == 0 {
		return nil, fmt.Errorf("train tokenizer: no text")
	}
	t := newTokenizer()
	tr := newTrainer(t, words)
	for t.Pieces() < pieces {
		p, ok := tr.best()
		if !ok {
			break
		}
		if err := t.add(p); err != nil {
			return nil, fmt.Errorf("train tokenizer: %w", err)
		}
		tr.apply(p, int32(t.Pieces()-1))
	}
	return t, nil
}

// word is a distinct word of the text: its pieces so far, and its occurrences.
type word struct {
	ids   []int32
	count int64
}

// countWords returns the distinct words of the lines in byte order.
func countWords(lines iter.Seq[string]) []word {
	counts := make(map[string]int64)
	for line := range lines {
		if line == "" {
			continue
		}
		for s := " " + line; s != ""; {
			n := wordLen(s)
			counts[s[:n]]++
			s = s[n:]
		}
	}
	keys := make([]string, 0, len(counts))
	for w := range counts { // order-free: sorted below
		keys = append(keys, w)
	}
	slices.Sort(keys)
	words := make([]word, len(keys))
	for i, w := range keys {
		words[i] = word{byteIDs(w), counts[w]}
	}
	return words
}

// trainer keeps how often each pair occurs, and where, as merges are applied.
type trainer struct {
	tok    *BPE
	words  []word
	counts map[pair]int64
	where  map[pair][]int32 // indices of words that have, or once had, the pair
	queue  queue
}

func newTrainer(t *BPE, words []word) *trainer {
	tr := &trainer{tok: t, words: words, counts: make(map[pair]int64), where: make(map[pair][]int32)}
	tr.queue.tok = t
	var fresh []pair
	for i, w := range words {
		for j := range len(w.ids) - 1 {
			fresh = tr.count(fresh, pair{w.ids[j], w.ids[j+1]}, i)
		}
	}
	tr.enqueue(fresh)
	return tr
}

// count adds one occurrence of p in word i; p is appended to fresh when it had
// none before.
func (tr *trainer) count(fresh []pair, p pair, i int) []pair {
	if tr.counts[p] == 0 {
		fresh = append(fresh, p)
	}
	tr.counts[p] += tr.words[i].count
	if at := tr.where[p]; len(at) == 0 || at[len(at)-1] != int32(i) {
		tr.where[p] = append(at, int32(i))
	}
	return fresh
}

// enqueue puts each pair and its count in the queue.
func (tr *trainer) enqueue(pairs []pair) {
	for _, p := range pairs {
		heap.Push(&tr.queue, candidate{p, tr.counts[p]})
	}
}

// best takes the next pair to merge out of the queue. Counts in the queue may
// be too high, never too low: an entry is believed only when it is exact.
func (tr *trainer) best() (pair, bool) {
	for tr.queue.Len() > 0 {
		c := heap.Pop(&tr.queue).(candidate)
		switch n := tr.counts[c.pair]; {
		case n < 2:
		case n == c.count:
			return c.pair, true
		default:
			heap.Push(&tr.queue, candidate{c.pair, n})
		}
	}
	return pair{}, false
}

// apply merges p into id in every word that has it, leftmost first. Only pairs
// with id gain occurrences, and none of those was in the queue before.
func (tr *trainer) apply(p pair, id int32) {
	var fresh []pair
	for _, i := range tr.where[p] {
		w := &tr.words[i]
		out := w.ids[:0]
		for j := 0; j < len(w.ids); j++ {
			if j+1 == len(w.ids) || w.ids[j] != p.left || w.ids[j+1] != p.right {
				out = append(out, w.ids[j])
				continue
			}
			if len(out) > 0 {
				before := out[len(out)-1]
				tr.counts[pair{before, p.left}] -= w.count
				fresh = tr.count(fresh, pair{before, id}, int(i))
			}
			if j+2 < len(w.ids) {
				tr.counts[pair{p.right, w.ids[j+2]}] -= w.count
				fresh = tr.count(fresh, pair{id, w.ids[j+2]}, int(i))
			}
			out = append(out, id)
			j++
		}
		w.ids = out
	}
	tr.enqueue(fresh)
	delete(tr.where, p)
	delete(tr.counts, p)
}

// candidate is a pair and a count it once had.
type candidate struct {
	pair
	count int64
}

// queue is a heap of candidates, the next to merge first.
type queue struct {
	tok   *BPE
	items []candidate
}

func (q *queue) Len() int      { return len(q.items) }
func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)    { q.items = append(q.items, x.(candidate)) }

func (q *queue) Less(i, j int) bool {
	a, b := q.items[i], q.items[j]
	if a.count != b.count {
		return a.count > b.count
	}
	if c := strings.Compare(q.tok.pieces[a.left], q.tok.pieces[b.left]); c != 0 {
		return c < 0
	}
	return q.tok.pieces[a.right] < q.tok.pieces[b.right]
}

func (q *queue) Pop() any {
	last := len(q.items) - 1
	c := q.items[last]
	q.items = q.items[:last]
	return c
}
