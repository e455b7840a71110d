package actors

// Discard unwinds the machines of an engine that is given up without a shutdown, so that their coroutines end. It is for
// a process that goes on after it has simulated a crash: nothing of the engine may run any more, or ever again.
func (e *Engine) Discard() {
	for _, c := range e.act.cells() {
		in, ok := c.held.(*instance)
		if !ok {
			continue
		}
		if in.machine != nil {
			in.machine.Close()
		}
		if in.turn != nil && in.turn.machine != nil && in.turn.machine != in.machine {
			in.turn.machine.Close()
		}
	}
}
