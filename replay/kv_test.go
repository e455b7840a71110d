package replay_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

func get(c *replay.Context, key string) string {
	v, ok := c.KVGet(key)
	if !ok {
		return "none"
	}
	return string(v)
}

func set(c *replay.Context, key, value string) { c.KVSet(key, []byte(value)) }

// work is an activity that every KV case may use.
func work(c *replay.Context) string {
	s, _ := text(activity(c, "Work", ""))
	return s
}

func withKV(fn replay.Func, pairs ...string) replay.Config {
	cfg := config(fn)
	cfg.KV = map[string]replay.KVEntry{}
	for i := 0; i < len(pairs); i += 2 {
		cfg.KV[pairs[i]] = replay.KVEntry{Value: []byte(pairs[i+1]), UpdatedMs: 100}
	}
	return cfg
}

func code(fn func(c *replay.Context) string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) { return []byte(fn(c)), nil }
}

func TestKVReplay(t *testing.T) {
	setGet := code(func(c *replay.Context) string { set(c, "A", "1"); return get(c, "A") })
	t.Run("RE_174 writes of values are recorded in the order of the calls and seen at once", func(t *testing.T) {
		d := after(t, code(func(c *replay.Context) string {
			set(c, "X", "Y")
			c.KVClear("Z")
			c.KVClearAll()
			set(c, "A", "1")
			return get(c, "A")
		}), events(evS(1)))
		wantCompleted(t, d, "1")
		wantKinds(t, d, "KVSet KVClear KVClearAll KVSet") // a source would be shown
		if len(d.KV) != 4 || d.KV[0].Key != "X" || d.KV[1].Op != replay.KVClear || d.KV[2].Op != replay.KVClearAll || string(d.KV[3].Value) != "1" {
			t.Errorf("changes: %+v", d.KV)
		}
	})
	t.Run("RE_175 a recorded value is read again on replay", func(t *testing.T) {
		d := after(t, setGet, events(evS(1), evKVSet(2, "A", "1")))
		wantCompleted(t, d, "1")
		if len(d.KV) != 0 {
			t.Errorf("a change was decided again: %+v", d.KV)
		}
	})
	t.Run("RE_176 the later of two recorded values is read", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "1"); set(c, "A", "2"); return get(c, "A") }),
			events(evS(1), evKVSet(2, "A", "1"), evKVSet(3, "A", "2"))), "2")
	})
	ab := func(c *replay.Context) string { return "A=" + get(c, "A") + ",B=" + get(c, "B") }
	t.Run("RE_177 clearing all forgets what was set before and not what is set after", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "1"); c.KVClearAll(); set(c, "B", "2"); return ab(c) }),
			events(evS(1), evKVSet(2, "A", "1"), evKVClearAll(3), evKVSet(4, "B", "2"))), "A=none,B=2")
	})
	t.Run("RE_178 clearing one key leaves the other", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "1"); set(c, "B", "2"); c.KVClear("A"); return ab(c) }),
			events(evS(1), evKVSet(2, "A", "1"), evKVSet(3, "B", "2"), evKVClear(4, "A"))), "A=none,B=2")
	})
	t.Run("RE_179 an equal write matches history", func(t *testing.T) { wantCompleted(t, after(t, setGet, events(evS(1), evKVSet(2, "A", "1"))), "1") })
	onlyWork := code(work)
	t.Run("RE_180 a write in history that the code leaves out is nondeterminism", func(t *testing.T) {
		wantNondeterminism(t, after(t, onlyWork, events(evS(1), evKVSet(2, "A", "1"), evAS(3, "Work", ""))), "KeyValueSet", "asked for activity")
	})
	t.Run("RE_181 clearing all matches history", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { c.KVClearAll(); return "ok" }), events(evS(1), evKVClearAll(2))), "ok")
	})
	t.Run("RE_182 clearing a key matches history", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { c.KVClear("A"); return "ok" }), events(evS(1), evKVClear(2, "A"))), "ok")
	})
	t.Run("RE_183 a clear in history that the code leaves out is nondeterminism", func(t *testing.T) {
		wantNondeterminism(t, after(t, onlyWork, events(evS(1), evKVClear(2, "A"), evAS(3, "Work", ""))), "KeyValueCleared")
	})
	setWork := code(func(c *replay.Context) string { set(c, "A", "1"); return work(c) })
	t.Run("RE_184 an activity behind a write replays", func(t *testing.T) {
		wantCompleted(t, after(t, setWork, events(evS(1), evKVSet(2, "A", "1"), evAS(3, "Work", ""), evAC(4, 3, "work-result"))), "work-result")
	})
	t.Run("RE_185 a write never suspends", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "1"); return "ok" }), events(evS(1))), "ok")
	})
	t.Run("RE_186 each kind of write is an event", func(t *testing.T) {
		d := after(t, code(func(c *replay.Context) string { set(c, "A", "1"); c.KVClear("A"); c.KVClearAll(); return "ok" }), events(evS(1)))
		wantKinds(t, d, "KVSet KVClear KVClearAll")
	})
	t.Run("metadata that the code no longer records is accepted", func(t *testing.T) {
		wantCompleted(t, after(t, onlyWork, events(evS(1), evAS(2, "Work", ""), evKVSet(3, "A", "1"), evAC(4, 2, "r"))), "r")
	})
}

