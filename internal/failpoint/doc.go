// Package failpoint stops a process at a named point, so that a test of a real process can choose the moment.
//
// It owns the names' syntax and the actions. It must not know what the points mean or which exist. Without the build
// tag failpoint, [Hit] is empty and the compiler removes it, and the environment is not read.
//
// With the tag, the environment variable TURNSTONE_FAILPOINT says what happens where:
//
//	TURNSTONE_FAILPOINT='turn.afterSync=exit@3'
//	TURNSTONE_FAILPOINT='start.beforeCommit=sleep(50ms); turn.afterSync=panic@2'
//
// Each entry is name=action[@n]. The actions are exit (end the process at once with [ExitCode]: no deferred function
// runs and no buffer is flushed), panic, and sleep(duration). With @n the action happens at the n-th hit alone,
// counted from 1; without it exit and panic happen at the first hit, and sleep at every hit.
//
// Invariants: the name of a point is the name of an arrow in ARCHITECTURE.md; an entry that cannot be understood ends
// the process with a sentence, so that a test with a typing error cannot pass by never failing.
//
// Start reading at [Hit], then at the function parse.
package failpoint

// Environment is the variable that is read.
const Environment = "TURNSTONE_FAILPOINT"

// ExitCode is the exit status of a process that the action exit has ended. No other part of Turnstone uses it.
const ExitCode = 86
