// Package history decodes stored history: the parts of an execution become the turns that they record.
//
// It owns the decoding, for the engine that replays them, the client that shows them, and the checks that verify them.
// It must not know where the parts come from, nor what is done about one that cannot be decoded: a load records it as a
// failure, a read returns it, verify names its place. So an error here names the place within the execution, and wraps
// no error of the journal.
//
// Invariants: a part that cannot be decoded is an error, never a shorter history.
//
// Start reading at [Decoder], then [Stored].
package history
