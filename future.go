package turnstone

import "github.com/turnstone-dev/turnstone/replay"

// Future is the result of something that was started: an activity, a child, a timer, a wait for an event, or a
// coroutine. It belongs to the execution that made it. A future that no code waits for is not cancelled until the
// orchestration, or the scope that it was made in, ends.
type Future[T any] struct {
	rf *replay.Future
	// read turns the resolved value into a T. It is called once.
	read func(any) (T, error)
	// codec reads the details of a failure.
	codec Codec

	done  bool
	value T
	err   error
}

// Awaitable is a future of any type. [All], [Race] and [Select] take them.
type Awaitable interface {
	// Err waits like Await and returns only the error.
	Err() error
	inner() *replay.Future
}

func (f *Future[T]) inner() *replay.Future { return f.rf }

// Err waits like Await and returns only the error.
func (f *Future[T]) Err() error {
	_, err := f.Await()
	return err
}

// Await waits for the result. It may be called again, and from several coroutines: the answer is the same. A failure
// of the author's code is a [*Failure].
func (f *Future[T]) Await() (T, error) {
	v, err := f.rf.Await() // first of all: it reports whether this is code that may ask
	if f.done {
		return f.value, f.err
	}
	if err == nil {
		f.value, f.err = f.read(v)
	} else {
		f.err = seen(f.codec, err)
	}
	f.done = true
	return f.value, f.err
}

// Ready reports whether Await would return at once. A cancelled future is ready.
func (f *Future[T]) Ready() bool { return f.rf.Ready() }

// Cancel gives the future up if it has not resolved: an activity is taken back or told to stop, a child is
// cancelled, a timer is deleted, a wait no longer takes an event, a coroutine is unwound. Waiting for a cancelled
// future fails with [ErrCancelled].
func (f *Future[T]) Cancel() { f.rf.Cancel() }

// Event is the id of the schedule event in the history, or 0 if it has none yet or never will.
func (f *Future[T]) Event() uint64 { return f.rf.Event() }

// Map is a future of what convert makes of f's value. It is the same durable operation: cancelling one cancels the
// other. Failures pass through. convert runs once, when the result is first read, and must be deterministic.
func Map[A, B any](f *Future[A], convert func(A) (B, error)) *Future[B] {
	return &Future[B]{
		rf: f.rf,
		read: func(any) (B, error) {
			a, err := f.Await()
			if err != nil {
				var zero B
				return zero, err
			}
			return convert(a)
		},
		codec: f.codec,
	}
}

// result wraps a future whose value is what an activity or a child returned, encoded. Code that cannot decode it is held: a
// changed type is not a failure of what was called.
func result[T any](c *Context, what string, rf *replay.Future) *Future[T] {
	codec := c.env.codec
	return &Future[T]{
		rf: rf,
		read: func(v any) (T, error) {
			data, _ := v.([]byte)
			value, err := decode[T](codec, data)
			if err != nil {
				rf.Undecodable(recorded[T](codec, what, data), err)
			}
			return value, nil
		},
		codec: codec,
	}
}

// arrival wraps a future whose value came from elsewhere, encoded.
func arrival[T any](c *Context, what string, rf *replay.Future) *Future[T] {
	codec := c.env.codec
	return &Future[T]{
		rf: rf,
		read: func(v any) (T, error) {
			data, _ := v.([]byte)
			return decodeFor[T](rf, codec, what, data)
		},
		codec: codec,
	}
}
