package dispatch

// ring is a queue that reuses its space.
type ring[T any] struct {
	items []T
	head  int
	count int
}

func (r *ring[T]) len() int { return r.count }

func (r *ring[T]) push(item T) {
	if r.count == len(r.items) {
		grown := make([]T, max(16, 2*len(r.items)))
		for i := range r.count {
			grown[i] = r.items[(r.head+i)%len(r.items)]
		}
		r.items, r.head = grown, 0
	}
	r.items[(r.head+r.count)%len(r.items)] = item
	r.count++
}

// pop takes the oldest item. The ring must not be empty.
func (r *ring[T]) pop() T {
	item := r.items[r.head]
	var none T
	r.items[r.head] = none
	r.head = (r.head + 1) % len(r.items)
	r.count--
	return item
}

// at is the i-th oldest item.
func (r *ring[T]) at(i int) T { return r.items[(r.head+i)%len(r.items)] }
