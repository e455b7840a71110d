package sim

import (
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// arrivalName names what a client sends: events and messages of queues have names of their own.
type arrivalName struct {
	queue bool
	name  string
}

func (n arrivalName) String() string {
	if n.queue {
		return "queue " + n.name
	}
	return "event " + n.name
}

// arrivalNames are all names that programs wait for. A queue has the name of an event, so that a mix-up shows.
func arrivalNames() (names []arrivalName) {
	for n := range eventNames {
		names = append(names, arrivalName{name: eventName(n)})
	}
	for n := range queueNames {
		names = append(names, arrivalName{queue: true, name: eventName(n)})
	}
	return names
}

// arrivalName draws a name.
func (c *client) arrivalName() arrivalName {
	names := arrivalNames()
	return names[c.random.below(len(names))]
}

// message is what a client sends.
func (n arrivalName) message(data string) *turnpb.Message {
	if n.queue {
		return &turnpb.Message{Kind: &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{Name: n.name, Data: []byte(data)}}}
	}
	return &turnpb.Message{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: n.name, Data: []byte(data)}}}
}

// recordedArrival is what an event of a history says of a message that a client sent.
func recordedArrival(e *turnpb.Event) (n arrivalName, data string, ok bool) {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ExternalEvent:
		return arrivalName{name: k.ExternalEvent.GetName()}, string(k.ExternalEvent.GetData()), true
	case *turnpb.Event_QueueEventDelivered:
		return arrivalName{queue: true, name: k.QueueEventDelivered.GetName()}, string(k.QueueEventDelivered.GetData()), true
	default:
		return n, "", false
	}
}

// waitingArrival is the same for a message that waits in an inbox.
func waitingArrival(m *turnpb.Message) (n arrivalName, data string, ok bool) {
	switch k := m.GetKind().(type) {
	case *turnpb.Message_EventRaised:
		return arrivalName{name: k.EventRaised.GetName()}, string(k.EventRaised.GetData()), true
	case *turnpb.Message_QueueMessage:
		return arrivalName{queue: true, name: k.QueueMessage.GetName()}, string(k.QueueMessage.GetData()), true
	default:
		return n, "", false
	}
}

// tally is what an execution's history says of one name: what arrived, and how many waits took something.
type tally struct {
	arrived []string
	took    int
	unclear bool // a positional wait passes over what came before it
}

// compareCarried checks what one execution leaves to the next one: what no wait has taken, in order, and nothing else. A
// wait that is not cancelled by the end of the execution has taken the oldest arrival that was left.
func (w *World) compareCarried(rec *record, e, next *execution) {
	tallies := map[arrivalName]*tally{}
	of := func(n arrivalName) *tally {
		if tallies[n] == nil {
			tallies[n] = &tally{}
		}
		return tallies[n]
	}
	waits := map[uint64]arrivalName{}
	for _, t := range e.turns() {
		for _, event := range t.Events {
			if n, data, ok := recordedArrival(event); ok {
				of(n).arrived = append(of(n).arrived, data)
				continue
			}
			switch k := event.GetKind().(type) {
			case *turnpb.Event_QueueSubscribed:
				n := arrivalName{queue: true, name: k.QueueSubscribed.GetName()}
				waits[event.GetId()] = n
				of(n).took++
			case *turnpb.Event_ExternalSubscribed:
				n := arrivalName{name: k.ExternalSubscribed.GetName()}
				waits[event.GetId()] = n
				of(n).took++
				of(n).unclear = of(n).unclear || k.ExternalSubscribed.GetMode() == turnpb.WaitMode_WAIT_MODE_POSITIONAL
			case *turnpb.Event_QueueSubscriptionCancelled, *turnpb.Event_ExternalSubscribedCancelled:
				of(waits[event.GetSource()]).took--
			}
		}
	}
	first := next.turns()[0].Events
	if len(first) == 0 || first[0].GetStarted() == nil {
		return // it was ended before any code ran
	}
	carried := map[arrivalName][]string{}
	for _, c := range first[0].GetStarted().GetCarried() {
		n := arrivalName{queue: c.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, name: c.GetName()}
		carried[n] = append(carried[n], string(c.GetData()))
		if n.queue {
			w.reach("message of a queue carried on")
		}
	}
	for _, n := range arrivalNames() {
		t := of(n)
		if t.unclear {
			continue
		}
		if t.took < 0 || t.took > len(t.arrived) {
			w.fail("S2", "%s: execution %d took %d of the %d arrivals of %v", rec.id, e.number, t.took, len(t.arrived), n)
		} else if left := t.arrived[t.took:]; fmt.Sprint(left) != fmt.Sprint(carried[n]) {
			w.fail("S2", "%s: execution %d leaves %v of %v, and execution %d begins with %v",
				rec.id, e.number, left, n, next.number, carried[n])
		}
	}
}

// givenTo checks what code was given: by one wait at most, whichever execution it is in.
func (w *World) givenTo(instance, data string) {
	if w.handedOut[data] {
		w.fail("S2", "the code of %s was given %s a second time", instance, data)
	}
	w.handedOut[data] = true
}
