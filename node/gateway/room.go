package gateway

import (
	"net/http"
	"time"
)

// The room for documents: those of jobs, and those that are being sent.

// maxOwned bounds the jobs of one client that wait.
const maxOwned = 50

// full is the failure of a document for which there is no place.
func full() error {
	return &failure{status: http.StatusTooManyRequests, text: "the gateway keeps as many documents as it can: try again later", after: time.Minute}
}

// hold takes the place of n more bytes that were sent. Clients that are not known yet have
// half of the disk, so that they cannot keep out those with a key.
func (j *jobs) hold(u *upload, n int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	most := j.g.Limits.Disk
	if !u.admitted {
		most /= 2
	}
	if j.bytes+j.held+n > most {
		return full()
	}
	j.held, u.held = j.held+n, u.held+n
	return nil
}

// free gives the place of an upload back.
func (j *jobs) free(u *upload) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held, u.held = j.held-u.held, 0
}

// room refuses a job for which there is no place, before its document is read.
func (j *jobs) room(owner string, u *upload) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fits(owner, u)
}

// fits is room for who has the lock.
func (j *jobs) fits(owner string, u *upload) error {
	waiting := 0
	for _, o := range j.all {
		if o.Owner == owner && !o.finished() {
			waiting++
		}
	}
	// The document has its place already, and its result will be about as large.
	if len(j.all) >= j.g.Limits.Jobs || j.bytes+j.held+u.size > j.g.Limits.Disk || waiting >= maxOwned {
		return full()
	}
	return nil
}

// add makes a job of an upload, if there is room: of two that come at a time, one takes the
// last place.
func (j *jobs) add(r record, u *upload) error {
	j.mu.Lock()
	if err := j.fits(r.Owner, u); err != nil {
		j.mu.Unlock()
		return err
	}
	j.all[r.ID] = &job{record: r, changed: make(chan struct{})}
	j.bytes, j.held, u.held, u.kept = j.bytes+r.Bytes, j.held-u.held, 0, true
	j.mu.Unlock()
	err := put(j.g.store, bucketJobs, r.ID, r)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil { // nobody knows its name yet
		delete(j.all, r.ID)
		j.bytes, u.kept = j.bytes-r.Bytes, false
		return err
	}
	j.queue = append(j.queue, r.ID)
	j.wake()
	return nil
}
