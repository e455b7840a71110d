//go:build !planted

package actors

// plantedLeave is a fault that the simulator plants, to prove that it would be found: instances leave while messages
// are on their way to them. This build does not have it.
const plantedLeave = false

// plantedOpen is another: every instance counts as open for the calls that wait for its end.
const plantedOpen = false