func TestKVSnapshot(t *testing.T) {
	hist := func() []*event { return events(evS(1)) }
	getX := code(func(c *replay.Context) string { return get(c, "X") })
	t.Run("RE_187 a value of the snapshot is read", func(t *testing.T) {
		wantCompleted(t, afterWith(t, withKV(getX, "X", "from_prev_exec"), hist()), "from_prev_exec")
	})
	t.Run("RE_188 a write hides the value of the snapshot", func(t *testing.T) {
		cfg := withKV(code(func(c *replay.Context) string { set(c, "X", "new"); return get(c, "X") }), "X", "old")
		wantCompleted(t, afterWith(t, cfg, hist()), "new")
		if string(cfg.KV["X"].Value) != "old" {
			t.Error("the snapshot was changed")
		}
	})
	t.Run("RE_189 a write is seen in its own turn", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "v"); return get(c, "A") }), hist()), "v")
	})
	t.Run("RE_190 a write of an earlier turn is seen", func(t *testing.T) {
		wantCompleted(t, after(t, code(func(c *replay.Context) string { set(c, "A", "v"); work(c); return get(c, "A") }),
			events(evS(1), evKVSet(2, "A", "v"), evAS(3, "Work", "")), msgAC(3, "r")), "v")
	})
	t.Run("RE_191 several values of the snapshot are read, and a missing key is missing", func(t *testing.T) {
		wantCompleted(t, afterWith(t, withKV(code(func(c *replay.Context) string {
			return get(c, "a") + "," + get(c, "b") + "," + get(c, "c") + "," + strings.Join(c.KVKeys(), "+") + strconv.Itoa(c.KVLen())
		}), "b", "2", "a", "1"), hist()), "1,2,none,a+b2")
	})
	mismatch := func(id string, fn func(*replay.Context), e *event) {
		t.Run(id, func(t *testing.T) {
			wantNondeterminism(t, after(t, code(func(c *replay.Context) string { fn(c); return work(c) }), events(evS(1), e, evAS(3, "Work", ""))))
		})
	}
	mismatch("RE_192 a write to another key than in history is nondeterminism", func(c *replay.Context) { set(c, "A", "v") }, evKVSet(2, "B", "v"))
	mismatch("RE_193 a write of another value than in history is nondeterminism", func(c *replay.Context) { set(c, "A", "new") }, evKVSet(2, "A", "old"))
	mismatch("RE_194 a clear of another key than in history is nondeterminism", func(c *replay.Context) { c.KVClear("A") }, evKVClear(2, "B"))
	t.Run("RE_195 the time of a write is not compared", func(t *testing.T) {
		// The recorded time is not compared, and it is the one that rules the age of the key.
		d := after(t, code(func(c *replay.Context) string {
			set(c, "A", "v")
			work(c)
			return strconv.Itoa(c.KVPruneBefore(8)) + get(c, "A")
		}), events(evS(1), evKVSet(2, "A", "v"), evAS(3, "Work", "")), msgAC(3, "r"))
		wantCompleted(t, d, "1none")
		wantKinds(t, d, "AC(3) KVClear")
	})
	t.Run("RE_196 a counter that is read and written between activities replays", func(t *testing.T) {
		d := after(t, code(func(c *replay.Context) string {
			set(c, "counter", "1")
			work(c)
			n, _ := strconv.Atoi(get(c, "counter"))
			set(c, "counter", strconv.Itoa(n+1))
			work(c)
			return get(c, "counter")
		}), events(evS(1), evKVSet(2, "counter", "1"), evAS(3, "Work", ""), evAC(4, 3, "r"), evKVSet(5, "counter", "2"), evAS(6, "Work", ""), evAC(7, 6, "r")))
		wantCompleted(t, d, "2")
	})
	increment := func(c *replay.Context) {
		n, _ := strconv.Atoi(get(c, "counter"))
		set(c, "counter", strconv.Itoa(n+1))
	}
	t.Run("RE_198 a counter goes on from the snapshot through a round", func(t *testing.T) {
		d := afterWith(t, withKV(code(func(c *replay.Context) string {
			increment(c)
			work(c)
			increment(c)
			return get(c, "counter")
		}), "counter", "5"), events(evS(1), evKVSet(2, "counter", "6"), evAS(3, "Work", ""), evAC(4, 3, "r")))
		wantCompleted(t, d, "7")
		if len(d.KV) != 1 || string(d.KV[0].Value) != "7" {
			t.Errorf("changes: %+v", d.KV)
		}
	})
	t.Run("RE_199 a clear of all hides the snapshot, and later writes stay", func(t *testing.T) {
		orGone := func(s string) string { return strings.ReplaceAll(s, "none", "gone") }
		d := afterWith(t, withKV(code(func(c *replay.Context) string {
			c.KVClearAll()
			set(c, "x", "new")
			work(c)
			return "x=" + get(c, "x") + ",old=" + orGone(get(c, "old"))
		}), "old", "stale"), events(evS(1), evKVClearAll(2), evKVSet(3, "x", "new"), evAS(4, "Work", ""), evAC(5, 4, "r")))
		wantCompleted(t, d, "x=new,old=gone")
	})
	t.Run("RE_200 clearing one value of the snapshot and raising another replays", func(t *testing.T) {
		d := afterWith(t, withKV(code(func(c *replay.Context) string {
			c.KVClear("session")
			increment(c)
			work(c)
			return "session=" + strings.ReplaceAll(get(c, "session"), "none", "gone") + ",counter=" + get(c, "counter")
		}), "session", "abc", "counter", "3"), events(evS(1), evKVClear(2, "session"), evKVSet(3, "counter", "4"), evAS(4, "Work", ""), evAC(5, 4, "r")))
		wantCompleted(t, d, "session=gone,counter=4")
	})
}

