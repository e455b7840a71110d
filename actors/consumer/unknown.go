package consumer

import "sync"

// UnknownNames records which unregistered names and which changed inputs were logged, so that each is logged only once in a
// while, and not for each instance or activity. The zero value is ready; it is safe for concurrent use.
type UnknownNames struct {
	mu       sync.Mutex
	loggedAt map[string]int64
}

const unknownNamesMax = 1000

// IsNew reports whether a name is to be logged now. now is elapsed time; everyMs is how long a name is not logged again.
func (u *UnknownNames) IsNew(now int64, name string, everyMs int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, there := u.loggedAt[name]; there && now < at+everyMs {
		return false
	}
	if u.loggedAt == nil || len(u.loggedAt) >= unknownNamesMax {
		u.loggedAt = map[string]int64{}
	}
	u.loggedAt[name] = now
	return true
}
