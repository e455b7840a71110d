package sim

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// The bounds of an activity, as programs name them.
const (
	boundStartToClose    = "start-to-close"
	boundScheduleToStart = "schedule-to-start"
	boundScheduleToClose = "schedule-to-close"
	boundHeartbeat       = "heartbeat"
)

// timeouts are what a node bounds its activity with.
func timeouts(p *Program) *turnpb.ActivityTimeouts {
	ms := int64(p.Ms)
	switch p.Bound {
	case boundStartToClose:
		return &turnpb.ActivityTimeouts{StartToCloseMs: ms}
	case boundScheduleToStart:
		return &turnpb.ActivityTimeouts{ScheduleToStartMs: ms}
	case boundScheduleToClose:
		return &turnpb.ActivityTimeouts{ScheduleToCloseMs: ms}
	case boundHeartbeat:
		return &turnpb.ActivityTimeouts{HeartbeatMs: ms}
	default:
		return nil
	}
}

// bound draws a bound for an activity. What would fail hangs then, now and then, until its time is over.
func (g *generator) bound(p *Program) {
	p.Bound = pick(g.random, boundStartToClose, boundScheduleToStart, boundScheduleToClose, boundHeartbeat)
	p.Ms = pick(g.random, 1, 20, 400, 3000, 20000)
	switch {
	case p.Bound == boundScheduleToStart && g.random.chance(3), p.Bound == boundScheduleToClose && g.random.chance(6):
		p.Name = activityNowhere
	case p.N > 0 && p.Bound != boundScheduleToStart:
		p.Hangs = g.random.chance(2)
	}
}

// bound draws a bound that is sure to be passed, or sure not to be.
func (g *settled) bound(p *Program) {
	switch p.Bound = pick(g.random, boundStartToClose, boundScheduleToStart, boundScheduleToClose, boundHeartbeat); p.Bound {
	case boundScheduleToStart:
		p.Name, p.N, p.Ms = activityNowhere, 0, pick(g.random, 50, 3000)
	case boundScheduleToClose:
		p.Hangs, p.N, p.Ms = true, 10, pick(g.random, 50, 3000)
	default:
		p.Hangs, p.Ms = true, 5_000 // longer than any activity takes
	}
}

// tried draws an activity whose first attempt hangs until a bound is passed, and tells the next one how far it came.
func (g *settled) tried(bound string) *Program {
	g.tags++
	p := &Program{Op: "activity", Tag: g.tags, Name: activityCommon, N: 1, Hangs: true, Beats: true, Bound: bound, Ms: 5_000}
	return &Program{Op: "retry", N: 2, Kids: []*Program{p}}
}

// hangMargin is how long an activity that hangs goes on after its time is over, at least.
const hangMargin = time.Second

// hang has the code of an activity take longer than it may. What it returns then is dropped.
func (w *World) hang(spec *activitySpec) []byte {
	w.linger = time.Duration(spec.Ms)*time.Millisecond + hangMargin
	w.reach("activity that hangs")
	return []byte("result-too-late")
}

// lastHeartbeat are the details that an attempt left.
func lastHeartbeat(err error) []byte {
	var failed *failure.Error
	if errors.As(err, &failed) {
		return failed.LastHeartbeat
	}
	return nil
}

// pulse is what the runs of one attempt told of themselves.
type pulse struct {
	given   []string // details, of all runs
	durable int      // how many of them the journal had taken when it took one
}

// may reports whether details are what can be known of the attempt: nothing older than what the journal has. before are those
// that the attempt was scheduled with.
func (p *pulse) may(details, before []byte) bool {
	switch {
	case p == nil:
		return string(details) == string(before)
	case p.durable > 0:
		return slices.Contains(p.given[p.durable-1:], string(details))
	default:
		return string(details) == string(before) || slices.Contains(p.given, string(details))
	}
}

