package replay

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Segment is the turn as it is stored: header and events. turn is its number in the execution, engine the version of
// the engine that computed it.
func (d *Decision) Segment(turn uint64, in Input, engine string) Segment {
	return Segment{Header: d.Header(turn, in, engine), Events: d.Events}
}

// Header is the header of the turn's segment.
func (d *Decision) Header(turn uint64, in Input, engine string) *turnpb.SegmentHeader {
	return &turnpb.SegmentHeader{
		Turn: turn, TimeMs: in.TimeMs, Entropy: bytes.Clone(in.Entropy[:]), EngineVersion: engine, Origin: d.Origin,
		Converted: uint32(d.Converted), Rejected: d.Rejected, CallSites: d.CallSites, PanicStack: d.PanicStack,
		Undecoded: d.Undecoded,
	}
}

// ErrVerify is wrapped by everything that Verify finds.
var ErrVerify = errors.New("history does not verify")

// Verify is the oracle of stored histories: a fresh machine that is fed turn by turn, with each segment's time, entropy
// and messages (rebuilt from its leading converted events and its rejected list), must produce the same event bytes. A
// segment whose origin is not code is checked only for form, and nothing may follow it. It returns nil or an error that
// names the segment and the event; the error wraps ErrVerify.
//
// cfg must be the configuration that the history was made with; its Func is run. What is not a function of the turn's input
// is taken from the history: which patches have a marker, the values of side effects, and which values were not decoded.
func Verify(cfg Config, history []Segment) error {
	m := New(cfg)
	defer m.Close()
	m.cfg.Limits.Carried, m.cfg.Limits.CarriedBytes = noLimit, noLimit // a segment has only what was not deferred
	m.expect(history)
	for i, s := range history {
		if err := verifyForm(m.NextEvent(), s); err != nil {
			return fmt.Errorf("%w: instance %s, execution %d, segment %d: %w", ErrVerify, cfg.Instance, cfg.Execution, i+1, err)
		}
		if o := s.Header.GetOrigin(); o != turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE && o != turnpb.SegmentOrigin_SEGMENT_ORIGIN_UNSPECIFIED {
			if i+1 != len(history) {
				return fmt.Errorf("%w: instance %s, execution %d: %d segments follow segment %d, which ended the execution (%s)",
					ErrVerify, cfg.Instance, cfg.Execution, len(history)-i-1, i+1, o)
			}
			return nil
		}
		if recordedFailure(s) > m.cfg.Limits.PayloadBytes {
			m.cfg.Limits.PayloadBytes = noLimit // it was recorded before failures were held to the limit, and stays as it is
		}
		m.header = s.Header
		in := rebuildInput(cfg, s)
		d := m.advanceVerified(in, len(s.Events) == 0)
		if d.Spoiled != nil {
			return fmt.Errorf("%w: segment %d: %w", ErrVerify, i+1, d.Spoiled)
		}
		if err := sameSegment(s, d); err != nil {
			return fmt.Errorf("%w: instance %s, execution %d, segment %d (turn %d): %w",
				ErrVerify, cfg.Instance, cfg.Execution, i+1, s.Header.GetTurn(), err)
		}
	}
	if n := m.Replayed(); n != 0 {
		return fmt.Errorf("%w: a resident machine replayed %d events", ErrVerify, n)
	}
	return nil
}

// advanceVerified takes a turn again. One that has no events, because all its messages were rejected, stopped no code, although a
// stop of the next turn is before the same event.
func (m *Machine) advanceVerified(in Input, empty bool) Decision {
	stops := m.stops
	if empty {
		m.stops = nil
	}
	d := m.Advance(in)
	if empty {
		m.stops = stops
	}
	return d
}

// recordedFailure is how many bytes the failure that ends a segment has; 0 if none does.
func recordedFailure(s Segment) int {
	if len(s.Events) == 0 {
		return 0
	}
	return proto.Size(s.Events[len(s.Events)-1].GetFailed().GetFailure())
}

// verifyForm checks what holds for the events of every segment: ids without gaps, a terminal event only at the end.
func verifyForm(next uint64, s Segment) error {
	if len(s.Events) == 0 && len(s.Header.GetRejected()) == 0 {
		return errors.New("it has neither events nor rejected messages")
	}
	for i, e := range s.Events {
		if e.GetId() != next+uint64(i) {
			return fmt.Errorf("event %d has id %d, expected %d", i+1, e.GetId(), next+uint64(i))
		}
		if Terminal(e) && i+1 != len(s.Events) {
			return fmt.Errorf("event %d, %s, is not the last of its segment", e.GetId(), KindName(e))
		}
	}
	if n := int(s.Header.GetConverted()); n > len(s.Events) {
		return fmt.Errorf("the header counts %d converted events, the segment has %d events", n, len(s.Events))
	}
	return nil
}

// rebuildInput makes the input that a segment was computed from.
func rebuildInput(cfg Config, s Segment) Input {
	in := Input{TimeMs: s.Header.GetTimeMs()}
	copy(in.Entropy[:], s.Header.GetEntropy())
	carried := 0
	for _, e := range s.Events[:s.Header.GetConverted()] {
		if carried > 0 {
			carried-- // it came with the start
			continue
		}
		if st := e.GetStarted(); st != nil {
			carried = len(st.GetCarried())
		}
		in.Messages = append(in.Messages, MessageOf(cfg, e))
	}
	for _, r := range s.Header.GetRejected() {
		in.Messages = append(in.Messages, rejectedMessage(cfg, r))
	}
	return in
}

