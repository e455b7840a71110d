package turnstone

import (
	"reflect"
	"sync"

	"github.com/turnstone-dev/turnstone/replay"
)

// DecodeError says that recorded bytes are not what the code takes them for.
type DecodeError struct {
	// What names the value, for example "the data of event approved".
	What string
	Err  error
}

// Error names the value and the problem.
func (e *DecodeError) Error() string { return "cannot decode " + e.What + ": " + e.Err.Error() }

// Unwrap is the codec's error. When the code runs again with a type for which the codec gives another error, or none, it is the
// text of the error that was recorded.
func (e *DecodeError) Unwrap() error { return e.Err }

// source is through what code reads a recorded value: its context or a future.
type source interface {
	Recalls() bool
	Decoded(replay.Value, error) error
}

// decodeFor decodes a value that may come from elsewhere: what cannot be decoded is an error for the code. Once code was
// told so it is told so whenever it runs again, and where it was not, code that cannot decode the value is held.
func decodeFor[T any](from source, codec Codec, what string, data []byte) (T, error) {
	value, err := decode[T](codec, data)
	if err == nil && !from.Recalls() {
		return value, nil
	}
	if err = from.Decoded(recorded[T](codec, what, data), err); err != nil {
		var zero T
		return zero, &DecodeError{What: what, Err: err}
	}
	return value, nil
}

func recorded[T any](codec Codec, what string, data []byte) replay.Value {
	return replay.Value{What: what, Type: reflect.TypeFor[T]().String(), Codec: codec.Name(), Data: data}
}

// seldom says what is to be logged once. It forgets all when it has many.
type seldom struct {
	mu  sync.Mutex
	had map[string]struct{}
}

const seldomMax = 1000

// first reports whether a text is new.
func (s *seldom) first(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, had := s.had[text]; had {
		return false
	}
	if s.had == nil || len(s.had) >= seldomMax {
		s.had = map[string]struct{}{}
	}
	s.had[text] = struct{}{}
	return true
}
