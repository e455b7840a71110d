package api_test

import (
	"errors"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/client/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every request and answer of the port is plain data: it can be encoded, and what is decoded is equal.
func TestRequestsAndAnswersAreData(t *testing.T) {
	port := reflect.TypeFor[api.Port]()
	for i := range port.NumMethod() {
		m := port.Method(i)
		switch m.Name {
		case "Stopped", "Cause": // no request
			continue
		}
		if m.Type.NumIn() != 2 || m.Type.In(0).Kind() != reflect.Struct || m.Type.In(1).Kind() != reflect.Func {
			t.Errorf("%s takes no request and a function for its answer: %v", m.Name, m.Type)
			continue
		}
		plain(t, m.Name+"'s request", m.Type.In(0))
		done := m.Type.In(1)
		for i := range done.NumIn() {
			if i < done.NumIn()-1 {
				plain(t, m.Name+"'s answer", done.In(i))
			} else if done.In(i) != reflect.TypeFor[error]() {
				t.Errorf("%s's answer has no error: %v", m.Name, done)
			}
		}
	}
	plain(t, "an error", reflect.TypeFor[api.Error]())
}

// plain finds what cannot be encoded, or not by every encoding.
func plain(t *testing.T, where string, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint64, reflect.String:
	case reflect.Slice, reflect.Pointer:
		plain(t, where, typ.Elem())
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() {
				t.Errorf("%s: %v.%s is not exported", where, typ, f.Name)
			}
			if f.Type == reflect.TypeFor[error]() { // the cause of an error stays where it is
				continue
			}
			plain(t, where+", "+f.Name, f.Type)
		}
	default:
		t.Errorf("%s is a %v", where, typ)
	}
}

func TestErrorsSayTheirCode(t *testing.T) {
	names := map[string]bool{}
	for c := range api.Codes {
		names[c.String()] = true
	}
	if len(names) != int(api.Codes) || names[""] || api.Codes.String() != "Code(20)" {
		t.Errorf("the codes are called %v, and the one above them %v", names, api.Codes)
	}
	cause := errors.New("the disk is gone")
	if err := error(&api.Error{Code: api.Stopped, Message: "stopped", Cause: cause}); err.Error() != "stopped" || !errors.Is(err, cause) {
		t.Errorf("the error is %v", err)
	}
}
