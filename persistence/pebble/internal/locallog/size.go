package locallog

import "github.com/turnstone-dev/turnstone/persistence"

// rowOverhead is about how many bytes a small row takes beside its payload.
const rowOverhead = 64

// sizeOf returns about how many bytes a command adds to a batch. It bounds batches and the queue.
func sizeOf(command persistence.Command) int {
	n := 4 * rowOverhead
	switch c := command.(type) {
	case *persistence.CommitTurn:
		n += sizeOfTurn(&c.Segment, c.Sends)
		if c.Next != nil {
			n += len(c.Next.Start)
		}
		n += rowOverhead * (len(c.ConsumedInbox) + len(c.ConsumedTimers) + len(c.AcceptedResults) + len(c.Work) +
			len(c.Timers) + len(c.Children) + len(c.CancelledWork) + len(c.CancelledTimers) + len(c.ClosedChildren))
		for i := range c.Work {
			n += len(c.Work[i].Heartbeat)
		}
	case *persistence.RenewWork:
		for _, details := range c.Heartbeats {
			n += len(details)
		}
	case *persistence.Terminate:
		n += sizeOfTurn(&c.Segment, c.Sends)
	case *persistence.StartInstance:
		n += len(c.Input)
		for i := range c.Messages {
			n += len(c.Messages[i].Message) + 2*rowOverhead
		}
	case *persistence.Enqueue:
		n += len(c.Message)
	case *persistence.CompleteWork:
		n += len(c.Message)
	case *persistence.ExpireWork:
		n += len(c.Message)
	case *persistence.DrainWatchers:
		n += persistence.DrainBytes
	case *persistence.Deliver:
		for _, m := range c.Messages {
			n += len(m) + rowOverhead
		}
	}
	return n
}

func sizeOfTurn(s *persistence.SegmentDraft, sends []persistence.Send) int {
	n := len(s.Header)
	for i := range s.Parts {
		n += len(s.Parts[i].Events) + rowOverhead
	}
	for i := range sends {
		n += len(sends[i].Input) + len(sends[i].Message) + rowOverhead
	}
	return n
}
