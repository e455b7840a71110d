package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/turnstone-dev/turnstone/internal/catalogue"
)

// checkReport makes sure, before hours of work, that the report can be written at their end. The directory of the report
// is made if there is none.
func checkReport(name, store string) error {
	if name == "" {
		return errors.New("--report is empty: name the file for the report (make run REPORT=...)")
	}
	if err := outside(name, store); err != nil {
		return reportError(name, err)
	}
	switch info, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
		if strings.HasSuffix(name, string(filepath.Separator)) {
			return reportError(name, errors.New("it is the name of a directory"))
		}
	case err != nil:
		return reportError(name, err)
	case info.IsDir():
		return reportError(name, errors.New("it is a directory"))
	case !info.Mode().IsRegular(): // it would be replaced by a file, be it /dev/null
		return reportError(name, errors.New("it is there already and is not a plain file"))
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return reportError(name, err)
	}
	if err := catalogue.TryFile(name); err != nil {
		return reportError(name, err)
	}
	return nil
}

// outside refuses a report in the store: nothing but the store may be there.
func outside(name, store string) error {
	report, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(store)
	if err != nil {
		return err
	}
	if within(dir, report) {
		return fmt.Errorf("it would be in the store %s", store)
	}
	return nil
}

// within reports whether a full name is that of a directory, or of something in it.
func within(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(rel)
}

// reportError says which setting is to be changed.
func reportError(name string, err error) error {
	return fmt.Errorf("cannot write the report %s: %w: name a file in a directory that can be written to, with --report (make run REPORT=...)",
		name, err)
}
