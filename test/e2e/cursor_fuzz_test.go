package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/turnstone-dev/turnstone/client"
)

// TestCursorsThatNoPageGave: whatever text a client gives as a cursor, a listing answers or refuses it, and goes on to work.
func TestCursorsThatNoPageGave(t *testing.T) {
	scenario(t, "cursors", func(w *world) {
		w.open(asked)
		for i := range 5 {
			begin(w, asked, fmt.Sprint("i", i), nil)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		numbers := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 5, 1 << 40}
		for range 500 {
			b := []byte{byte(1 + rng.IntN(3))}
			for range rng.IntN(6) {
				b = binary.AppendVarint(b, numbers[rng.IntN(len(numbers))])
				b = binary.AppendUvarint(b, uint64(numbers[rng.IntN(len(numbers))]))
			}
			_, _ = w.c.List(w.ctx, client.ListRequest{Cursor: base64.RawURLEncoding.EncodeToString(b), Held: rng.IntN(2) == 0})
		}
		page, err := w.c.List(w.ctx, client.ListRequest{})
		if err != nil || len(page.Instances) != 5 {
			w.t.Errorf("a listing has %d instances, %v", len(page.Instances), err)
		}
	})
}
