package memory

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/protocol/disk"
)

// A paid job that was interrupted has to be asked for again with the same texts: it is then
// the same job, with one receipt. But meanwhile some of its texts are in the memory. So the
// memory keeps the texts of a job until it is settled.

// JobKey names the job of a document: of its texts, under settings.
func (s Settings) JobKey(texts []string) string {
	data, err := json.Marshal(struct {
		Settings
		Texts []string
	}{s, texts})
	if err != nil {
		panic("memory: " + err.Error()) // texts
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// jobFile is the file of a job that was begun.
func (m *TM) jobFile(key string) string { return filepath.Join(m.dir, "job-"+key) }

// BeginJob keeps, until EndJob, what the job of a document asks for.
func (m *TM) BeginJob(key string, asked []string) error {
	data, err := json.Marshal(asked)
	if err == nil {
		err = disk.WriteFileMode(disk.OS, m.jobFile(key), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("translation memory: %w", err)
	}
	return nil
}

// BegunJob returns what the job of a document with these texts has asked for, if it was begun
// and not ended. A file that is damaged is no job: each text that it asks for is one of the
// document's, or something would be paid for that nobody wants.
func (m *TM) BegunJob(key string, texts []string) (asked []string, ok bool) {
	data, err := os.ReadFile(m.jobFile(key))
	if err != nil || json.Unmarshal(data, &asked) != nil || len(asked) == 0 {
		return nil, false
	}
	of := make(map[string]bool, len(texts))
	for _, t := range texts {
		of[t] = true
	}
	for _, t := range asked {
		if !of[t] {
			return nil, false
		}
		delete(of, t) // once
	}
	return asked, true
}

// EndJob forgets the job of a document.
func (m *TM) EndJob(key string) error {
	if err := os.Remove(m.jobFile(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("translation memory: %w", err)
	}
	return nil
}
