package turnstone

import "github.com/turnstone-dev/turnstone/internal/seam"

// init offers what nodes and clients need of this package and users do not.
func init() {
	seam.Offer(seam.Registry[*Registry, ActivityInfo]{
		Orchestration: (*Registry).orchestration, Activity: (*Registry).activity, LoggingTo: (*Registry).loggingTo,
		FailsOnNondeterminism: func(r *Registry) bool { return r.env.failOnNondeterminism },
	})
	seam.Offer(seam.Author[Handler, Codec, *Failure]{Pinned: pinned, CheckVersion: checkVersion, Failure: newFailure})
}

// pinned returns the version that the handle of an orchestration was made with, if it was.
func pinned(h Handler) (version string, ok bool) {
	o, ok := h.(orchestrationHandler)
	if !ok {
		return "", false
	}
	return o.pinned()
}
