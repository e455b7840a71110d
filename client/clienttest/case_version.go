package clienttest

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/localport"
)

func (s suite) F36_a_start_refuses_what_is_no_version(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	for _, text := range []string{"", "1.0", "x", "v1.0.0", "1.0.0.0"} {
		for where, err := range map[string]error{
			"Client.Start": second(w.c.Start(t.Context(), "i", "O", nil, client.WithVersion(text))),
			"Start": func() error {
				_, err := client.Start(t.Context(), w.c, "i", echo, 1, client.WithVersion(text))
				return err
			}(),
			"a handle": func() error {
				bad := turnstone.NewOrchestration("O", func(*turnstone.Context, int) (int, error) { return 0, nil },
					turnstone.WithVersion(text))
				_, err := client.Start(t.Context(), w.c, "i", bad, 1)
				return err
			}(),
		} {
			var v *turnstone.VersionError
			if !errors.As(err, &v) || v.Text != text || !errors.Is(err, turnstone.ErrInvalidInput) {
				t.Errorf("%s of version %q: %v", where, text, err)
			}
		}
	}
	_, started := w.c.Start(t.Context(), "i", "O", nil, client.WithRequestKey(""))
	for where, err := range map[string]error{
		"a start":  started,
		"an event": w.c.Raise(t.Context(), "i", "e", nil, client.WithRequestKey("")),
		"a cancel": w.c.Cancel(t.Context(), "i", "", client.WithRequestKey("")),
	} {
		if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "the request key is empty") {
			t.Errorf("%s with an empty request key: %v", where, err)
		}
	}
	if w.started+len(w.delivers) != 0 {
		t.Errorf("%d starts were asked for", w.started)
	}
}

func (s suite) F34_a_typed_handle_with_a_version_starts_it(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	run := func(*turnstone.Context, int) (int, error) { return 0, nil }
	none := turnstone.NewOrchestration("O", run)
	first := turnstone.NewOrchestration("O", run, turnstone.WithVersion("0.0.0"))
	for id, start := range map[string]func(id string) error{
		"":      func(id string) error { _, err := client.Start(t.Context(), w.c, id+"none", none, 1); return err },
		"0.0.0": func(id string) error { _, err := client.Start(t.Context(), w.c, id, first, 1); return err },
		"2.0.0": func(id string) error {
			_, err := client.Start(t.Context(), w.c, id, first, 1, client.WithVersion("2.0.0"))
			return err
		},
	} {
		if err := start(id); err != nil {
			t.Fatal(err)
		}
		if id == "" {
			id = "none"
		}
		d, err := w.c.Describe(t.Context(), id)
		if err != nil || d.Version != id && id != "none" || id == "none" && d.Version != "" {
			t.Errorf("%s was started as %q, %v", id, d.Version, err)
		}
	}
}
