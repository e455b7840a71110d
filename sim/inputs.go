package sim

import "github.com/turnstone-dev/turnstone/replay"

// inputs is which inputs code gives activities that history has.
type inputs uint8

const (
	inputsSame   inputs = iota // those that history has
	inputsOther                // others: the recorded ones stand
	inputsStrict               // others, with StrictInputs: the code does not fit
)

// changed notes an activity whose input is another than history has.
func (r *run) changed(f *replay.Future) {
	if r.inputs == inputsOther {
		r.reach("another input than history has")
		return
	}
	r.reach("another input than history has, with StrictInputs")
	if r.other == nil {
		r.other = map[*replay.Future]bool{}
	}
	r.other[f] = true
}

// answer waits for what was asked for. Code whose input does not fit is given nothing.
func (r *run) answer(ctx *replay.Context, f *replay.Future) (any, error) {
	value, err := f.Await()
	if r.other[f] {
		r.unfit(ctx.Instance())
	}
	return value, err
}
