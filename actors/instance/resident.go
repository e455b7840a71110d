package instance

// What an idle instance costs beside its machine: actor, carryover, table entries, view. All of it is counted twice, since
// the collector lets the heap grow to twice what lives. Measured: 6.2 KB live for a machine that waits for one event,
// 3.8 of them on the heap.
const OverheadBytes = 3 << 9

// evictMsg tells an idle instance to let its machine go.
type evictMsg struct{}

var evict = &evictMsg{}

// unpark tells the residency that the instance has something to do.
func (in *core) unpark() {
	if in.parked {
		in.parked = false
		in.emit(effect{kind: effectUnpark})
	}
}

// park makes the instance a resident, which takes over what it has of the memory. If it may not be one, it is told to leave.
func (in *core) park() {
	in.parked = true
	in.emit(effect{kind: effectPark, number: uint64(in.machine.MemoryBytes() + in.view.inbox.bytes)})
}

// evicted takes the residency's message: the machine goes as soon as the instance comes to rest. Something may be under
// way, a read of what it was just told, for example: an eviction ends nothing and decides nothing but that.
func (in *core) evicted() {
	if in.phase != phaseReady {
		in.host.Counts.EvictedInLoad.Add(1)
	}
	if in.accepting > 0 {
		in.host.Counts.EvictedInAccept.Add(1)
	}
	in.parked, in.unwanted = false, true
	if plantedEviction {
		in.leaving = true
	}
}
