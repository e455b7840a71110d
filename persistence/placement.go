package persistence

import (
	"hash/fnv"
	"strings"
)

// Slots is how many slots the placement keys are spread over. A store maps slots to partitions in a table of its own.
const Slots = 4096

// DefaultPartitions is how many partitions a new store has unless told otherwise.
const DefaultPartitions = 8

// PartitionsMax is how many partitions a store may have. Every partition keeps what it has sent to and received from every
// other one that it talks with, in a row that each of its commits writes, so more of them cost more than they bring.
const PartitionsMax = 256

// PlacementKey is the part of an instance id that decides its slot: all before the first "::sub::". An automatic child
// therefore lives with its root.
func PlacementKey(id string) string {
	root, _, _ := strings.Cut(id, "::sub::")
	return root
}

// Slot is the slot of an instance id.
func Slot(id string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(PlacementKey(id)))
	sum := h.Sum64()
	return int((sum ^ sum>>32) % Slots)
}

// DefaultSlotTable spreads the slots over n partitions.
func DefaultSlotTable(n int) []Partition {
	table := make([]Partition, Slots)
	for i := range table {
		table[i] = Partition(i % n)
	}
	return table
}
