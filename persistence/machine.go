package persistence

// Applied is what the state machine made of one command.
type Applied struct {
	Result  Result
	Effects *Effects // nil if there are none
}

// Machine is the state machine that a log drives, one for each partition. Apply is called once per index, in order,
// never concurrently. It reads no clock, no randomness and no configuration: all it needs is in the proposal and in
// the state. It never searches: a command names its rows. Two kinds of logs fit: a local log applies and then syncs; a
// replicated log commits and then applies. The machine cannot tell which.
type Machine interface {
	Apply(index uint64, p Proposal) Applied
}
