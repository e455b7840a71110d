package partition

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/system"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// builtinSlots is how many system activities of a partition are under way at once.
const builtinSlots = 64

// attachBuiltin attaches the consumer of the system activities. It is a part of the engine, so they run on each node, also
// where no runtime with activities is attached, and need no goroutine.
func (s *serving) attachBuiltin() {
	s.builtin = consumer.Attach(consumer.Consumer{ID: "built-in", ActivitySlots: builtinSlots}, consumer.TurnConfig{})
	s.consumers = append(s.consumers, s.builtin)
	s.numbers[s.builtin] = s.d.AttachBuiltin(func(name string) bool { return name == system.GetKV })
}

// readKV carries out system.GetKV: it reads a key of another instance. What it read is durable when the result leaves.
func (a *activity) readKV() {
	s := a.s
	a.phase = activityReading
	var q system.KVRead
	if err := json.Unmarshal(a.item.Input, &q); err != nil {
		a.unreadable(fmt.Errorf("%w: the input of a system activity: %w", persistence.ErrCorrupt, err))
		return
	}
	var found *system.KVFound
	s.host.Journal.View(s.host.Journal.PartitionOf(q.Instance), func(r persistence.Reader) error {
		found = nil
		iid, ok, err := r.Resolve(q.Instance)
		if err != nil || !ok {
			return err
		}
		e, ok, err := r.KV(iid, q.Key)
		if ok {
			found = &system.KVFound{Value: e.Value, UpdatedMs: e.UpdatedMs}
		}
		return err
	}, func(err error) {
		s.post("key read", func() { a.kvRead(found, err) })
	})
}

// kvRead takes what was read.
func (a *activity) kvRead(found *system.KVFound, err error) {
	switch {
	case a.phase != activityReading:
	case errors.Is(err, persistence.ErrBusy):
		a.retry(a.readKV)
	case errors.Is(err, persistence.ErrStopped):
		a.close()
	case a.s.startsNothing(): // the next epoch reads it
		a.putBack(0)
	case err != nil:
		a.unreadable(err)
	default:
		a.endProbation()
		a.s.p.counts.activities.Add(1)
		a.takeOutcome(a.kvOutcome(found))
	}
}

func (a *activity) kvOutcome(found *system.KVFound) *activityOutcome {
	l, key := &a.s.host.Config.Limits, &a.item.Key
	result, err := json.Marshal(found)
	if err == nil {
		err = limits.Check("activity result bytes", len(result), l.PayloadBytes, "PayloadBytes")
	}
	if err != nil {
		return encodeFailure(key, tooLarge(err), l)
	}
	m := &turnpb.Message{
		Execution: key.Execution, Event: key.Event,
		Kind: &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{Result: result}},
	}
	encoded, err := proto.Marshal(m)
	if err != nil {
		return encodeFailure(key, failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, "encode the result: "+err.Error()), l)
	}
	return &activityOutcome{message: m, encoded: encoded}
}
