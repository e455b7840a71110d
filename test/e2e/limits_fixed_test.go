package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// warned checks how often the node has warned of a long history.
func warned(w *world, times int) {
	w.t.Helper()
	if n := strings.Count(w.log.String(), "history grows long"); n != times {
		w.t.Errorf("the log warns %d times, want %d", n, times)
	}
}

func entriesOfAWarning(w *world, limit int) {
	w.cfg.Limits.HistoryEventsWarn = limit
	o := num(func(ctx octx, n int) error {
		for range n - 2 { // beside the start and the timer
			ctx.WaitEvent("never")
		}
		ctx.Sleep(0)
		ctx.Sleep(0)
		return nil
	})
	w.open(o)
	for i, n := range []int{limit - 3, limit - 2, limit - 1} { // the second turn adds two
		id := fmt.Sprint("i", i)
		begin(w, o, id, n)
		completes(w, id, "ok")
		warned(w, max(0, i-1))
	}
}

func bytesOfAWarning(w *world, limit int) {
	w.cfg.Limits.HistoryBytesWarn = limit
	o := num(func(ctx octx, n int) error {
		ctx.SideEffect(func() []byte { return fill(n) })
		return ctx.WaitEvent("go").Err()
	})
	w.open(o)
	bytes := func(id string, n int) int {
		begin(w, o, id, n)
		w.untilRunning(id)
		return w.describe(id).HistoryBytes
	}
	beside := bytes("one", limit/2) - limit/2
	for i, n := range []int{limit - 1, limit, limit + 1} {
		if all := bytes(fmt.Sprint("at", i), n-beside); all != n {
			w.t.Errorf("the history has %d bytes, want %d", all, n)
		}
		warned(w, max(0, i-1))
	}
}

// registered256 checks what a registry says of handlers whose names or versions have a length.
func registered256(w *world, n, limit int, what string, handlers ...turnstone.Handler) {
	w.t.Helper()
	r := turnstone.NewRegistry()
	err := r.Register(append(handlers, named("Good"))...)
	if n <= limit {
		if err != nil {
			w.t.Errorf("%d of %d: %v", n, limit, err)
		}
		return
	}
	var over *turnstone.LimitError
	if !errors.Is(err, turnstone.ErrInvalidInput) || !errors.As(err, &over) || *over != (turnstone.LimitError{Limit: what, Size: n, Max: limit}) {
		w.t.Errorf("%d of %d: %v", n, limit, err)
	}
	if names := r.Orchestrations(); len(names) != 1 || len(r.Activities()) != 0 {
		w.t.Errorf("one above: %v and %v are registered", names, r.Activities())
	}
}

func nameRegistered(w *world, limit int) {
	w.verified = true
	w.open()
	for n := limit - 1; n <= limit+1; n++ {
		registered256(w, n, limit, "orchestration name bytes", named(long(n)))
		registered256(w, n, limit, "activity name bytes",
			turnstone.NewActivity(long(n), func(actx, turnstone.Raw) (turnstone.Raw, error) { return nil, nil }))
	}
}

func versionRegistered(w *world, limit int) {
	w.verified = true
	w.open()
	for n := limit - 1; n <= limit+1; n++ {
		registered256(w, n, limit, "version bytes", named("Versioned", turnstone.WithVersion(versionOf(n))))
	}
}

func versionNamed(w *world, limit int) {
	o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
		_, err := ctx.CallChild("Versioned", nil, turnstone.WithVersion(versionOf(n)))
		var over *turnstone.LimitError
		if errors.As(err, &over) && *over == (turnstone.LimitError{Limit: "version bytes", Size: n, Max: limit}) {
			return "refused", nil
		}
		return "ok", err
	})
	w.open(o, named("Versioned", turnstone.WithVersion(versionOf(limit-1))), named("Versioned", turnstone.WithVersion(versionOf(limit))))
	for n := limit - 1; n <= limit+1; n++ {
		id, want := fmt.Sprint("i", n), "ok"
		if n > limit {
			want = "refused"
		}
		begin(w, o, id, n)
		completes(w, id, want)
		if children := w.history(id, 0).count("SubOrchestrationScheduled"); (children == 1) != (n <= limit) {
			w.t.Errorf("%d of %d: %d children", n, limit, children)
		}
	}
}

func pageOfAListing(w *world, limit int) {
	w.cfg.TurnSlots, w.verified = -1, true
	w.open(waiting)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i <= limit; i += 8 {
				if _, err := w.c.Start(w.ctx, fmt.Sprint("i", i), "Waiting", []byte(`""`)); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for asked, want := range map[int]int{0: 100, limit - 1: limit - 1, limit: limit, limit + 1: limit, 10 * limit: limit} {
		page, err := w.c.List(w.ctx, client.ListRequest{Max: asked})
		if err != nil || len(page.Instances) != want || page.Next == "" {
			w.t.Errorf("a page of %d has %d, %v, want %d", asked, len(page.Instances), err, want)
		}
		rest, err := w.c.List(w.ctx, client.ListRequest{Max: asked, Cursor: page.Next})
		if left := min(want, limit+1-want); err != nil || len(rest.Instances) != left {
			w.t.Errorf("the page behind it has %d, %v, want %d", len(rest.Instances), err, left)
		}
	}
}

func valuesOfATurn(w *world, limit int) {
	o := num(func(ctx octx, n int) error {
		for range n {
			ctx.NewGUID()
		}
		return nil
	})
	w.open(o)
	for n := limit - 1; n <= limit; n++ {
		id := fmt.Sprint("i", n)
		begin(w, o, id, n)
		completes(w, id, "ok")
	}
	begin(w, o, "above", limit+1)
	f := w.failure("above")
	if f.Category != turnstone.CategoryInfrastructure || f.Retryable || !strings.Contains(f.Error(), "quiescence_loop") || !strings.Contains(f.Error(), fmt.Sprint(limit)) {
		w.t.Errorf("one above: %+v, %v", f, f)
	}
}

// activeInstances has one turn run and others wait for its slot: all of them are active.
func activeInstances(w *world, limit int) {
	w.cfg.InstancesMax, w.cfg.TurnSlots, w.reopened = limit, 1, true
	w.cfg.WatchdogAbandon = time.Minute
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := text("Slow", func(octx, string) (string, error) {
		once.Do(func() { close(begun) })
		<-goOn
		return "ok", nil
	})
	w.open(slow, named("Named"))
	done := make(chan error, 1)
	go func() {
		_, err := client.Start(w.ctx, w.c, "i1", slow, "")
		done <- err
	}()
	<-begun
	for n := 2; n <= limit; n++ {
		if _, err := w.c.Start(w.ctx, fmt.Sprint("i", n), "Named", nil); err != nil {
			w.t.Errorf("instance %d of %d: %v", n, limit, err)
		}
	}
	_, err := w.c.Start(w.ctx, "above", "Named", nil)
	if !errors.Is(err, turnstone.ErrBusy) {
		w.t.Errorf("one above: %v", err)
	}
	if _, err := w.c.Describe(w.ctx, "above"); !errors.Is(err, turnstone.ErrInstanceNotFound) {
		w.t.Errorf("one above has been written: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		w.t.Error(err)
	}
	for n := 1; n <= limit; n++ {
		if end := w.end(fmt.Sprint("i", n)); end.Failure != nil {
			w.t.Error(end.Failure)
		}
	}
	w.until("there is room", func() bool {
		_, err = w.c.Start(w.ctx, "above", "Named", nil)
		return !errors.Is(err, turnstone.ErrBusy)
	})
	if err != nil {
		w.t.Error(err)
	}
	w.end("above")
}
