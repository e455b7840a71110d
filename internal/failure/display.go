package failure

import (
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Category names the category of a failure: infrastructure, configuration, application or poison; "unknown" for a
// failure in which none is set.
func Category(f *turnpb.Failure) string {
	switch f.GetCategory().(type) {
	case *turnpb.Failure_Infrastructure:
		return "infrastructure"
	case *turnpb.Failure_Configuration:
		return "configuration"
	case *turnpb.Failure_Application:
		return "application"
	case *turnpb.Failure_Poison:
		return "poison"
	default:
		return "unknown"
	}
}

// Display is the text of a failure as users match on it. It never changes for a given failure.
func Display(f *turnpb.Failure) string {
	switch c := f.GetCategory().(type) {
	case *turnpb.Failure_Infrastructure:
		return "infrastructure:" + c.Infrastructure.GetOperation() + ": " + c.Infrastructure.GetMessage()
	case *turnpb.Failure_Configuration:
		if c.Configuration.GetKind() == turnpb.ConfigurationKind_CONFIGURATION_KIND_UNDECODABLE {
			return c.Configuration.GetMessage()
		}
		if m := c.Configuration.GetMessage(); m != "" {
			return "nondeterministic: " + m
		}
		return "nondeterministic in " + c.Configuration.GetResource()
	case *turnpb.Failure_Application:
		return displayApplication(c.Application)
	case *turnpb.Failure_Poison:
		return displayPoison(c.Poison)
	default:
		return "unknown failure"
	}
}

func displayApplication(a *turnpb.ApplicationFailure) string {
	switch a.GetKind() {
	case turnpb.ApplicationKind_APPLICATION_KIND_PANICKED:
		return "orchestration panicked: " + a.GetMessage()
	case turnpb.ApplicationKind_APPLICATION_KIND_CANCELLED:
		return "canceled: " + a.GetReason()
	case turnpb.ApplicationKind_APPLICATION_KIND_TERMINATED:
		return "terminated: " + a.GetReason()
	case turnpb.ApplicationKind_APPLICATION_KIND_TIMED_OUT:
		return "execution timed out: " + a.GetMessage()
	default:
		return a.GetMessage()
	}
}

func displayPoison(p *turnpb.PoisonFailure) string {
	switch p.GetTarget() {
	case turnpb.PoisonTarget_POISON_TARGET_ACTIVITY:
		return fmt.Sprintf("poison: activity %s#%d exceeded %d attempts (max %d)",
			p.GetActivityName(), p.GetActivityId(), p.GetAttempts(), p.GetAttemptsMax())
	case turnpb.PoisonTarget_POISON_TARGET_UNREADABLE_HISTORY:
		return fmt.Sprintf("poison: orchestration %s history deserialization failed after %d attempts (max %d): %s",
			p.GetInstance(), p.GetAttempts(), p.GetAttemptsMax(), p.GetMessage())
	default:
		return fmt.Sprintf("poison: orchestration %s exceeded %d attempts (max %d)",
			p.GetInstance(), p.GetAttempts(), p.GetAttemptsMax())
	}
}
