package proof

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Shelf is a directory with the receipts of jobs, each under the job's CID as the client
// keeps it. Beside each it keeps the sentences of the job, and it has the receipts of
// documents. The zero Shelf has nothing.
type Shelf struct {
	Dir     string
	Network node.Network // of the jobs
}

// Extension is that of the file of a document's receipt.
const Extension = ".receipt"

// sentencesOf is the file with the sentences of a job.
func (s Shelf) sentencesOf(job block.Link) string {
	return s.receiptOf(job) + ".sentences"
}

// KeepJob keeps the sentences of a job: a later document may need some of them.
func (s Shelf) KeepJob(job block.Link, units []client.Opened) error {
	var data []byte
	for i, u := range units {
		part, err := block.Encode(UnitPart{Unit: uint32(i), Sources: u.Sources, Targets: u.Targets})
		if err != nil {
			return fmt.Errorf("keep sentences of job %s: %w", job, err)
		}
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(part))), part...)
	}
	return s.write(s.sentencesOf(job), data)
}

// job reads a job that the shelf has. ok is false if the shelf lacks its receipt or its
// sentences, and if the receipt does not prove the texts of a statement: it may be of another
// network, where the home was before.
func (s Shelf) job(link block.Link, of *Parsed) (j job, ok bool, err error) {
	if s.Dir == "" {
		return j, false, nil
	}
	if j.file, err = os.ReadFile(s.receiptOf(link)); err == nil {
		var data []byte
		if data, err = os.ReadFile(s.sentencesOf(link)); err == nil {
			for p, i := (parts{data}), 0; len(p.rest) > 0 && err == nil; i++ {
				var u UnitPart
				err = p.next("unit", i, &u)
				j.units = append(j.units, u)
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	} else if err != nil {
		return j, false, fmt.Errorf("job %s: %w", link, err)
	}
	_, err = of.verifyJob(s.Network, &j)
	return j, err == nil, nil
}

// Keep keeps the receipt of a document, and returns its file. The same document, translated
// in the same way, has the same file.
func (s Shelf) Keep(receipt []byte) (path string, err error) {
	id, err := idOf(receipt)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:20]))
	path = filepath.Join(s.Dir, name+Extension)
	return path, s.write(path, receipt)
}

// write writes a file that its owner can read: it has text.
func (s Shelf) write(path string, data []byte) error {
	if err := disk.MakeDir(disk.OS, filepath.Dir(path)); err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	if err := disk.WriteFileMode(disk.OS, path, data, 0o600); err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	return nil
}
