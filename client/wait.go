package client

import (
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// End is how an instance ended.
type End struct {
	// State is Completed or Failed.
	State State
	// Output is the encoded result of a completed instance.
	Output []byte
	// Failure says why a failed one failed.
	Failure *turnstone.Failure
	// Execution is the one that ended.
	Execution uint64
}

// Err is the failure as an error; nil if the instance completed.
func (e End) Err() error {
	if e.Failure == nil {
		return nil
	}
	return e.Failure
}

// endOf decodes an end.
func endOf(e *api.End, codec turnstone.Codec) (End, error) {
	failure, err := failureOf(e.Failure, codec)
	if err != nil {
		return End{}, err
	}
	return End{State: State(e.State), Output: e.Output, Failure: failure, Execution: e.Execution}, nil
}
