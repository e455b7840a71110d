package step

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// text is an effect in words; empty if it changes nothing now.
func (s *stage) text(e *Effect) string {
	switch e.Kind {
	case EffectAccept, EffectPropose:
		return "propose " + commandText(e.Command)
	case EffectCommit:
		return "propose " + commitText(e.Turn)
	case EffectLoad:
		return askText(e.Message.(*view.Load))
	case EffectRun:
		return runText(e.Turn, s.core.view.Head.Turn+1)
	case EffectQuery:
		return queryText(e.Query)
	case EffectUnwind:
		return "unwind the coroutine"
	case EffectArm:
		return fmt.Sprintf("arm %s %s", tickText(e.Message), e.Wait)
	case EffectDisarm:
		return "disarm " + tickText(e.Message)
	case EffectAskMemory:
		return fmt.Sprintf("ask for %d bytes of memory", e.Message.(*MemoryMsg).Bytes)
	case EffectAskAdmission:
		return fmt.Sprintf("ask for admission, after %d attempts", e.Number)
	case EffectAskTry:
		return "ask for a try"
	case EffectAnswer:
		return answerText(e)
	case EffectAcknowledge:
		return acknowledgementText(&e.Acknowledgement)
	}
	return s.doneText(e)
}

// doneText is text of what has no words of its own but these.
func (s *stage) doneText(e *Effect) string {
	switch e.Kind {
	case EffectLeaveTry:
		return "ask for no try any more"
	case EffectUncharge:
		if s.charge == 0 {
			return ""
		}
		return fmt.Sprintf("give back %d bytes of memory", s.charge)
	case EffectReturn:
		if e.Number == 0 {
			return ""
		}
		return fmt.Sprintf("give back %d bytes of memory", int64(e.Number))
	case EffectUnpark:
		return "unpark"
	case EffectWatchLease:
		return "renew the lease"
	case EffectEndCareful:
		return "end careful: renew no lease, and let the next suspect run"
	case EffectGivingBack:
		return "the lease is given back, since nothing is left to do"
	case EffectKeptLease:
		return "the lease was not given back"
	case EffectSetAside:
		return "set aside: " + oneLine(e.Err.Error())
	case EffectWhole:
		if !s.setAside {
			return ""
		}
		return "it is whole"
	}
	return fmt.Sprintf("an effect of the unknown kind %d", e.Kind)
}

func answerText(e *Effect) string {
	text := "ok"
	switch {
	case e.Err != nil:
		text = oneLine(e.Err.Error())
	case e.Repeated:
		text = "ok, it repeats another"
	case e.Arrival.Query != nil:
		text = fmt.Sprintf("%q", e.Arrival.Query.Answer.Output)
	}
	return fmt.Sprintf("answer %s: %s", arrivalText(e.Arrival), text)
}

func arrivalText(a *arrival.Arrival) string {
	if a.Start != nil {
		return "start of " + a.Start.StartRequest.Name
	}
	if a.Query != nil {
		return "query " + a.Query.Name
	}
	return messageText(a.Message)
}

func messageText(m *turnpb.Message) string {
	switch k := m.GetKind().(type) {
	case *turnpb.Message_Start:
		return "start of " + k.Start.GetName()
	case *turnpb.Message_EventRaised:
		return "event " + k.EventRaised.GetName() + dataText(k.EventRaised.GetData())
	case *turnpb.Message_ActivityResult:
		return fmt.Sprintf("result of event %d", m.GetEvent())
	case *turnpb.Message_TimerElapsed:
		return fmt.Sprintf("timer of event %d", m.GetEvent())
	case *turnpb.Message_Cancel:
		return "cancel"
	}
	return fmt.Sprintf("%T", m.GetKind())
}

func dataText(data []byte) string {
	switch {
	case len(data) == 0:
		return ""
	case len(data) > 20:
		return fmt.Sprintf(" (%d bytes)", len(data))
	}
	return fmt.Sprintf(" %q", data)
}

