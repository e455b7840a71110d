// Package e2e has the conformance cases that run end to end: a real node on a real directory, with a client, as an
// author would use them. It is all tests.
//
// Each case runs twice: with instances that stay in memory between their turns, and with none that do, so that every
// turn replays its history. Afterwards every history that it left is checked by the oracle (replay.Verify), and the
// closed store by node.Verify. A resident run that was never reopened must have replayed nothing.
//
// Stores that earlier versions made are in testdata/golden, each with what its version read in it: golden_test.go opens
// them and lets all that is in them go on to its end.
//
// It must not know how the engine works: a case sees what a user sees. Start reading at harness_test.go, then
// samples_test.go.
package e2e
