// Package limits holds every limit of Turnstone, in one place, and the checks that enforce them before anything is
// written. A node is given its [Limits] in node.Config; fields that are left out have their defaults:
//
//	node.Config{Dir: dir, Limits: limits.Limits{Inbox: 3}}
//
// A limit's own value is allowed, and one more is refused. A client and the author's code find a turnstone.LimitError then,
// or turnstone.ErrBusy of an inbox; inside of the engine it is an [Error], or an [IDError] of an id.
//
// It must not know who asks.
package limits

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Limits are all options; the zero value of a field means its default.
type Limits struct {
	// NameBytes bounds orchestration and activity names. Default 256.
	NameBytes int
	// IDBytes bounds instance ids given by callers, session ids, tags, KV keys and event names. At most [KeyBytesMax], and so
	// are DerivedIDBytes and RequestKeyBytes. Default 256.
	IDBytes int
	// DerivedIDBytes bounds the ids that the engine derives for automatic children, and the ids under which any instance is
	// reached. It is at least IDBytes. Default 1,024, or IDBytes if that is more.
	DerivedIDBytes int
	// PayloadBytes bounds each input, output, event's data and activity result, and what an activity or an orchestration
	// fails with. Default 2 MiB.
	PayloadBytes int
	// TurnBytes bounds one turn: its segment and what it hands to the next execution, each byte counted once. Default
	// 16 MiB.
	TurnBytes int
	// HistoryEventsWarn and HistoryBytesWarn log a warning. Defaults 10,240 and 10 MiB.
	HistoryEventsWarn int
	HistoryBytesWarn  int
	// HistoryEvents and HistoryBytes fail the instance: see [Limits.InCleanup], too. Defaults 51,200 and 50 MiB.
	HistoryEvents int
	HistoryBytes  int
	// Pending bounds an instance's open activities, timers, waits and children together. Default 10,000.
	Pending int
	// Inbox bounds the messages that wait for an instance. Default 10,000.
	Inbox int
	// InboxBytes bounds the bytes of them. Default 64 MiB.
	InboxBytes int
	// Carried and CarriedBytes bound the events and queue messages that an execution holds before a wait takes them, and
	// that continue-as-new carries over, and the bytes of their names and data. What is beyond them waits in the inbox.
	// Defaults 64 and 64 KiB.
	Carried      int
	CarriedBytes int
	// RequestKeyBytes bounds request keys. Default 256.
	RequestKeyBytes int
	// ReasonBytes bounds the reason of a cancel or a termination. Default 4,096.
	ReasonBytes int
	// StatusBytes bounds the custom status; of several in a turn the last one counts. Default 256 KiB.
	StatusBytes int
	// KVKeys bounds the keys of an instance's key-value store at the end of a turn, and KVValueBytes each value. Defaults 100
	// and 16 KiB.
	KVKeys       int
	KVValueBytes int
	// HeartbeatBytes bounds the details of a heartbeat of an activity. Default 64 KiB.
	HeartbeatBytes int
}

// Default has every default.
func Default() Limits { return Limits{}.WithDefaults() }

const derivedIDBytes = 1024

// KeyBytesMax is the most that an id or a request key can have: they are parts of the store's keys, which have two bytes for
// the length of each.
const KeyBytesMax = 1<<16 - 1

// limit is one field.
type limit struct {
	name  string
	field *int
	value int
}

func (l *Limits) all() []limit {
	return []limit{
		{"NameBytes", &l.NameBytes, 256}, {"IDBytes", &l.IDBytes, 256}, {"DerivedIDBytes", &l.DerivedIDBytes, derivedIDBytes}, {"PayloadBytes", &l.PayloadBytes, 2 << 20},
		{"TurnBytes", &l.TurnBytes, 16 << 20}, {"HistoryEventsWarn", &l.HistoryEventsWarn, 10_240}, {"HistoryBytesWarn", &l.HistoryBytesWarn, 10 << 20},
		{"HistoryEvents", &l.HistoryEvents, 51_200}, {"HistoryBytes", &l.HistoryBytes, 50 << 20}, {"Pending", &l.Pending, 10_000}, {"Inbox", &l.Inbox, 10_000},
		{"InboxBytes", &l.InboxBytes, 64 << 20},
		{"Carried", &l.Carried, 64}, {"CarriedBytes", &l.CarriedBytes, 64 << 10}, {"RequestKeyBytes", &l.RequestKeyBytes, 256}, {"ReasonBytes", &l.ReasonBytes, 4096},
		{"StatusBytes", &l.StatusBytes, 256 << 10}, {"KVKeys", &l.KVKeys, 100}, {"KVValueBytes", &l.KVValueBytes, 16 << 10},
		{"HeartbeatBytes", &l.HeartbeatBytes, 64 << 10},
	}
}

