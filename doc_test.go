package turnstone_test

import (
	"os"
	"strings"
	"testing"
)

// TestDocBeginsWithTheExample compares the program in the package's comment with the one that Example runs.
func TestDocBeginsWithTheExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_program_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var program strings.Builder
	for line := range strings.Lines(string(doc)) {
		code, isCode := strings.CutPrefix(line, "//\t")
		switch {
		case isCode:
			program.WriteString(code)
		case line == "//\n" && program.Len() > 0:
			program.WriteString("\n")
		case program.Len() > 0:
			want := strings.NewReplacer("func Example() {", "func main() {", "\t// Output: Hello, Ada!\n", "").Replace(string(example))
			if _, code, _ := strings.Cut(want, ")\n\n"); code != strings.TrimRight(program.String(), "\n")+"\n" {
				t.Errorf("doc.go has the program\n%s\nand Example runs\n%s", program.String(), code)
			}
			return
		}
	}
	t.Error("doc.go has no program")
}
