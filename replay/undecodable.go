package replay

import (
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Value is a recorded value that code decodes.
type Value struct {
	// What names it, for example "the result of activity Charge".
	What string
	// Type is what the code takes it for, and Codec what it decodes it with.
	Type, Codec string
	Data        []byte
}

// Undecodable ends the turn because code cannot decode a value that fits no other code: see [Decision.Divergence]. event is
// the event that has the value. It does not return.
func (c *Context) Undecodable(event uint64, v Value, err error) {
	c.m.enter(c.co)
	c.m.undecodable(c.co, event, &v, err)
}

// Undecodable is the same for the value of a future.
func (f *Future) Undecodable(v Value, err error) {
	co := f.enter()
	f.m.undecodable(co, f.event, &v, err)
}

// Decoded is told how the decoding of a value went that may come from elsewhere, and gives the error for the code: that one,
// which the turn records, when code reads the value for the first time; on replay the recorded one. A value that code could
// decode when it read it for the first time and cannot on replay ends the turn as Undecodable does.
// A query is given err as it is, and nothing is recorded.
func (c *Context) Decoded(v Value, err error) error {
	if c.m.querying() != nil {
		return err
	}
	c.m.enter(c.co)
	return c.m.decoded(c.co, 0, &v, err)
}

// Decoded is the same for the value of a future. It ends a query that is the first to read a value which cannot be decoded:
// only the code may be told so.
func (f *Future) Decoded(v Value, err error) error {
	if co := f.m.querying(); co != nil && err == nil {
		return nil
	}
	co := f.enter()
	return f.m.decoded(co, f.event, &v, err)
}

// Recalls reports whether Decoded may give an error for a value that was decoded.
func (c *Context) Recalls() bool { c.m.look(c.co); return len(c.m.header.GetUndecoded()) > 0 }

// Recalls is the same for futures.
func (f *Future) Recalls() bool { f.look(); return len(f.m.header.GetUndecoded()) > 0 }

func (m *Machine) decoded(co *coroutine, event uint64, v *Value, err error) error {
	if m.fresh && !m.verifying {
		if err != nil {
			m.recordUndecoded(event, v, err)
		}
		return err
	}
	recorded := findUndecoded(m.header.GetUndecoded(), newUndecoded(event, v))
	switch {
	case recorded == nil && err != nil:
		m.undecodable(co, event, v, err)
	case recorded != nil && (err == nil || cutText(err.Error()) != recorded.GetProblem()):
		return errors.New(recorded.GetProblem())
	}
	return err
}

func (m *Machine) undecodable(co *coroutine, event uint64, v *Value, err error) {
	text := "cannot decode " + v.What
	if event != 0 {
		text += ", event " + strconv.FormatUint(event, 10)
	}
	text += ", as " + cutText(v.Type) + " with the codec " + brief(v.Codec)
	if at := outerSite(); at != nil {
		text += " at " + at.text
	}
	m.failTurn(failure.Undecodable(v.What, text+": "+cutText(err.Error())+
		": the recorded value stays as it is; run code whose type and codec read it"))
	co.exit()
}

// recordUndecoded notes, once, what this turn told the code.
func (m *Machine) recordUndecoded(event uint64, v *Value, err error) {
	u := newUndecoded(event, v)
	if findUndecoded(m.d.Undecoded, u) != nil {
		return
	}
	u.Problem, u.Site = cutText(err.Error()), siteNobody.text
	if at := outerSite(); at != nil {
		u.Site = at.text
	}
	m.d.Undecoded = append(m.d.Undecoded, u)
}

func newUndecoded(event uint64, v *Value) *turnpb.UndecodedValue {
	h := fnv.New64a()
	h.Write(v.Data)
	return &turnpb.UndecodedValue{Event: event, What: v.What, Type: cutText(v.Type), Hash: h.Sum64()}
}

// findUndecoded finds the note of a value. A future's value is decoded once, so its event is enough: its type may have
// another name by now.
func findUndecoded(all []*turnpb.UndecodedValue, u *turnpb.UndecodedValue) *turnpb.UndecodedValue {
	i := slices.IndexFunc(all, func(o *turnpb.UndecodedValue) bool {
		if u.GetEvent() != 0 || o.GetEvent() != 0 {
			return o.GetEvent() == u.GetEvent()
		}
		return o.GetHash() == u.GetHash() && o.GetType() == u.GetType() && o.GetWhat() == u.GetWhat()
	})
	if i < 0 {
		return nil
	}
	return all[i]
}

// textMax is how much of a type's name and of a codec's error is recorded.
const textMax = 256

// cutText makes a text one that can be recorded.
func cutText(s string) string {
	if len(s) > textMax {
		cut := textMax
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return failure.Clean(s)
}
