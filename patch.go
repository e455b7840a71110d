package turnstone

// Patched reports whether this execution takes the new way of a change that the code makes under this id:
//
//	if ctx.Patched("check-first") {
//		// as it is from now on
//	} else {
//		// as it was
//	}
//
// The first call for an id decides for the rest of the execution. It is true if the code comes here for the first time, and
// then the turn records a marker; it is true again wherever the history has the marker; and it is false where the code
// repeats what it did before it knew the id. So running executions end in the way that they took, and new ones, and those
// that have not come so far, take the new one. Markers cost no turn. A continued execution decides anew.
//
// An id belongs to one change for good: never use it for another one.
func (c *Context) Patched(id string) bool { return c.rc.Patched(id) }

// DeprecatePatch is the second stage of a change: when no running execution takes the old way any more, call it where
// [Context.Patched] was, and delete the old way. It records the marker like Patched, so the version of the code that has
// both ways can still be rolled back to. When no running execution has the marker any more, delete the call.
func (c *Context) DeprecatePatch(id string) { c.rc.DeprecatePatch(id) }
