package api

// StartRequest starts an instance.
type StartRequest struct {
	ID   string
	Name string
	// Version is a semantic version. An empty text is no version: the registry's policy decides.
	Version string
	Input   []byte
	// RequestKey makes the request repeatable for 24 hours: the second one with the same id and key is answered as the
	// first was. Empty: none.
	RequestKey string
	// DelayMs is how long the first turn waits; 0 is not at all. ExecutionTimeoutMs bounds each execution, from its first
	// turn on; 0 is no bound. Neither may be negative.
	DelayMs, ExecutionTimeoutMs int64
}

// Started is the answer to a start that was accepted.
type Started struct {
	// Repeated: a request with this id and request key was accepted before. Nothing was written for this one.
	Repeated bool
	// NoHandler: no runtime that is attached to the node has this orchestration, or not in this version.
	NoHandler bool
}

// RaiseRequest raises an event to an instance.
type RaiseRequest struct {
	ID   string
	Name string
	Data []byte
	// RequestKey is as that of a [StartRequest].
	RequestKey string
}

// EnqueueRequest puts a message into a queue of an instance.
type EnqueueRequest struct {
	ID    string
	Queue string
	Data  []byte
	// RequestKey is as that of a [StartRequest].
	RequestKey string
}

// CancelRequest cancels an instance.
type CancelRequest struct {
	ID string
	// Reason may be empty.
	Reason string
	// RequestKey is as that of a [StartRequest].
	RequestKey string
}

// TerminateRequest ends an instance without its code.
type TerminateRequest struct {
	ID string
	// Reason may be empty.
	Reason string
	// RequestKey is as that of a [StartRequest].
	RequestKey string
}

// ReleaseRequest has an instance that is held tried again. Asking twice is harmless.
type ReleaseRequest struct {
	ID string
}

// WaitRequest waits for the end of an instance.
type WaitRequest struct {
	ID string
	// ForStart: that there is no such instance is no answer; the request waits for its start, too.
	ForStart bool
}

// End is how an instance ended.
type End struct {
	// State is Completed or Failed.
	State string
	// Output is the encoded result of a completed instance.
	Output []byte
	// Failure says why a failed one failed: an encoded turnstone.v1.Failure.
	Failure []byte
	// Execution is the one that ended.
	Execution uint64
}