// askText says what of the instance is to be read.
func askText(m *view.Load) string {
	switch {
	case m.InboxOnly:
		return "read more of the inbox"
	case m.HeadOnly:
		return "load head and lease alone"
	}
	return "load"
}

// loadText says what was found.
func loadText(m *view.Load) string {
	v := &m.View
	switch {
	case m.Err != nil:
		return oneLine(m.Err.Error())
	case m.InboxOnly:
		return "rows of the inbox"
	case !v.Exists:
		return "there is no such instance"
	}
	text := fmt.Sprintf("%s, %d turns, %d rows of the inbox", v.Head.Status, v.Head.Turn, len(v.Inbox.Rows))
	if v.Start != nil {
		text += ", the start"
	}
	if v.Partial {
		text = fmt.Sprintf("%s, %d turns; no more than head and lease", v.Head.Status, v.Head.Turn)
	}
	if v.Unreadable != nil {
		text += ", and a history that cannot be read"
	}
	return text
}

// runText says what a turn consumes.
func runText(t *turn.Turn, number uint64) string {
	var parts []string
	switch {
	case t.TakesStart && (len(t.Arrivals) == 0 || t.Arrivals[0].Start == nil):
		parts = append(parts, "the start that is pending")
	}
	for i := range t.Inbox {
		parts = append(parts, fmt.Sprintf("inbox %d (%s)", t.Inbox[i].Seq, messageText(t.Inbox[i].Message)))
	}
	for _, key := range t.Timers {
		parts = append(parts, fmt.Sprintf("timer of event %d", key.Event))
	}
	for _, a := range t.Arrivals {
		parts = append(parts, arrivalText(a))
	}
	if t.Asks && len(parts) == 0 {
		parts = append(parts, "nothing, to learn what is waited for")
	}
	text := fmt.Sprintf("run turn %d: %s", number, strings.Join(parts, ", "))
	if t.ForcedEnd != nil {
		text = fmt.Sprintf("run turn %d without code, to end the instance: %s", number, strings.Join(parts, ", "))
	}
	if t.Input.Stop != nil {
		text += ", where the code is stopped"
	}
	if t.History != nil {
		n := t.History.Turns()
		text += fmt.Sprintf("; after a replay of %d turns", n)
	}
	if t.Token != "" {
		text += "; under its lease"
	}
	return strings.TrimSuffix(strings.ReplaceAll(text, ": ;", ";"), ": ")
}

func tickText(message any) string {
	return [...]string{"pause", "wake-up", "commit again"}[message.(*TickMsg).Kind]
}

func acknowledgementText(a *dispatch.Acknowledgement) string {
	text := fmt.Sprintf("acknowledge tell %d: ", a.Number)
	if a.Number == 0 {
		text = "acknowledge: "
	}
	switch {
	case a.Wait:
		return text + "it is at work"
	case a.Unserved:
		return text + "no consumer is attached"
	case a.Lost:
		return text + "it knows nothing of it" + timersText(a.Timers)
	case a.Held && a.Until == 0:
		return text + "held" + timersText(a.Timers)
	case a.Held:
		return text + "held until " + instant(a.Until) + timersText(a.Timers)
	case a.Until > 0:
		return text + "tell again " + instant(a.Until)
	}
	return text + "done"
}

func timersText(timers []persistence.TimerKey) string {
	if len(timers) == 0 {
		return ""
	}
	return fmt.Sprintf(", %d timers", len(timers))
}

// instant is a time of the wall clock, from the script's beginning.
func instant(ms int64) string {
	return "at +" + (time.Duration(ms-startMs) * time.Millisecond).String()
}

// sites are where the code of a script stands.
var sites = regexp.MustCompile(` at step\.\S+ \(code_test\.go:[0-9]+\)`)

// oneLine is a text without line ends, and without places that move when code is added.
func oneLine(text string) string {
	return sites.ReplaceAllString(strings.ReplaceAll(text, "\n", " "), " at ...")
}
