package api

// HistoryRequest asks for a page of the history of an execution.
type HistoryRequest struct {
	ID string
	// Execution is which one; 0 is the current one.
	Execution uint64
	// Cursor is the Next of the page before; empty starts at the first turn. It goes on with the execution of the page
	// before, of the same incarnation, also when another execution has become the current one.
	Cursor string
}

// HistoryPage is a part of the history of an execution. It has at most 1,000 parts, with 1 MiB together, but at least one
// if there is any.
type HistoryPage struct {
	Parts []HistoryPart
	// Next continues the history; empty at its end, as it was when the page was read.
	Next string
}

// HistoryPart is a turn, or a piece of a long one.
type HistoryPart struct {
	// FirstEvent is the id of its first event.
	FirstEvent uint64
	// Header is an encoded turnstone.v1.SegmentHeader. The first part of a turn has one, the others have none.
	Header []byte
	// Events is an encoded turnstone.v1.EventList.
	Events []byte
}

// ExecutionsRequest asks for a page of the executions of an instance.
type ExecutionsRequest struct {
	ID string
	// After is the Next of the page before; 0 starts at the first execution.
	After uint64
}

// ExecutionsPage lists executions, ascending: at most 1,000.
type ExecutionsPage struct {
	Executions []Execution
	// Next continues the listing; 0 at its end.
	Next uint64
}

// Execution is one run of an instance's code.
type Execution struct {
	Number uint64
	// State is Pending, Running, Completed, Failed or ContinuedAsNew.
	State string
	// StartedMs is the time of its first turn.
	StartedMs int64
}
