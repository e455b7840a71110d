package turn

import "github.com/turnstone-dev/turnstone/persistence"

// Back brings a turn back to its instance.
type Back struct {
	Turn *Turn
	// Abandoned: the turn was given up while its code still runs. The instance must not touch the fields of the run, because
	// the code may be writing them.
	Abandoned bool
}

// Committed brings the result of a turn's commit.
type Committed struct {
	Turn   *Turn
	Result persistence.Result
}
