package step

// unpark tells the residency that the instance has something to do.
func (in *Machine) unpark() {
	if in.parked {
		in.parked = false
		in.emit(Effect{Kind: EffectUnpark})
	}
}

// park makes the instance a resident, which takes over what it has of the memory. If it may not be one, it is told to leave.
func (in *Machine) park() {
	in.parked = true
	in.emit(Effect{Kind: EffectPark, Number: uint64(in.machine.MemoryBytes() + in.view.Inbox.Bytes)})
}

// evicted takes the residency's message: the machine goes as soon as the instance comes to rest. Something may be under
// way, a read of what it was just told, for example: an eviction ends nothing and decides nothing but that.
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
