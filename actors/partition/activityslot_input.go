package partition

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
)

// inputs are read from the history for activities whose effect did not bring them: after a restart, or when memory was
// short. A stored part may have hundreds of inputs, so it is decoded once. All activities that wait for it get their inputs
// together, and the other inputs are kept for later activities. At most partsKept parts are kept.
type inputs struct {
	reading map[partKey]*partRead
	kept    []*partInputs // newest last
}

// partsKept is how many decoded parts a partition keeps. Work is granted in the order in which it was scheduled, so one is
// nearly always enough.
const partsKept = 2

// partKey names a stored part.
type partKey struct {
	iid             persistence.Incarnation
	execution, part uint64
}

// partRead is a read under way, with the activities that wait for it.
type partRead struct{ waiting []*activity }

// partInputs are the inputs of a part that no activity has taken, by event. None is taken twice, because the author's code
// may change its input.
type partInputs struct {
	key    partKey
	head   persistence.Head
	exists bool // whether the instance exists
	events map[uint64][]byte
}

func (i *inputs) init() { i.reading = map[partKey]*partRead{} }

// take returns an activity's input from a kept part.
func (i *inputs) take(key partKey, event uint64) (input []byte, of *partInputs, ok bool) {
	for n, p := range i.kept {
		if input, ok = p.events[event]; !ok || p.key != key {
			continue
		}
		delete(p.events, event)
		if len(p.events) == 0 {
			i.kept = append(i.kept[:n], i.kept[n+1:]...)
		}
		return input, p, true
	}
	return nil, nil, false
}

// keep keeps the inputs of a part that no activity has taken.
func (i *inputs) keep(p *partInputs) {
	if len(p.events) == 0 {
		return
	}
	if i.kept = append(i.kept, p); len(i.kept) > partsKept {
		i.kept[0] = nil
		i.kept = i.kept[1:]
	}
}

// readInput reads the input that the effect did not bring.
func (a *activity) readInput() {
	s := a.s
	key := partKey{a.item.Key.IID, a.item.Key.Execution, a.item.Part}
	if input, part, ok := s.inputs.take(key, a.item.Key.Event); ok {
		a.inputRead(input, part)
		return
	}
	if under := s.inputs.reading[key]; under != nil {
		under.waiting = append(under.waiting, a)
		return
	}
	under := &partRead{waiting: []*activity{a}}
	s.inputs.reading[key] = under
	part := &partInputs{key: key}
	s.host.Journal.Load(s.p.id, part.read, func(err error) {
		s.post("input read", func() {
			delete(s.inputs.reading, key)
			for _, a := range under.waiting {
				a.partRead(part, err)
			}
			s.inputs.keep(part)
		})
	})
}

// partRead takes the part that has the activity's input.
func (a *activity) partRead(part *partInputs, err error) {
	input, found := part.events[a.item.Key.Event]
	switch {
	case a.phase != activityReading:
	case errors.Is(err, persistence.ErrBusy):
		a.retry(a.readInput)
	case errors.Is(err, persistence.ErrStopped):
		a.close()
	case err != nil:
		a.unreadable(err)
	case !part.exists: // the effect of the instance's end is on its way
		a.putBack(a.s.now() + retryPauseMaxMs)
	case !found:
		a.unreadable(part.missing(a.item.Key))
	default:
		delete(part.events, a.item.Key.Event)
		a.inputRead(input, part)
	}
}

// missing returns the error of a part without the event of an activity that refers to the part.
func (p *partInputs) missing(key persistence.WorkKey) error {
	return fmt.Errorf("%w: part %d has no scheduled event of activity %s", persistence.ErrCorrupt, p.key.part, key)
}

func (a *activity) inputRead(input []byte, part *partInputs) {
	a.item.Input, a.item.Orchestration, a.item.Version = input, part.head.Name, part.head.Version
	a.run()
}

// read decodes the part.
func (p *partInputs) read(r persistence.Reader) (err error) {
	if p.head, p.exists, err = r.Head(p.key.iid); err != nil || !p.exists {
		return err
	}
	p.events = map[uint64][]byte{}
	var damage error
	err = r.Parts(p.key.iid, p.key.execution, p.key.part, func(stored persistence.StoredPart) bool {
		events, err := history.Events(stored.FirstEvent, stored.Events)
		if err != nil {
			damage = fmt.Errorf("%w: part %d: %w", persistence.ErrCorrupt, p.key.part, err)
			return false
		}
		for _, e := range events {
			if scheduled := e.GetActivityScheduled(); scheduled != nil {
				p.events[e.GetId()] = scheduled.GetInput()
			}
		}
		return false
	})
	return errors.Join(err, damage)
}
