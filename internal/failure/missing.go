package failure

import (
	"encoding/json"
	"strings"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// How the reason ends of an instance that is held because no runtime can run it.
const (
	notRegistered = " is not registered"
	notReplayable = ", which no attached runtime can replay"
)

// NotRegistered is why an instance is held whose handler no attached runtime has; handler names it.
func NotRegistered(handler string) string { return handler + notRegistered }

// NotReplayable is why an instance is held that only another version of the engine can replay.
func NotReplayable(handler, engine string) string {
	return handler + " was begun by engine version " + engine + notReplayable
}

// IsMissing says of the reason of a held instance that no runtime has its handler: its tries count, and it is given up as
// poison after the attempts allowed.
func IsMissing(reason string) bool { return strings.HasSuffix(reason, notRegistered) }

// IsNotReplayable says of the reason of a held instance that it belongs to an engine of another version. Its tries do not
// count: it stays until a runtime that may replay it is attached.
func IsNotReplayable(reason string) bool { return strings.HasSuffix(reason, notReplayable) }

// notRun begins the part of the message of a poisoned orchestration that says why its code did not run.
const notRun = "; its code did not run at last: "

// WithoutHandler adds to the message of a poisoned orchestration why it was held last, if no runtime had its handler.
func WithoutHandler(message, heldReason string) string {
	if !IsMissing(heldReason) {
		return message
	}
	return message + notRun + heldReason
}

// PoisonReason is why the code of what was given up did not run at last: no runtime had its handler. It is empty if it ran.
func PoisonReason(f *turnpb.Failure) string {
	p := f.GetPoison()
	if p.GetTarget() != turnpb.PoisonTarget_POISON_TARGET_ACTIVITY {
		_, reason, _ := strings.Cut(p.GetMessage(), notRun)
		return reason
	}
	var of struct{ Reason string }
	_ = json.Unmarshal([]byte(p.GetMessage()), &of) // a text of another form has no reason
	return of.Reason
}