// WithDefaults fills in the fields that are 0.
func (l Limits) WithDefaults() Limits {
	if l.DerivedIDBytes == 0 && l.IDBytes > derivedIDBytes {
		l.DerivedIDBytes = l.IDBytes
	}
	for _, f := range l.all() {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// InCleanup returns the limits of an execution whose undo steps run: they have a quarter more of history, so that an
// execution that was ended because its history is too long has room to undo what it has done.
func (l Limits) InCleanup() Limits {
	l.HistoryEvents += l.HistoryEvents / 4
	l.HistoryBytes += l.HistoryBytes / 4
	return l
}

// Validate returns an error that begins with the name of the first field that is negative, or does not fit to another one.
func (l Limits) Validate() error {
	for _, f := range l.all() {
		if *f.field < 0 {
			return fmt.Errorf("%s is %d; it cannot be negative (0 means the default, %d)", f.name, *f.field, f.value)
		}
	}
	for _, f := range []limit{
		{"IDBytes", &l.IDBytes, 0}, {"DerivedIDBytes", &l.DerivedIDBytes, 0}, {"RequestKeyBytes", &l.RequestKeyBytes, 0},
	} {
		if *f.field > KeyBytesMax {
			return fmt.Errorf("%s is %d; it cannot be more than %d, the most that a key of the store holds", f.name, *f.field, KeyBytesMax)
		}
	}
	if r := l.WithDefaults(); r.DerivedIDBytes < r.IDBytes {
		return fmt.Errorf("DerivedIDBytes is %d; it cannot be less than IDBytes, which is %d, or an instance could be started "+
			"and not be reached", r.DerivedIDBytes, r.IDBytes)
	}
	return nil
}

// Error says which limit would be exceeded and by what.
type Error struct {
	// Limit names the limit, for example "input bytes".
	Limit string
	Size  int
	Max   int
	// Field names the field of Limits that sets it; empty if none does.
	Field string
}

// Error names the limit, the size, the maximum and the field, and says what to do.
func (e *Error) Error() string {
	text := fmt.Sprintf("limit exceeded: %s is %d, the limit is %d; %s", e.Limit, e.Size, e.Max, e.remedy())
	if e.Field == "" {
		return text
	}
	return text + ", or raise Config.Limits." + e.Field
}

func (e *Error) remedy() string {
	switch e.Field {
	case "TurnBytes":
		return "ask for less in one turn"
	case "HistoryEvents", "HistoryBytes":
		return "continue as new sooner"
	default:
		return "make it smaller"
	}
}

// Check refuses a size above max, which is what the field of Limits says. No field: the limit is fixed.
func Check(limit string, size, max int, field string) error {
	if size > max {
		return &Error{Limit: limit, Size: size, Max: max, Field: field}
	}
	return nil
}

// IDError says what is wrong with an id or a name.
type IDError struct {
	// What names the field, for example "instance id".
	What string
	// Problem is a sentence part: "is empty", "is not valid UTF-8", "has a control character at byte 3".
	Problem string
}

// Error names the field and the problem.
func (e *IDError) Error() string { return "invalid " + e.What + ": it " + e.Problem }

// CheckID refuses an id that is empty, longer than max, not valid UTF-8, or has a control character. Every other character
// is allowed. field is as in [Check].
func CheckID(what, id string, max int, field string) error {
	if id == "" {
		return &IDError{What: what, Problem: "is empty"}
	}
	if len(id) > max {
		return &Error{Limit: what + " bytes", Size: len(id), Max: max, Field: field}
	}
	if !utf8.ValidString(id) {
		return &IDError{What: what, Problem: "is not valid UTF-8"}
	}
	for i, r := range id {
		if unicode.IsControl(r) {
			return &IDError{What: what, Problem: fmt.Sprintf("has a control character at byte %d", i)}
		}
	}
	return nil
}
