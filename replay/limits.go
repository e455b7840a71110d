package replay

// Limits bound what one turn may do and hold. They are checked for what a turn adds, never for what a history that is
// replayed already has; so raising one, or lowering it, never breaks a running instance's past.
//
// Crossing a limit ends the execution as Failed, with the limit and the size in the text, and Decision.Origin says
// LIMIT, unless its comment says otherwise. A zero field takes the default that its comment names; a negative one is no limit.
type Limits struct {
	// Resumptions is how often one turn may resume code because of what the turn itself did: took a buffered
	// arrival, or answered an inline system activity. Default 20,000, which is far more than an execution holds.
	// Messages of the turn are not counted.
	// Crossing it is an infrastructure failure of the operation quiescence_loop: code that never comes to rest.
	Resumptions int
	// Calls is how many calls of its context code may make between two events. Default 20,000,000. It ends a loop
	// that uses the context and never waits. Crossing it fails like Resumptions.
	Calls int
	// Pending is how many operations an instance may have unresolved, and how many coroutines. Default 10,000. It also
	// bounds what code may ask for between two waits.
	Pending int
	// Carried and CarriedBytes are how many arrivals that no wait has taken an execution holds, and continue-as-new hands
	// over: events and queue messages together, and the bytes of their names and data. Defaults 64 and 65,536. Crossing
	// them ends nothing: what does not fit is deferred (see Decision.Deferred).
	Carried      int
	CarriedBytes int
	// NameBytes bounds names and ids that code gives. Default: no limit.
	NameBytes int
	// IDBytes bounds the ids of instances and sessions, and the names of events and queues, that code gives. Where it
	// is set, these and names must also not be empty and have no control character. Default: no limit.
	IDBytes int
	// ChildIDBytes bounds the id that a sub-orchestration gets, with its parent's in front. Default 1,024.
	ChildIDBytes int
	// PayloadBytes bounds each input and output that code gives, and the failure that it ends with: the text of its error
	// or panic, with the error's details. One that is over it is replaced by one that says so. Default: no limit.
	PayloadBytes int
	// TagBytes bounds an activity's tag. Default 256.
	TagBytes int
	// StatusBytes bounds the custom status; the last one of a turn is checked. Default 262,144.
	StatusBytes int
	// KVValueBytes bounds a value of the key-value store, KVKeys the keys in it at the end of a turn. Defaults
	// 16,384 and 100.
	KVValueBytes int
	KVKeys       int
}

// callsDefault also holds for what is replayed, so that code which loops there ends, whatever the limit was then.
const callsDefault = 20_000_000

const noLimit = int(^uint(0) >> 1)

func (l Limits) resolved() Limits {
	set := func(v *int, otherwise int) {
		switch {
		case *v == 0:
			*v = otherwise
		case *v < 0:
			*v = noLimit
		}
	}
	set(&l.Resumptions, 20_000)
	set(&l.Calls, callsDefault)
	set(&l.Pending, 10_000)
	set(&l.Carried, 64)
	set(&l.CarriedBytes, 64<<10)
	set(&l.NameBytes, noLimit)
	set(&l.IDBytes, noLimit)
	set(&l.ChildIDBytes, 1_024)
	set(&l.PayloadBytes, noLimit)
	set(&l.TagBytes, 256)
	set(&l.StatusBytes, 262_144)
	set(&l.KVValueBytes, 16_384)
	set(&l.KVKeys, 100)
	return l
}
