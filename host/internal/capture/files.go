package capture

import (
	"os"
	"path/filepath"
	"slices"
)

// A disk is where the files are that are the host's own: the journal and the signing key. Tests put one in its place that
// loses its power.
type disk interface {
	// create makes a new file that only its owner may read, to be written from its beginning. Its name is not durable
	// before syncDir, nor its content before sync.
	create(path string) (diskFile, error)
	read(path string) ([]byte, error)
	// list returns the paths of the files in dir whose names match the pattern, in order.
	list(dir, pattern string) ([]string, error)
	// rename replaces what has the new name.
	rename(from, to string) error
	remove(path string) error
	// syncDir makes the names in dir durable.
	syncDir(dir string) error
}

// A diskFile is a file that is being written.
type diskFile interface {
	Write(b []byte) (int, error)
	// Sync returns when what was written would survive the loss of power.
	Sync() error
	// Truncate takes back what was written last.
	Truncate(size int64) error
	Close() error
}

// osDisk is the machine's.
type osDisk struct{}

func (osDisk) create(path string) (diskFile, error) {
	// Appending, so that a write behind a Truncate leaves no gap.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) read(path string) ([]byte, error) { return os.ReadFile(path) }

func (osDisk) list(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if ok, err := filepath.Match(pattern, e.Name()); err != nil {
			return nil, err
		} else if ok {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// makeDir makes a directory and those above it where they are missing, for its owner only. A directory whose name is lost
// with the power takes everything with it that was synced in it.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return osDisk{}.syncDir(parent)
}

// writeSynced writes a file under its name whole or not at all, and returns when it would survive the loss of power.
func writeSynced(d disk, path string, data []byte) error {
	part := path + ".part"
	if err := d.remove(part); err != nil && !os.IsNotExist(err) {
		return err // of a start that was cut short
	}
	f, err := d.create(part)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = d.rename(part, path)
	}
	if err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}
