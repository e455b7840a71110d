package failure

import "strings"

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

// IsMissing says of the reason of a held instance that no runtime can run it: its tries count, and it is given up as
// poison after the attempts allowed.
func IsMissing(reason string) bool {
	return strings.HasSuffix(reason, notRegistered) || strings.HasSuffix(reason, notReplayable)
}
