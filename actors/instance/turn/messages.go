package turn

import "github.com/turnstone-dev/turnstone/persistence"

// Back brings a turn back to its instance.
type Back struct {
	Turn *Turn
	// Abandoned: the code still runs and its slot has been taken away. The turn's fields but the instance's own must not
	// be touched: the code may be writing them.
	Abandoned bool
}

// Committed brings the result of a turn's commit.
type Committed struct {
	Turn   *Turn
	Result persistence.Result
}
