package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// Cancel takes a turn that ends the execution as cancelled and runs no code, for an instance whose code cannot be used.
// The messages, among them the cancel, are recorded as in Advance, and what is open is given up as at any cancel; children
// whose policy is wait are cancelled like others, and the end does not wait for them.
func (m *Machine) Cancel(in Input) Decision {
	m.codeless, m.code = true, codeStopped
	d := &Decision{}
	m.turn(d, in, nil, turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL)
	return *d
}
