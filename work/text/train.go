package text

import (
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Train learns a BPE with the given number of pieces from lines, which should be normalised.
//
// It starts with single bytes. Again and again it merges the pair of adjacent pieces that
// occurs most often inside words. Of equally frequent pairs it takes the one whose left
// piece, then right piece, comes first in byte order. Train stops early when no pair occurs
// twice, so a small text may give fewer pieces. The result depends on how often each word
// occurs, not on the sequence of the lines.
//
// The error is that pieces is not from MinPieces to MaxPieces, or that there is no text.
func Train(lines iter.Seq[string], pieces int) (*BPE, error) {
	if pieces < MinPieces || pieces > MaxPieces {
		return nil, fmt.Errorf("train tokenizer: %d pieces are asked for, want %d to %d", pieces, MinPieces, MaxPieces)
	}
	words := countWords(lines)
	if len(words) == 0 {
		return nil, fmt.Errorf("train tokenizer: there is no text")
	}
	t := newBPE()
	tr := newTrainer(t, words)
	for t.Pieces() < pieces { // one merge makes one piece
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

// word is a distinct word of the text: its pieces so far, and how often it occurs.
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
	// In byte order, so that the trainer does the same on every machine.
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

// trainer keeps track of how often each pair occurs, and in which words, while merges are
// applied.
type trainer struct {
	tok    *BPE
	words  []word
	counts map[pair]int64   // occurrences in the whole text
	where  map[pair][]int32 // indices of words that have, or had, the pair
	queue  queue
}

func newTrainer(t *BPE, words []word) *trainer {
	tr := &trainer{tok: t, words: words, counts: make(map[pair]int64), where: make(map[pair][]int32)}
	tr.queue.tok = t
	var fresh []pair
	// Pairs of bytes, with the words that have them.
	for i, w := range words {
		for j := range len(w.ids) - 1 {
			fresh = tr.count(fresh, pair{w.ids[j], w.ids[j+1]}, i)
		}
	}
	tr.enqueue(fresh)
	return tr
}

// count adds one occurrence of p in word i. If p had none before, it is appended to fresh.
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

// best takes the next pair to merge from the queue. Counts in the queue may be out of date:
// they can be too high, never too low. So an entry whose count is exact is the best, and
// another goes back with its present count.
func (tr *trainer) best() (pair, bool) {
	for tr.queue.Len() > 0 {
		c := heap.Pop(&tr.queue).(candidate)
		switch n := tr.counts[c.pair]; {
		case n < 2: // its occurrences were merged into others: drop it
		case n == c.count:
			return c.pair, true
		default:
			heap.Push(&tr.queue, candidate{c.pair, n})
		}
	}
	return pair{}, false
}

// apply merges p to the piece id in every word that has p, from left to right. Only pairs with
// id gain occurrences, and none of them was in the queue before.
func (tr *trainer) apply(p pair, id int32) {
	var fresh []pair
	for _, i := range tr.where[p] {
		w := &tr.words[i]
		out := w.ids[:0] // shrinks in place
		for j := 0; j < len(w.ids); j++ {
			if j+1 == len(w.ids) || w.ids[j] != p.left || w.ids[j+1] != p.right {
				out = append(out, w.ids[j])
				continue
			}
			// The pairs on both sides of the merged one disappear, and two pairs with id
			// appear.
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

// candidate is a pair and the count that it had when it was queued.
type candidate struct {
	pair
	count int64
}

// queue is a heap of candidates with the best at the top: see [Train] for the ranking.
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