// MessageOf rebuilds the message that a converted event was made from; nil for an event that no message makes.
func MessageOf(cfg Config, e *turnpb.Event) *turnpb.Message {
	msg := &turnpb.Message{}
	if e.GetSource() != 0 {
		msg.Execution, msg.Event = cfg.Execution, e.GetSource()
	}
	switch k := e.GetKind().(type) {
	case *turnpb.Event_Started:
		s := k.Started
		msg.Kind = &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: s.GetName(), Version: s.GetVersion(),
			Input: s.GetInput(), Parent: s.GetParent(), Carried: s.GetCarried(), InitialCustomStatus: s.InitialCustomStatus,
			ExecutionTimeoutMs: s.GetExecutionTimeoutMs()}}
	case *turnpb.Event_ActivityCompleted:
		msg.Kind = &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{Result: k.ActivityCompleted.GetResult()}}
	case *turnpb.Event_ActivityFailed:
		msg.Kind = &turnpb.Message_ActivityFailure{ActivityFailure: &turnpb.ActivityFailure{
			Failure: k.ActivityFailed.GetFailure(), Timeout: k.ActivityFailed.GetTimeout(), LastHeartbeat: k.ActivityFailed.LastHeartbeat}}
	case *turnpb.Event_TimerFired:
		msg.Kind = &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{FireAtMs: k.TimerFired.GetFireAtMs()}}
	case *turnpb.Event_ExternalEvent:
		msg.Kind = &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{
			Name: k.ExternalEvent.GetName(), Data: k.ExternalEvent.GetData()}}
	case *turnpb.Event_QueueEventDelivered:
		msg.Kind = &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{
			Name: k.QueueEventDelivered.GetName(), Data: k.QueueEventDelivered.GetData()}}
	case *turnpb.Event_SubOrchestrationCompleted:
		msg.Kind = &turnpb.Message_ChildResult{ChildResult: &turnpb.ChildResult{Result: k.SubOrchestrationCompleted.GetResult()}}
	case *turnpb.Event_SubOrchestrationFailed:
		msg.Kind = &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{Failure: k.SubOrchestrationFailed.GetFailure()}}
	case *turnpb.Event_SendEnded:
		msg.Kind = &turnpb.Message_SendEnded{SendEnded: k.SendEnded}
	case *turnpb.Event_AwaitEnded:
		msg.Kind = &turnpb.Message_AwaitEnded{AwaitEnded: k.AwaitEnded}
	case *turnpb.Event_CancelRequested:
		msg.Kind = &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: k.CancelRequested.GetReason()}}
	default:
		return nil
	}
	return msg
}

// rejectedMessage makes a message that is rejected for the same reason as the one that a segment lists. Source 0 is
// what belonged to another execution.
func rejectedMessage(cfg Config, r *turnpb.RejectedMessage) *turnpb.Message {
	msg := &turnpb.Message{Event: r.GetSource()}
	if r.GetSource() != 0 {
		msg.Execution = cfg.Execution
	}
	switch r.GetKind() {
	case kindStart:
		msg.Kind = &turnpb.Message_Start{Start: &turnpb.StartOrchestration{}}
	case kindActivityResult:
		msg.Kind = &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{}}
	case kindActivityFailure:
		msg.Kind = &turnpb.Message_ActivityFailure{ActivityFailure: &turnpb.ActivityFailure{}}
	case kindTimerElapsed:
		msg.Kind = &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{}}
	case kindChildResult:
		msg.Kind = &turnpb.Message_ChildResult{ChildResult: &turnpb.ChildResult{}}
	case kindChildFailure:
		msg.Kind = &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{}}
	case kindSendEnded:
		msg.Kind = &turnpb.Message_SendEnded{SendEnded: &turnpb.SendEnded{}}
	case kindAwaitEnded:
		msg.Kind = &turnpb.Message_AwaitEnded{AwaitEnded: &turnpb.AwaitEnded{}}
	case kindCancel:
		msg.Kind = &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{}}
	}
	return msg
}

func sameSegment(s Segment, d Decision) error {
	if int(s.Header.GetConverted()) != d.Converted {
		return fmt.Errorf("%d messages became events, computed again %d", s.Header.GetConverted(), d.Converted)
	}
	for i := range max(len(s.Events), len(d.Events)) {
		switch {
		case i >= len(d.Events):
			return fmt.Errorf("event %d, %s, was not made again", s.Events[i].GetId(), describeEvent(s.Events[i]))
		case i >= len(s.Events):
			return fmt.Errorf("event %d, %s, was made, and is not in the segment", d.Events[i].GetId(), describeEvent(d.Events[i]))
		}
		was, is, err := encodeBoth(s.Events[i], d.Events[i])
		if err != nil {
			return err
		}
		if !bytes.Equal(was, is) {
			return fmt.Errorf("event %d was %s, computed again it is %s (%d and %d bytes)",
				s.Events[i].GetId(), describeEvent(s.Events[i]), describeEvent(d.Events[i]), len(was), len(is))
		}
	}
	if len(s.Header.GetRejected()) != len(d.Rejected) {
		return fmt.Errorf("%d messages were rejected, computed again %d", len(s.Header.GetRejected()), len(d.Rejected))
	}
	for i, r := range s.Header.GetRejected() {
		if r.GetKind() != d.Rejected[i].GetKind() || r.GetSource() != d.Rejected[i].GetSource() {
			return fmt.Errorf("rejected message %d was of kind %d for event %d, computed again of kind %d for event %d",
				i+1, r.GetKind(), r.GetSource(), d.Rejected[i].GetKind(), d.Rejected[i].GetSource())
		}
	}
	return nil
}

func encodeBoth(a, b *turnpb.Event) (was, is []byte, err error) {
	enc := proto.MarshalOptions{Deterministic: true}
	if was, err = enc.Marshal(a); err != nil {
		return nil, nil, err
	}
	is, err = enc.Marshal(b)
	return was, is, err
}
