package market

import "time"

// meter bounds how often something happens for each key: burst times at once, and
// then once every pause. A key that has been quiet for burst × every costs no
// memory after a sweep.
type meter[K comparable] struct {
	every time.Duration
	burst int
	keys  int             // the most keys at one time; others are refused
	until map[K]time.Time // when the key has all its burst again
}

// take reports whether it may happen for a key now, and counts it if so.
func (m *meter[K]) take(now time.Time, k K) bool {
	until, known := m.until[k]
	if !known && len(m.until) >= m.keys {
		return false
	}
	until = later(until, now)
	if until.Sub(now) > m.every*time.Duration(m.burst-1) {
		return false
	}
	if m.until == nil {
		m.until = map[K]time.Time{}
	}
	m.until[k] = until.Add(m.every)
	return true
}

// sweep forgets the keys that have all their burst.
func (m *meter[K]) sweep(now time.Time) {
	for k, until := range m.until { // order-free: each is judged alone
		if !until.After(now) {
			delete(m.until, k)
		}
	}
}
