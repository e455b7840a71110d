package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// rowOverhead is about what a small row costs beside its payload.
const rowOverhead = 64

// sizeOf is about how many bytes a command adds to a batch, so that batches and the queue can be bounded.
func sizeOf(command persistence.Command) int {
	n := 4 * rowOverhead
	switch c := command.(type) {
	case *persistence.CommitTurn:
		n += len(c.Segment.Header)
		for i := range c.Segment.Parts {
			n += len(c.Segment.Parts[i].Events) + rowOverhead
		}
		for i := range c.Sends {
			n += len(c.Sends[i].Input) + len(c.Sends[i].Message) + rowOverhead
		}
		if c.Next != nil {
			n += len(c.Next.Start)
		}
		n += rowOverhead * (len(c.ConsumedInbox) + len(c.ConsumedTimers) + len(c.AcceptedResults) + len(c.Work) +
			len(c.Timers) + len(c.Children) + len(c.CancelledWork) + len(c.CancelledTimers) + len(c.ClosedChildren))
	case *persistence.StartInstance:
		n += len(c.Input)
	case *persistence.Enqueue:
		n += len(c.Message)
	case *persistence.CompleteWork:
		n += len(c.Message)
	case *persistence.Deliver:
		for _, m := range c.Messages {
			n += len(m) + rowOverhead
		}
	}
	return n
}
