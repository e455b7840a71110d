package turnstone

// SetStatus shows a text to others: a client reads it with Describe while the instance runs and after its end, and
// continue-as-new keeps it. It is for people and for progress, and costs no commit of its own: it becomes visible with the
// turn, of which the last one counts. A text that is not valid UTF-8 panics.
func (c *Context) SetStatus(text string) { c.rc.SetStatus(&text) }

// ResetStatus takes the custom status back, as if none had been set.
func (c *Context) ResetStatus() { c.rc.SetStatus(nil) }

// Status returns the custom status as this instance last set it, in this execution or in one before; ok is false if there is
// none.
func (c *Context) Status() (text string, ok bool) {
	s := c.rc.Status()
	if s == nil {
		return "", false
	}
	return *s, true
}
