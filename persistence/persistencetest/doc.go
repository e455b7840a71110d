// Package persistencetest is the conformance kit of the journal's port: what every implementation must do, as cases
// that are run through the public port, with a model of the whole command set to compare with.
//
// It owns the model, the cases, the generator of random commands, and the checkers of what a crash leaves. It must not
// know any implementation, and it uses no clock and no randomness but seeds: time is in the proposals.
//
// An implementation's tests call [Run] with a [Harness]; its crash tests feed a [Trace] and ask it what may be left.
// The model is itself run through the kit, and faults that are planted in it must be found (see the package's tests).
//
// Start reading at [Harness], then story.go (how a case speaks), then the cases by group.
package persistencetest
