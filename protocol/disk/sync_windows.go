package disk

import "os"

// syncFile syncs files only: Windows has no way to sync a directory, and NTFS
// keeps names in a journal of its own.
func syncFile(f *os.File) error {
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil
	}
	w, err := os.OpenFile(f.Name(), os.O_WRONLY, 0) // a sync needs the right to write
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Sync()
}
