package step

// unpark gives up the instance's place among the residents, because it has something to do.
func (in *Machine) unpark() {
	if in.parked {
		in.parked = false
		in.emit(Effect{Kind: EffectUnpark})
	}
}

// park asks for a place among the residents. The place takes over the instance's part of the memory budget. If there is no
// place, the shell tells the instance to let its machine go.
func (in *Machine) park() {
	in.parked = true
	in.emit(Effect{Kind: EffectPark, Number: uint64(in.resident.MemoryBytes() + in.view.Inbox.Bytes)})
}

// evicted takes an eviction: the instance lets its machine go as soon as it comes to rest. The eviction ends nothing that is
// under way, such as a read of what the dispatcher has just told.
func (in *Machine) evicted() {
	if in.phase != phaseReady {
		in.host.Counts.EvictedInLoad.Add(1)
	}
	if in.accepting > 0 {
		in.host.Counts.EvictedInAccept.Add(1)
	}
	in.parked, in.toEvict = false, true
	if plantedEviction {
		in.leaving = true
	}
}