// beat has a run of an activity give a heartbeat, and checks what it is told of those before.
func (w *World) beat(key activityKey, heart consumer.Heart, details string) {
	scheduled := w.scheduledAs(key)
	p, got := w.pulses[key], heart.Before()
	switch {
	case !p.may(got, scheduled.GetLastHeartbeat()):
		w.fail("S13", "a run of activity %v is told of the heartbeat %q; it was scheduled with %q, and its runs gave %v", key, got, scheduled.GetLastHeartbeat(), p)
	case p != nil && slices.Contains(p.given, string(got)):
		w.reach("heartbeat of an earlier run")
	case len(got) > 0:
		w.reach("heartbeat of an earlier attempt")
	}
	if heart.Beat([]byte(details)) != nil {
		return
	}
	if p == nil {
		p = &pulse{}
		w.pulses[key] = p
	}
	p.given = append(p.given, details)
}

// scheduledAs is the event that scheduled an activity.
func (w *World) scheduledAs(key activityKey) *turnpb.ActivityScheduled {
	rec := w.disk.ledger.of(key.instance)
	if rec == nil {
		return nil
	}
	executions, err := rec.turns()
	if err != nil {
		w.fail("S3", "%v", err)
	}
	for i := range executions {
		if executions[i].number != key.execution {
			continue
		}
		for _, t := range executions[i].turns() {
			for _, event := range t.Events {
				if event.GetId() == key.event {
					return event.GetActivityScheduled()
				}
			}
		}
	}
	return nil
}

// workLeased notes whose lease a token is.
func (l *ledger) workLeased(n persistence.Partition, c *persistence.LeaseWork, r *persistence.Result) {
	if rec := l.known[instanceKey{n, c.Key.IID}]; rec != nil {
		l.tokens[r.Token] = activityKey{rec.id, c.Key.Execution, c.Key.Event}
	}
}

// workRenewed notes which heartbeats are durable. With a second process an attempt may run twice at once, and the run that
// began before the heartbeat knows nothing of it.
func (l *ledger) workRenewed(c *persistence.RenewWork, r *persistence.Result) {
	for i, details := range c.Heartbeats {
		p := l.world.pulses[l.tokens[c.Tokens[i]]]
		if len(details) == 0 || !r.Live[i] || p == nil {
			continue
		}
		l.world.reach("heartbeat recorded")
		if w := l.world; w.faults.twins || w.faults.takeovers {
			continue
		}
		p.durable = max(p.durable, slices.Index(p.given, string(details))+1)
	}
}

// checkEnd checks how an activity failed: by a timeout that it has, not before its time, and with its last heartbeat.
func (w *World) checkEnd(key activityKey, scheduled *turnpb.ActivityScheduled, at int64, k *turnpb.ActivityFailed, t *replay.Segment, where string) {
	p := w.pulses[key]
	got, ran := k.GetLastHeartbeat(), p != nil && strings.Contains(failure.Display(k.GetFailure()), errActivity.Error())
	if k.GetFailure().GetApplication() != nil && !p.may(got, scheduled.GetLastHeartbeat()) || ran && !slices.Contains(p.given, string(got)) {
		w.fail("S13", "%s has the last heartbeat %q; the attempt was scheduled with %q, and its runs gave %v", where, got, scheduled.GetLastHeartbeat(), p)
	}
	bounds := scheduled.GetTimeouts()
	ms, asked := map[turnpb.TimeoutKind]int64{
		turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE: bounds.GetStartToCloseMs(), turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START: bounds.GetScheduleToStartMs(),
		turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE: bounds.GetScheduleToCloseMs(), turnpb.TimeoutKind_TIMEOUT_KIND_HEARTBEAT: bounds.GetHeartbeatMs(),
	}[k.GetTimeout()]
	if !asked {
		return // no timeout ended it
	}
	w.reach("timeout: " + strings.ToLower(strings.TrimPrefix(k.GetTimeout().String(), "TIMEOUT_KIND_")))
	if early := at + ms - t.Header.GetTimeMs(); ms == 0 || early > 0 && !w.faults.clockSteps {
		w.fail("L2", "%s: an activity with the timeouts %v ends by %v, %d ms early", where, bounds, k.GetTimeout(), early)
	}
}
