package persistence

// StatusChange sets the custom status of an instance; a nil Value resets it.
type StatusChange struct {
	Value *string
}

// CustomStatus is a U row: the status that an instance shows to others. It belongs to the instance, not to an execution.
type CustomStatus struct {
	IID Incarnation
	// Version rises by one with each commit that sets or resets the status.
	Version uint64
	// Value is nil if the last change was a reset.
	Value *string
}
