package dispatch

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF09_EachOutboxRowIsReadOnce, whatever its size, and a page with large messages is not taken for the last one.
func TestF09_EachOutboxRowIsReadOnce(t *testing.T) {
	for _, size := range []int{0, 1 << 10, 64 << 10, deliverBytes - 1, deliverBytes, 2 << 20} {
		const n, most = 600, 1 << 20
		perDelivery := deliverRows
		if size > 0 {
			perDelivery = min(perDelivery, (most+size-1)/size)
		}
		message := make([]byte, size)
		p := newPump(1, 1000)
		p.wrote(n)
		read, delivered, deliveries := 0, uint64(0), 0
		for now := int64(0); delivered < n; now++ {
			var todo []Action
			p.step(now, func(a Action) { todo = append(todo, a) })
			if len(todo) == 0 {
				t.Fatalf("size %d: nothing more is asked for after %d rows", size, delivered)
			}
			for _, a := range todo {
				if a.Kind == AckOutbox {
					p.acknowledged(now, a.Through)
					continue
				}
				var rows []persistence.OutboxItem
				bytes := 0
				for seq := a.Through + 1; seq <= n && len(rows) < a.Max && bytes < a.MaxBytes; seq++ {
					rows = append(rows, persistence.OutboxItem{To: 1, Seq: seq, Message: message})
					bytes += size
				}
				read += len(rows)
				p.page(rows, func(d Action) {
					deliveries++
					delivered = d.Rows[len(d.Rows)-1].Seq
					p.delivered(now, delivered)
				})
			}
		}
		if want := (n + perDelivery - 1) / perDelivery; read != n || deliveries != want {
			t.Errorf("size %d: %d rows were read for %d in %d deliveries, want %d", size, read, n, deliveries, want)
		}
	}
}
