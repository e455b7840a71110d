package pebble

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// goldenLines are the stored bytes of each kind of row and key, by name.
func goldenLines(t *testing.T) map[string][]byte {
	raw, err := os.ReadFile(filepath.Join("testdata", "rows.golden"))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]byte{}
	for line := range strings.Lines(string(raw)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if lines[name], err = hex.DecodeString(text); err != nil {
			t.Fatal(name, err)
		}
	}
	return lines
}

// TestStoredRowsStayReadable compares each kind of row and key with the bytes that are kept in testdata. A row that gets
// another field gets another format version: its new line is added, and the old one stays and must still be read.
func TestStoredRowsStayReadable(t *testing.T) {
	golden := goldenLines(t)
	expect := func(name string, now []byte) {
		t.Helper()
		if !bytes.Equal(golden[name], now) {
			t.Errorf("what is stored is %x; if the kind is new, its line is\n%s: %x", golden[name], name, now)
		}
	}
	for _, c := range codecs() {
		row := c.random(rand.New(rand.NewPCG(3, 4)))
		var e rowcode.Enc
		c.encode(&e, row)
		expect(fmt.Sprintf("row %s v%d", c.name, e[0]), e)
		for version := byte(1); version <= e[0]; version++ {
			got, err := c.decode(row, golden[fmt.Sprintf("row %s v%d", c.name, version)])
			if err != nil || version == e[0] && !reflect.DeepEqual(got, row) {
				t.Errorf("row %s v%d is read as %+v, %v; want %+v", c.name, version, got, err, row)
			}
		}
	}
	for _, k := range allKeys(3, "id", "key", 1, 2, 3, 4, -5) {
		_, f, _ := splitKey(k)
		expect("key "+f.String(), k)
	}
}
