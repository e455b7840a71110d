package limits

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDefaultsFillEveryFieldThatIsZero(t *testing.T) {
	v := reflect.ValueOf(Default())
	for i := range v.NumField() {
		if v.Field(i).Int() <= 0 {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
	custom := Limits{PayloadBytes: 7, Inbox: 8}.WithDefaults()
	if custom.PayloadBytes != 7 || custom.Inbox != 8 {
		t.Errorf("WithDefaults replaced values that were set: %+v", custom)
	}
	if custom.NameBytes != Default().NameBytes {
		t.Errorf("WithDefaults left NameBytes at %d", custom.NameBytes)
	}
}

// An id that a caller may give must also be one under which the instance is reached, and a key of the store holds it.
func TestADerivedIDMayBeAsLongAsAnID(t *testing.T) {
	for _, c := range []struct {
		given   Limits
		derived int
		says    string
	}{
		{Limits{}, 1024, ""}, {Limits{IDBytes: 1023}, 1024, ""}, {Limits{IDBytes: 1024}, 1024, ""}, {Limits{IDBytes: 1025}, 1025, ""},
		{Limits{IDBytes: 64, DerivedIDBytes: 64}, 64, ""}, {Limits{IDBytes: 64, DerivedIDBytes: 65}, 65, ""},
		{Limits{IDBytes: 64, DerivedIDBytes: 63}, 63, "DerivedIDBytes is 63; it cannot be less than IDBytes, which is 64"},
		{Limits{IDBytes: KeyBytesMax - 1}, KeyBytesMax - 1, ""}, {Limits{IDBytes: KeyBytesMax}, KeyBytesMax, ""},
		{Limits{IDBytes: KeyBytesMax + 1}, KeyBytesMax + 1, "IDBytes is 65536; it cannot be more than 65535"},
		{Limits{DerivedIDBytes: KeyBytesMax + 1}, KeyBytesMax + 1, "DerivedIDBytes is 65536; it cannot be more than 65535"},
		{Limits{RequestKeyBytes: KeyBytesMax + 1}, 1024, "RequestKeyBytes is 65536; it cannot be more than 65535"},
		{Limits{RequestKeyBytes: KeyBytesMax}, 1024, ""},
		{Limits{DerivedIDBytes: 255}, 255, "DerivedIDBytes is 255; it cannot be less than IDBytes, which is 256"},
	} {
		if got := c.given.WithDefaults().DerivedIDBytes; got != c.derived {
			t.Errorf("%+v: DerivedIDBytes %d, want %d", c.given, got, c.derived)
		}
		if err := c.given.Validate(); (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.given, err, c.says)
		}
	}
}

func TestCheckAllowsTheLimitAndRefusesOneMore(t *testing.T) {
	for _, size := range []int{0, 9, 10} {
		if err := Check("input bytes", size, 10, "PayloadBytes"); err != nil {
			t.Errorf("size %d of 10 is refused: %v", size, err)
		}
	}
	err := Check("input bytes", 11, 10, "PayloadBytes")
	var limit *Error
	if !errors.As(err, &limit) || limit.Limit != "input bytes" || limit.Size != 11 || limit.Max != 10 || limit.Field != "PayloadBytes" {
		t.Fatalf("size 11 of 10 gives %v", err)
	}
	for field, want := range map[string]string{
		"PayloadBytes":  "limit exceeded: x is 2, the limit is 1; make it smaller, or raise Config.Limits.PayloadBytes",
		"TurnBytes":     "limit exceeded: x is 2, the limit is 1; ask for less in one turn, or raise Config.Limits.TurnBytes",
		"HistoryEvents": "limit exceeded: x is 2, the limit is 1; continue as new sooner, or raise Config.Limits.HistoryEvents",
		"":              "limit exceeded: x is 2, the limit is 1; make it smaller",
	} {
		if err := Check("x", 2, 1, field); err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestCheckIDRefusesWhatCannotBeAnID(t *testing.T) {
	for _, id := range []string{"a", "order-7", "a b", "ключ", "../x", "%2e", strings.Repeat("x", 256), strings.Repeat("é", 128)} {
		if err := CheckID("instance id", id, 256, "IDBytes"); err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
	}
	for _, c := range []struct{ id, says string }{
		{"", "is empty"},
		{"a\x00b", "control character at byte 1"},
		{"line\n", "control character at byte 4"},
		{"é\u0085", "control character at byte 2"},
		{"\x7f", "control character at byte 0"},
		{"a\xff", "not valid UTF-8"},
	} {
		err := CheckID("instance id", c.id, 256, "IDBytes")
		var bad *IDError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "instance id") {
			t.Errorf("%q gives %v, want an IDError that says %q", c.id, err, c.says)
		}
	}
	var limit *Error
	if err := CheckID("event name", strings.Repeat("x", 257), 256, "IDBytes"); !errors.As(err, &limit) || limit.Size != 257 || limit.Limit != "event name bytes" || limit.Field != "IDBytes" {
		t.Errorf("an id of 257 bytes gives %v", err)
	}
}

func TestUndoStepsHaveAQuarterMoreOfHistory(t *testing.T) {
	l := Limits{HistoryEvents: 40, HistoryBytes: 1000, TurnBytes: 7}.InCleanup()
	if l != (Limits{HistoryEvents: 50, HistoryBytes: 1250, TurnBytes: 7}) {
		t.Errorf("%+v", l)
	}
}
