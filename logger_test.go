package turnstone_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// said runs an activity of a registry and returns its error.
func said(t *testing.T, r *turnstone.Registry, name, input string) error {
	t.Helper()
	run, ok := registries.Activity(r, name)
	if !ok {
		t.Fatalf("no activity %s", name)
	}
	_, err := run(context.Background(), turnstone.ActivityInfo{Name: name, Instance: "i"}, nil, []byte(input))
	return err
}

func TestLoggingTo(t *testing.T) {
	speak := turnstone.NewActivity("Speak", func(ctx turnstone.ActivityContext, text string) (string, error) {
		ctx.Logger().Info(text)
		return "", nil
	})
	text := func(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
	var own, first, second bytes.Buffer
	plain := turnstone.NewRegistry(turnstone.WithCodec(turnstone.JSON), turnstone.WithLogger(nil))
	a, b := registries.LoggingTo(plain, text(&first)), registries.LoggingTo(plain, text(&second))
	if err := a.Register(speak); err != nil { // what is registered with one is in all
		t.Fatal(err)
	}
	for name, r := range map[string]*turnstone.Registry{"to-first": a, "to-second": b, "to-second-again": registries.LoggingTo(a, text(&second))} {
		if err := said(t, r, "Speak", `"`+name+`"`); err != nil {
			t.Error(err)
		}
	}
	if err := b.Register(speak); err == nil {
		t.Error("it was registered twice")
	}
	if got := first.String(); !strings.Contains(got, "to-first") || strings.Contains(got, "to-second") {
		t.Errorf("the first has\n%s", got)
	}
	if got := second.String(); !strings.Contains(got, "msg=to-second ") || !strings.Contains(got, "to-second-again") || strings.Contains(got, "to-first") {
		t.Errorf("the second has\n%s", got)
	}
	with := turnstone.NewRegistry(turnstone.WithLogger(text(&own)))
	if err := with.Register(speak); err != nil {
		t.Fatal(err)
	}
	second.Reset()
	if err := said(t, registries.LoggingTo(with, text(&second)), "Speak", `"to-own"`); err != nil {
		t.Error(err)
	}
	if !strings.Contains(own.String(), "to-own") || second.Len() != 0 {
		t.Errorf("a registry's own logger has\n%sthe host's\n%s", own.String(), second.String())
	}
}

// What is logged of a panic or a failed attempt is short, however long its text is. What is recorded is the whole text.
func TestLoggedTextsAreCut(t *testing.T) {
	const huge = 20_000_000
	var log bytes.Buffer
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	long := strings.Repeat("€", huge/3)
	explode := turnstone.NewActivity("Explode", func(turnstone.ActivityContext, int) (int, error) { panic("begins so " + long) })
	fail := turnstone.NewActivity("Fail", func(turnstone.ActivityContext, int) (int, error) {
		return 0, &turnstone.Error{Kind: "K", Message: "fails so " + long}
	})
	d := newDriver(t)
	d.registry = r
	if err := r.Register(explode, fail, orchestration(func(ctx *turnstone.Context) (int, error) {
		return fail.Call(ctx, 0, turnstone.WithRetry(turnstone.NewRetryPolicy(2)))
	})); err != nil {
		t.Fatal(err)
	}
	if err := said(t, r, "Explode", "0"); err == nil || len(err.Error()) < len(long) {
		t.Errorf("the error is %.100v", err)
	}
	if got := log.String(); !strings.Contains(got, "begins so €") || !strings.Contains(got, "bytes)") ||
		!strings.Contains(got, "logger_test.go") || log.Len() > 20_000 {
		t.Errorf("%d bytes are logged of the panic: %.300s", log.Len(), got)
	}
	log.Reset()
	if out := d.run("O", "i", struct{}{}); out.failure == nil || len(out.failure.Error()) < len(long) {
		t.Errorf("the failure is %.100v", out.failure)
	}
	if got := log.String(); !strings.Contains(got, "fails so €") || log.Len() > 20_000 {
		t.Errorf("%d bytes are logged of the failed attempt: %.300s", log.Len(), got)
	}
}
