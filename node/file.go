package node

import "github.com/alia-network/alia/protocol/disk"

// WriteFile replaces the file at path by data, whole or not at all: a crash, a
// power cut or a full disk leaves the file of before.
func WriteFile(path string, data []byte) error { return disk.WriteFile(disk.OS, path, data) }
