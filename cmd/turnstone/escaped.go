package main

import "github.com/turnstone-dev/turnstone/internal/terminal"

// escaped is err with a text that a terminal shows and does not obey; nil if err is.
func escaped(err error) error {
	if err == nil {
		return nil
	}
	return escapedError{err}
}

type escapedError struct{ err error }

func (e escapedError) Error() string { return terminal.Lines(e.err.Error()) }
func (e escapedError) Unwrap() error { return e.err }
