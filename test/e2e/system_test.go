package e2e

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// systemRow is what a case asks of the system activities, and what its result must be like.
type systemRow struct {
	id    string
	run   func(ctx octx) (string, error)
	check func(w *world, out string)
}

// isGUID reports whether a text is a UUID of version 7.
func isGUID(s string) bool {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil && len(raw) == 16 && len(s) == 36 && raw[6]>>4 == 7 && raw[8]>>6 == 2
}

// after2020 reports whether a time is one that a clock of today shows.
func after2020(at time.Time) bool { return at.After(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) }

func TestSystemActivities(t *testing.T) {
	echo, slow := lasting("Echo", 0, "e:"), lasting("Slow", 200*ms, "s:")
	for _, c := range []systemRow{
		{"SYS_001 two unique ids differ",
			func(ctx octx) (string, error) { return ctx.NewGUID() + " " + ctx.NewGUID(), nil },
			func(w *world, out string) {
				first, second, _ := strings.Cut(out, " ")
				if first == second || !isGUID(first) || !isGUID(second) {
					w.t.Errorf("the ids are %q and %q", first, second)
				}
			}},
		{"SYS_002 the time does not go back over a timer",
			func(ctx octx) (string, error) {
				before := ctx.UTCNow()
				ctx.Sleep(100 * ms)
				after := ctx.UTCNow()
				return fmt.Sprint(after2020(before), after2020(after), after.Sub(before) >= 100*ms, after.Equal(ctx.Now())), nil
			},
			func(w *world, out string) { w.equal(out, "true true true true") }},
		{"SYS_004 unique ids and times work around a race",
			func(ctx octx) (string, error) {
				id, at := ctx.NewGUID(), ctx.UTCNow()
				first, err := won(ctx, echo.Start(ctx, "fast"), slow.Start(ctx, "slow"))
				return fmt.Sprint(isGUID(id), after2020(at), isGUID(ctx.NewGUID()), !ctx.UTCNow().Before(at), " ", first), err
			},
			func(w *world, out string) { w.equal(out, "true true true true 0:e:fast") }},
		{"SYS_005 unique ids and times work before activity and race",
			func(ctx octx) (string, error) {
				id, at := ctx.NewGUID(), ctx.UTCNow()
				a, err := echo.Call(ctx, id)
				if err != nil {
					return "", err
				}
				first, err := won(ctx, echo.Start(ctx, "fast"), slow.Start(ctx, "slow"))
				return fmt.Sprint(a == "e:"+id, after2020(at), " ", first), err
			},
			func(w *world, out string) { w.equal(out, "true true 0:e:fast") }},
		{"SYS_008 a unique id between two activities is recorded between them",
			func(ctx octx) (string, error) {
				if _, err := echo.Call(ctx, "A"); err != nil {
					return "", err
				}
				ctx.NewGUID()
				return echo.Call(ctx, "B")
			},
			func(w *world, _ string) {
				var names []string
				for _, e := range w.history("i", 0) {
					if s := e.GetActivityScheduled(); s != nil {
						names = append(names, s.GetName())
					}
				}
				if want := []string{"Echo", turnstone.ReservedPrefix + "new_guid", "Echo"}; !slices.Equal(names, want) {
					w.t.Errorf("it scheduled %q, want %q", names, want)
				}
			}},
	} {
		scenario(t, c.id, func(w *world) {
			o := text("O", func(ctx octx, _ string) (string, error) { return c.run(ctx) })
			w.open(echo, slow, o)
			begin(w, o, "i", "")
			c.check(w, result[string](w, "i"))
		})
	}
}

// equal compares what an instance gave.
func (w *world) equal(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("it gave %q, want %q", got, want)
	}
}

// TestSystemActivitiesAreRecorded: what one gave it gives again, whatever the clock and the process.
func TestSystemActivitiesAreRecorded(t *testing.T) {
	echo := lasting("Echo", 0, "")
	// twice asks, waits for an event, and gives what it had before and what the code has after the wait.
	twice := func(ask func(ctx octx) string) *orch[string, string] {
		return text("O", func(ctx octx, _ string) (string, error) {
			had := ask(ctx)
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			said, err := echo.Call(ctx, had)
			return had + " " + said, err
		})
	}
	guid := func(ctx octx) string { return ctx.NewGUID() }
	now := func(ctx octx) string { return fmt.Sprint(ctx.UTCNow().UnixMilli()) }
	pair := func(ctx octx) string { return guid(ctx) + "," + guid(ctx) }
	both := func(ctx octx) string { return guid(ctx) + "," + now(ctx) }
	recorded := func(w *world, o *orch[string, string], cut func()) {
		w.open(echo, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		var wrote []string
		for _, e := range w.history("i", 0) {
			if c := e.GetActivityCompleted(); c != nil {
				wrote = append(wrote, string(c.GetResult()))
			}
		}
		cut()
		w.raise("i", "go", "")
		had := strings.Join(wrote, ",")
		completes(w, "i", had+" "+had)
	}
	scenario(t, "SYS_006 the time stays the same when a later turn replays it", func(w *world) {
		recorded(w, twice(now), func() {
			began := time.Now()
			w.until("the clock goes on", func() bool { return time.Since(began) > 200*ms })
		})
	})
	scenario(t, "SYS_007 a unique id stays the same when a later turn replays it", func(w *world) {
		recorded(w, twice(guid), func() {})
	})
	scenario(t, "SYS_003 the time and a unique id stay the same after a restart", func(w *world) {
		recorded(w, twice(both), w.restart)
		ended := result[string](w, "i")
		w.restart()
		completes(w, "i", ended)
	})
	scenario(t, "SYS_009 two unique ids stay the same after a restart", func(w *world) {
		recorded(w, twice(pair), w.restart)
	})
}

func TestSystemActivitiesNeedNoWorker(t *testing.T) {
	six := text("O", func(ctx octx, _ string) (string, error) {
		for range 3 {
			ctx.NewGUID()
			ctx.UTCNow()
		}
		return "ok", nil
	})
	scenario(t, "SYS_010 six system calls work with one slot of each kind", func(w *world) {
		w.cfg.TurnSlots, w.cfg.ActivitySlots = 1, 1
		w.open(six)
		begin(w, six, "i", "")
		completes(w, "i", "ok")
	})
	scenario(t, "the turn has them whole, and no activity slot", func(w *world) {
		w.cfg.ActivitySlots = -1
		w.open(six)
		begin(w, six, "i", "")
		completes(w, "i", "ok")
		if h, n := w.history("i", 0), w.describe("i").Turn; n != 1 || h.count("ActivityScheduled") != 6 || h.count("ActivityCompleted") != 6 {
			t.Errorf("%d turns: %v", n, h.kinds())
		}
		w.until("the commit is counted", func() bool { return w.node.Metrics().Commits >= 1 })
		if n := w.node.Metrics().Commits; n != 1 {
			t.Errorf("%d commits", n)
		}
	})
	scenario(t, "SYS_011 an instance is cancelled behind a system call", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.NewGUID()
			return turnstone.WaitEvent[string](ctx, "never").Await()
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.cancel("i", "enough")
		w.cancelled("i", "enough")
	})
}