func TestF28_values_that_code_changes_stay_as_they_are(t *testing.T) {
	spoil := func(data []byte) {
		for i := range data {
			data[i] = '#'
		}
	}
	cfg := withKV(code(func(c *replay.Context) string {
		given := []byte("new")
		c.KVSet("A", given)
		spoil(given)
		seen := get(c, "A")
		for _, key := range []string{"A", "X"} {
			got, _ := c.KVGet(key)
			spoil(got)
			seen += " " + get(c, key)
		}
		for _, pair := range c.KVAll() {
			spoil(pair.Value)
		}
		for _, pair := range c.KVAll() {
			seen += " " + string(pair.Value)
		}
		return seen
	}), "X", "old")
	d := afterWith(t, cfg, events(evS(1)))
	wantCompleted(t, d, "new new old new old")
	if len(d.KV) != 1 || string(d.KV[0].Value) != "new" || string(cfg.KV["X"].Value) != "old" {
		t.Errorf("changes %+v, snapshot %q", d.KV, cfg.KV["X"].Value)
	}
}

func TestStatus(t *testing.T) {
	busy, idle := "busy", "idle"
	d := after(t, code(func(c *replay.Context) string {
		c.SetStatus(&busy)
		c.SetStatus(nil)
		c.SetStatus(&idle)
		c.Timer(time.Second).Await()
		return *c.Status()
	}), events(evS(1)))
	wantRunning(t, d)
	wantKinds(t, d, "Status Status Status TC")
	if d.Status == nil || *d.Status.Value != "idle" {
		t.Errorf("status: %+v", d.Status)
	}
	t.Run("cleared", func(t *testing.T) {
		d := after(t, code(func(c *replay.Context) string { c.SetStatus(nil); return "ok" }), events(evS(1)))
		if d.Status == nil || d.Status.Value != nil {
			t.Errorf("status: %+v", d.Status)
		}
	})
	t.Run("carried over continue-as-new", func(t *testing.T) {
		d := after(t, code(func(c *replay.Context) string { c.SetStatus(&busy); c.ContinueAsNew(nil, "").Await(); return "" }), events(evS(1)))
		if d.Next.GetInitialCustomStatus() != "busy" {
			t.Errorf("next: %v", d.Next)
		}
		m := replay.New(config(code(func(c *replay.Context) string { return *c.Status() })))
		defer m.Close()
		in := msgStart()
		in.GetStart().InitialCustomStatus = d.Next.InitialCustomStatus
		wantCompleted(t, m.Advance(input(in)), "busy")
	})
}
