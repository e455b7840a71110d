package dispatch

// heap is a binary heap whose items know their place, so that one can be removed from the middle.
type heap[T any] struct {
	items []T
	// less orders the items; it must be a total order, so that equal histories give equal heaps.
	less func(a, b T) bool
	// place tells an item its index; -1: it was removed.
	place func(item T, at int)
}

func (h *heap[T]) len() int { return len(h.items) }

// top is the first item. The heap must not be empty.
func (h *heap[T]) top() T { return h.items[0] }

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	h.place(item, len(h.items)-1)
	h.up(len(h.items) - 1)
}

// pop takes the first item out. The heap must not be empty.
func (h *heap[T]) pop() T { return h.remove(0) }

// remove takes out the item at a place.
func (h *heap[T]) remove(at int) T {
	last := len(h.items) - 1
	item := h.items[at]
	if at != last {
		h.items[at] = h.items[last]
		h.place(h.items[at], at)
	}
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	if at != last {
		h.down(at)
		h.up(at)
	}
	h.place(item, -1)
	return item
}

// clear empties the heap and returns its items. The order is not that of less, but equal histories give the same one.
func (h *heap[T]) clear() []T {
	items := h.items
	h.items = nil
	for _, item := range items {
		h.place(item, -1)
	}
	return items
}

func (h *heap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return
		}
		if right := child + 1; right < len(h.items) && h.less(h.items[right], h.items[child]) {
			child = right
		}
		if !h.less(h.items[child], h.items[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}

func (h *heap[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.place(h.items[i], i)
	h.place(h.items[j], j)
}
