package step

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/limits"
)

// instanceID is the one instance of a script.
const instanceID = "a"

// stage is the shell of a script's machine. It does what the actor does: it keeps the answers that are on their way, counts
// them as the actor counts, and leaves when nothing is. But no answer comes by itself: the script brings it.
type stage struct {
	t    *testing.T
	host *turn.Shared
	facts
	journal

	*activation // nil: the instance is not in memory
	tells       uint64
	setAside    bool // it is damaged
	last        any  // the last answer
	left        int  // so many answers may be outstanding at the end

	out strings.Builder
}

// activation is what there is of an instance while it is in memory.
type activation struct {
	core        Machine
	asks        []*ask
	outstanding int
	acceptTimer bool
	acceptSent  bool  // its tick is on its way
	place       bool  // among the residents
	placeCharge int64 // what that has of the memory
	evictSent   bool  // it is told to leave its place, and the message is on its way
	evicting    bool  // the same, and the place was given up meanwhile
	overdue     bool  // an answer may come that nothing waits for
	suspect     bool  // it has been admitted, or tries
	charge      int64 // what it has of the memory, while it has no place
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, journal: newJournal()}
	s.facts = facts{clock: &scriptClock{wallMs: startMs}, epoch: 1, consumers: &consumer.List{}, memory: 1 << 30}
	s.host = &turn.Shared{
		Config: turn.Config{
			Node: "node", Process: "process", Build: "1", Clock: s.clock, IDs: new(counting),
			Logger: slog.New(&scriptLog{out: &s.out}), Limits: limits.Default(), MaxAttempts: 3,
			BackoffBase: time.Second, BackoffMax: time.Minute, TurnLease: 30 * time.Second, WatchdogAbandon: time.Minute,
			InboxPage: 1000,
		},
		Unknown: &consumer.UnknownNames{},
	}
	return s
}

// config changes the configuration, before the first message.
func (s *stage) config(l *line) string {
	c := &s.host.Config
	c.InboxPage = int(l.number("inbox-page", uint64(c.InboxPage)))
	c.Limits.Inbox = int(l.number("inbox", uint64(c.Limits.Inbox)))
	c.Limits.TurnBytes = int(l.number("turn-bytes", uint64(c.Limits.TurnBytes)))
	c.MaxAttempts = uint32(l.number("max-attempts", uint64(c.MaxAttempts)))
	return ""
}

// counted is step for a message of the handshake, which begins a new activation if there is none.
func (s *stage) counted(msg any) string {
	if s.activation == nil {
		s.activation = &activation{core: New(s.host, instanceID)}
		s.outLine("a new activation")
	}
	return s.step(msg)
}

// step has the machine take a message and does what it wants done: the instance leaves last.
func (s *stage) step(msg any) string {
	var out Effects
	before := s.core.phase
	logged := s.cut()
	s.core.Step(s, msg, &out)
	wrote := s.cut()
	s.out.WriteString(logged)
	if after := s.core.phase; before == after {
		s.outLine("%s", after)
	} else {
		s.outLine("%s -> %s", before, after)
	}
	s.out.WriteString(wrote)
	refused, leaves := false, false
	for i := range out {
		switch e := &out[i]; e.Kind {
		case EffectPark:
			s.outLine("  park with %d bytes", e.Number)
			if refused = s.full; !refused {
				s.place, s.placeCharge, s.charge = true, s.charge, 0
			}
		case EffectLeave:
			leaves = true
		default:
			s.do(e)
		}
	}
	s.watchAcceptTimer()
	switch {
	case refused:
		s.outLine("  there is no place: it is told to leave")
		return s.step(Evict)
	case leaves && s.outstanding == 0:
		s.verify()
		s.outLine("  leave")
		s.activation = nil
		return s.cut()
	case leaves:
		s.outLine("  leave, later")
	}
	s.verify()
	return s.cut()
}

// verify compares what the machine waits for with what is on its way.
func (s *stage) verify() {
	s.t.Helper()
	s.core.Verify()
	n := s.core.Awaited()
	if s.acceptTimer {
		n++
	}
	if s.evicting {
		n++
	}
	if s.outstanding != n && !(s.overdue && s.outstanding > n) {
		s.t.Fatalf("%d answers are outstanding, of which %d are known", s.outstanding, n)
	}
}

// watchAcceptTimer keeps the accept timer running while a message has not been proposed.
func (s *stage) watchAcceptTimer() {
	_, held := s.core.OldestUnproposed()
	switch {
	case held && !s.acceptTimer:
		s.outstanding++
		s.acceptTimer = true
	case !held && s.acceptTimer && !s.acceptSent:
		s.outstanding--
		s.acceptTimer = false
	}
}

// end says what may be left on its way.
func (s *stage) end(l *line) string {
	s.left = int(l.number("outstanding", 0))
	return ""
}

// checkEnd wants an instance that has left, or is idle in memory with nothing on its way.
func (s *stage) checkEnd() {
	if s.activation == nil {
		return
	}
	if s.outstanding != s.left {
		s.t.Errorf("the story ends with %d answers outstanding (%s), not %d", s.outstanding, s.waitsFor(), s.left)
	}
	if s.left == 0 && (!resting.has(s.core.phase) || !s.place) {
		s.t.Errorf("the story ends in phase %s, and the instance is neither idle in memory nor gone", s.core.phase)
	}
}

func (s *stage) outLine(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// cut returns what has been written and begins anew.
func (s *stage) cut() string {
	text := s.out.String()
	s.out.Reset()
	return text
}

// source is what reads need to know.
func (s *stage) source() *view.Source {
	c := &s.host.Config
	return &view.Source{Node: c.Node, Process: c.Process, Build: c.Build, Clock: s.clock, BackoffMax: c.BackoffMax, Memory: &s.facts}
}

var _ Facts = (*stage)(nil)
