package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const message = `syntax = "proto3";
package a;
option go_package = "example.test/a;a";
message A { string name = 1; }
`

// TestCheckFindsCodeThatIsNotCurrent generates code, checks it, changes the source, and checks again.
func TestCheckFindsCodeThatIsNotCurrent(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "a.proto"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := func(check bool) error {
		files, err := generate(dir)
		if err != nil {
			return err
		}
		if len(files) != 1 {
			t.Fatalf("%d files are generated, want 1", len(files))
		}
		return emit(filepath.Join(dir, files[0].GetName()), []byte(files[0].GetContent()), check)
	}
	write(message)
	if err := all(true); err == nil {
		t.Error("code that does not exist is current")
	}
	if err := all(false); err != nil {
		t.Fatal(err)
	}
	if err := all(true); err != nil {
		t.Errorf("code that was just generated: %v", err)
	}
	write(strings.Replace(message, "name", "title", 1))
	if err := all(true); err == nil || !strings.Contains(err.Error(), "make proto") {
		t.Errorf("code of an older source gives %v", err)
	}
	write("message A {")
	if err := all(true); err == nil {
		t.Error("a source that does not compile gives no error")
	}
}
