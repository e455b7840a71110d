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

// IsMissing says of the reason of a held instance that no runtime has its handler: its tries count, and it is given up as
// poison after the attempts allowed.
func IsMissing(reason string) bool { return strings.HasSuffix(reason, notRegistered) }

// IsNotReplayable says of the reason of a held instance that it belongs to an engine of another version. Its tries do not
// count: it stays until a runtime that may replay it is attached.
func IsNotReplayable(reason string) bool { return strings.HasSuffix(reason, notReplayable) }
