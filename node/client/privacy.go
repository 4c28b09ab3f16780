package client

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Privacy says who may read a document and its translation.
type Privacy string

// A miner reads the parts of a document that it translates, at every level.
const (
	// PrivacyOpen lets everybody read the document: for public texts, which anybody can audit.
	PrivacyOpen Privacy = "open"
	// PrivacySealed lets the miners read the parts that they translate, and nobody else. What
	// the ledger and the miners' receipts show of a text tells nothing to those who guess it.
	PrivacySealed Privacy = "sealed"
	// PrivacyPrivate is PrivacySealed, and only the miners of [Document.Miners] get parts.
	PrivacyPrivate Privacy = "private"
)

// check refuses what is no level.
func (p Privacy) check() error {
	switch p {
	case PrivacyOpen, PrivacySealed, PrivacyPrivate:
		return nil
	}
	return fmt.Errorf("privacy %q: give %s, %s or %s (--privacy)", string(p), PrivacyOpen, PrivacySealed, PrivacyPrivate)
}

// salt is the salt of a job whose record has none yet. It follows from the record and the
// customer's key: so an equal document is the same job, also on another machine with the key,
// and nobody else can tell which document it is.
func (c *Client) salt(record unit.Job) ([]byte, error) {
	data, err := block.Encode(record)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, c.Peer.Key.Seed(), nil, "alia salt of jobs 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return mac.Sum(nil)[:unit.SaltSize], nil
}
