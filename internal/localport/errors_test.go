package localport

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the engine and the journal refuse gets a code, and keeps its cause for who looks into it in this process.
func TestErrorsOfAnswers(t *testing.T) {
	disk := errors.New("the disk is gone")
	for _, c := range []struct {
		inner error
		code  api.Code
		says  string
	}{
		{persistence.ErrAlreadyExists, api.AlreadyExists, turnstone.ErrAlreadyExists.Error()},
		{persistence.ErrNotFound, api.NotFound, turnstone.ErrInstanceNotFound.Error()},
		{persistence.ErrEnded, api.Ended, turnstone.ErrInstanceEnded.Error()},
		{persistence.ErrKeyReused, api.KeyReused, turnstone.ErrRequestKeyReused.Error()},
		{persistence.ErrBusy, api.Busy, turnstone.ErrBusy.Error()},
		{persistence.ErrNotLeader, api.Busy, turnstone.ErrBusy.Error()},
		{fmt.Errorf("%w: %w", persistence.ErrNotLeader, persistence.ErrStopped), api.Stopped, turnstone.ErrStopped.Error()},
		{fmt.Errorf("%w: %w", persistence.ErrUncertain, persistence.ErrStopped), api.Uncertain, "the disk is gone"},
		{persistence.ErrCorrupt, api.Damaged, "the disk is gone"},
		{persistence.ErrStopped, api.Stopped, "the disk is gone"},
		{errors.New("what nothing names"), api.Internal, "what nothing names: the disk is gone"},
	} {
		err := fmt.Errorf("%w: %w", c.inner, disk)
		var got *api.Error
		if !errors.As(about("i", err), &got) || got.Code != c.code || !errors.Is(got, c.inner) || !errors.Is(got, disk) ||
			!strings.HasPrefix(got.Message, `instance "i": `) || !strings.Contains(got.Message, c.says) {
			t.Errorf("%v became %v: %v", err, got.Code, got)
		}
	}
	if err := about("i", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func TestRefusalsOfRequests(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want api.Error
	}{
		"a limit":   {limits.Check("input bytes", 3, 2, "PayloadBytes"), api.Error{Code: api.LimitExceeded, Subject: "input bytes", Size: 3, Max: 2, Field: "PayloadBytes"}},
		"an id":     {limits.CheckID("instance id", "", 2, "IDBytes"), api.Error{Code: api.Invalid}},
		"a version": {optionalVersion("1.0", 9, "NameBytes"), api.Error{Code: api.InvalidVersion, Subject: "1.0"}},
		"a long version": {
			optionalVersion(strings.Repeat("1", 300), 1000, "NameBytes"),
			api.Error{Code: api.LimitExceeded, Subject: "version bytes", Size: 300, Max: limits.Default().NameBytes},
		},
	} {
		var got *api.Error
		if !errors.As(firstError(nil, c.err), &got) || got.Message == "" {
			t.Errorf("%s: %v", name, got)
			continue
		}
		got.Message = ""
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
	if err := firstError(nil, nil); err != nil {
		t.Errorf("nothing refused: %v", err)
	}
}
