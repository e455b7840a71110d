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

func TestCheckAllowsTheLimitAndRefusesOneMore(t *testing.T) {
	for _, size := range []int{0, 9, 10} {
		if err := Check("input bytes", size, 10); err != nil {
			t.Errorf("size %d of 10 is refused: %v", size, err)
		}
	}
	err := Check("input bytes", 11, 10)
	var limit *Error
	if !errors.As(err, &limit) || limit.Limit != "input bytes" || limit.Size != 11 || limit.Max != 10 {
		t.Fatalf("size 11 of 10 gives %v", err)
	}
	for _, part := range []string{"input bytes", "11", "10"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func TestCheckIDRefusesWhatCannotBeAnID(t *testing.T) {
	for _, id := range []string{"a", "order-7", "a b", "ключ", "../x", "%2e", strings.Repeat("x", 256), strings.Repeat("é", 128)} {
		if err := CheckID("instance id", id, 256); err != nil {
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
		err := CheckID("instance id", c.id, 256)
		var bad *IDError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "instance id") {
			t.Errorf("%q gives %v, want an IDError that says %q", c.id, err, c.says)
		}
	}
	var limit *Error
	if err := CheckID("event name", strings.Repeat("x", 257), 256); !errors.As(err, &limit) || limit.Size != 257 || limit.Limit != "event name bytes" {
		t.Errorf("an id of 257 bytes gives %v", err)
	}
}
