package pebble

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// Format is the format that this package reads and writes. Until it is 1, every other format is refused.
const Format = "0.2"

// storeRow has the identity of the store.
type storeRow struct {
	format     string
	id         string
	partitions int
	slots      []persistence.Partition
	// codec is the name of the codec of the values; empty if no open has named one.
	codec string
}

// encodeStore puts the format first, because storeFormat reads it from a store of any format.
func encodeStore(e *rowcode.Enc, s *storeRow) {
	e.S(s.format)
	e.S(s.id)
	e.U(uint64(s.partitions))
	e.U(uint64(len(s.slots)))
	for _, p := range s.slots {
		e.U(uint64(p))
	}
	if s.codec != "" {
		e.S(s.codec)
	}
}

// storeFormat reads only the format.
func storeFormat(row []byte) (string, error) {
	d := rowcode.NewDec(append([]byte{1}, row...), 1)
	f := d.S()
	if f == "" {
		return "", fmt.Errorf("%w: the store row names no format", rowcode.ErrMalformed)
	}
	return f, nil
}

func decodeStore(row []byte) (*storeRow, error) {
	d := rowcode.NewDec(append([]byte{1}, row...), 1)
	s := &storeRow{format: d.S(), id: d.S(), partitions: int(d.U())}
	if n := d.U(); n != persistence.Slots {
		return nil, fmt.Errorf("%w: %d slots, want %d", rowcode.ErrMalformed, n, persistence.Slots)
	}
	s.slots = make([]persistence.Partition, persistence.Slots)
	for i := range s.slots {
		s.slots[i] = persistence.Partition(d.U())
		if int(s.slots[i]) >= s.partitions {
			return nil, fmt.Errorf("%w: slot %d lies in partition %d of %d",
				rowcode.ErrMalformed, i, s.slots[i], s.partitions)
		}
	}
	if d.More() {
		s.codec = d.S()
	}
	return s, d.Done()
}

// peer has the positions of a partition's two streams with another partition.
type peer struct {
	of    persistence.Partition
	in    uint64 // highest seq delivered from the peer
	next  uint64 // seq of the last message given to the peer
	acked uint64 // highest seq that the peer has acknowledged; acked <= next
}

// partitionRow is a P row: the state of a partition and its streams.
type partitionRow struct {
	persistence.PartitionState
	peers []peer // only those with which a message was exchanged, by partition
}

// find returns the index of a partition's entry, or of its place.
func (r *partitionRow) find(of persistence.Partition) (i int, ok bool) {
	return slices.BinarySearchFunc(r.peers, of, func(p peer, of persistence.Partition) int { return cmp.Compare(p.of, of) })
}

// known returns the entry of a partition; it is zero if no message was exchanged.
func (r *partitionRow) known(of persistence.Partition) peer {
	if i, ok := r.find(of); ok {
		return r.peers[i]
	}
	return peer{of: of}
}

// peer returns the entry of a partition for a change, and makes it if there is none. It is valid until the next call.
func (r *partitionRow) peer(of persistence.Partition) *peer {
	i, ok := r.find(of)
	if !ok {
		r.peers = slices.Insert(r.peers, i, peer{of: of})
	}
	return &r.peers[i]
}

func newPartitionRow() *partitionRow {
	return &partitionRow{PartitionState: persistence.PartitionState{Clean: true, MachineVersion: 1, NextIID: 1}}
}

func encodePartition(e *rowcode.Enc, r *partitionRow) {
	if r.Draining > 0 {
		e.Version(partitionVersion)
	} else {
		e.Version(1)
	}
	e.U(r.Applied)
	e.U(r.Epoch)
	e.S(r.Node)
	e.S(r.Process)
	e.Bool(r.Clean)
	e.U(uint64(r.MachineVersion))
	e.U(uint64(r.NextIID))
	for _, v := range [...]uint64{r.Pending, r.Running, r.Completed, r.Failed, r.Held} {
		e.U(v)
	}
	e.U(uint64(len(r.Others)))
	for _, o := range r.Others {
		e.S(o.Node)
		e.S(o.Process)
	}
	e.U(uint64(len(r.peers)))
	for _, p := range r.peers {
		e.U(uint64(p.of))
		e.U(p.in)
		e.U(p.next)
		e.U(p.acked)
	}
	if r.Draining > 0 {
		e.U(r.Draining)
	}
}

func decodePartition(partitions int, row []byte) (*partitionRow, error) {
	d := rowcode.NewDec(row, partitionVersion)
	r := &partitionRow{}
	r.Applied, r.Epoch, r.Node, r.Process, r.Clean = d.U(), d.U(), d.S(), d.S(), d.Bool()
	r.MachineVersion, r.NextIID = uint32(d.U()), persistence.Incarnation(d.U())
	for _, v := range [...]*uint64{&r.Pending, &r.Running, &r.Completed, &r.Failed, &r.Held} {
		*v = d.U()
	}
	others := d.U()
	if others > persistence.NodesMax {
		return nil, fmt.Errorf("%w: %d other nodes, at most %d", rowcode.ErrMalformed, others, persistence.NodesMax)
	}
	for ; others > 0; others-- {
		r.Others = append(r.Others, persistence.NodeProcess{Node: d.S(), Process: d.S()})
	}
	n := d.U()
	if n > uint64(partitions) {
		return nil, fmt.Errorf("%w: marks of %d partitions of %d", rowcode.ErrMalformed, n, partitions)
	}
	if n > 0 {
		r.peers = make([]peer, n)
	}
	for i := range r.peers {
		of := d.U()
		if of >= uint64(partitions) {
			return nil, fmt.Errorf("%w: marks of partition %d of %d", rowcode.ErrMalformed, of, partitions)
		}
		r.peers[i] = peer{of: persistence.Partition(of), in: d.U(), next: d.U(), acked: d.U()}
		if i > 0 && r.peers[i].of <= r.peers[i-1].of {
			return nil, fmt.Errorf("%w: marks of partition %d behind those of %d", rowcode.ErrMalformed, of, r.peers[i-1].of)
		}
	}
	if d.Version() >= 2 {
		r.Draining = d.U()
	}
	return r, d.Done()
}
