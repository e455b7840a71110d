package failure

import turnpb "github.com/turnstone-dev/turnstone/proto"

// The kinds that the errors of timeouts have for who is not told the timeout itself: a client, or a parent of the orchestration
// that returns the error.
const (
	StartToClose    = "StartToCloseTimeout"
	ScheduleToStart = "ScheduleToStartTimeout"
	ScheduleToClose = "ScheduleToCloseTimeout"
	Heartbeat       = "HeartbeatTimeout"
)

// TimeoutName is the kind of the errors of a timeout; empty if no timeout is meant.
func TimeoutName(kind turnpb.TimeoutKind) string {
	switch kind {
	case turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE:
		return StartToClose
	case turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START:
		return ScheduleToStart
	case turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE:
		return ScheduleToClose
	case turnpb.TimeoutKind_TIMEOUT_KIND_HEARTBEAT:
		return Heartbeat
	default:
		return ""
	}
}

// ActivityTimeout makes the failure of an activity that a timeout of its call ended. Another attempt may help if the code took too
// long or fell silent; it does not if no worker came or if all the time of the call is over.
func ActivityTimeout(kind turnpb.TimeoutKind, message string) *turnpb.Failure {
	return application(&turnpb.ApplicationFailure{
		Kind:      turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED,
		Message:   Clean(message),
		ErrorKind: TimeoutName(kind),
		NonRetryable: kind == turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START ||
			kind == turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE,
	})
}
