package instance

// What an idle instance costs beside its machine: actor, carryover, table entries, view. All of it is counted twice, since
// the collector lets the heap grow to twice what lives. Measured: 6.2 KB live for a machine that waits for one event,
// 3.8 of them on the heap.
const OverheadBytes = 3 << 9

// evictMsg tells an idle instance to let its machine go.
type evictMsg struct{}

var evict = &evictMsg{}

// unpark tells the residency that the instance has something to do.
func (in *instance) unpark() {
	if !in.parked {
		return
	}
	in.parked = false
	charge, ok := in.place.Leave()
	in.place = nil
	if !ok {
		in.evicting = true
		in.outstanding++
		return
	}
	in.charge = charge
}

// park asks for a place among the resident, which takes over what the instance has of the memory.
func (in *instance) park() bool {
	p, ok := in.host.Engine.Park(in, in.machine.MemoryBytes()+in.view.inbox.bytes, in.charge)
	if ok {
		in.place, in.charge, in.parked = p, 0, true
	}
	return ok
}

// Evict implements resident: it tells the instance to let its machine go. It may be called from any goroutine.
func (in *instance) Evict() { in.send(evict) }

// evicted takes the residency's message: the machine goes as soon as the instance comes to rest. Something may be under
// way, a read of what it was just told, for example: an eviction ends nothing and decides nothing but that.
func (in *instance) evicted() {
	if in.evicting {
		in.evicting = false
		in.outstanding--
		return
	}
	if in.phase != phaseReady {
		in.host.Counts.EvictedInLoad.Add(1)
	}
	if in.accepting > 0 {
		in.host.Counts.EvictedInAccept.Add(1)
	}
	in.parked, in.place, in.unwanted = false, nil, true
	if plantedEviction {
		in.leaving = true
	}
}
