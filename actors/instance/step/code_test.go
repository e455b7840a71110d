package step

import (
	"errors"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// orchestrations are the author's code that scripts run, by name.
var orchestrations = map[string]replay.Func{
	// echo returns its input.
	"echo": func(_ *replay.Context, input []byte) ([]byte, error) { return input, nil },
	// work has one activity done, and returns what it came to.
	"work": func(c *replay.Context, input []byte) ([]byte, error) {
		return bytesOf(c.Activity("charge", input, replay.ActivityOptions{}).Await())
	},
	// wait waits for the event go, and returns its data.
	"wait": func(c *replay.Context, _ []byte) ([]byte, error) { return next(c, "go") },
	// wait-twice waits for go, and then for stop.
	"wait-twice": func(c *replay.Context, _ []byte) ([]byte, error) {
		if _, err := next(c, "go"); err != nil {
			return nil, err
		}
		return next(c, "stop")
	},
	// work-then-wait has an activity done, and waits for go then.
	"work-then-wait": func(c *replay.Context, _ []byte) ([]byte, error) {
		if _, err := c.Activity("charge", nil, replay.ActivityOptions{}).Await(); err != nil {
			return nil, err
		}
		return next(c, "go")
	},
	// sleep waits for a second.
	"sleep": func(c *replay.Context, _ []byte) ([]byte, error) {
		_, err := c.Timer(time.Second).Await()
		return nil, err
	},
	// loop takes one event and continues as new, for ever.
	"loop": func(c *replay.Context, _ []byte) ([]byte, error) {
		if _, err := next(c, "go"); err != nil {
			return nil, err
		}
		return bytesOf(c.ContinueAsNew(nil, "").Await())
	},
	// collect waits for ten events of the name go.
	"collect": func(c *replay.Context, _ []byte) ([]byte, error) {
		for range 10 {
			if _, err := next(c, "go"); err != nil {
				return nil, err
			}
		}
		return nil, nil
	},
	// misuse uses its context on another goroutine.
	"misuse": func(c *replay.Context, _ []byte) ([]byte, error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Activity("charge", nil, replay.ActivityOptions{})
		}()
		<-done
		return next(c, "go")
	},
	// tell takes events of the name go, and answers the query taken with their data. The handlers of wait,
	// await and crash do what none may do.
	"tell": func(c *replay.Context, _ []byte) ([]byte, error) {
		var taken []byte
		c.HandleQuery("taken", func([]byte) ([]byte, error) { return taken, nil })
		c.HandleQuery("wait", func([]byte) ([]byte, error) { return next(c, "go") })
		c.HandleQuery("crash", func([]byte) ([]byte, error) { panic("no") })
		for {
			arrived := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED)
			c.HandleQuery("await", func([]byte) ([]byte, error) { return bytesOf(arrived.Await()) })
			data, err := bytesOf(arrived.Await())
			if err != nil || string(data) == "end" {
				return taken, err
			}
			taken = append(taken, data...)
		}
	},
	// fail fails.
	"fail": func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New("it did not work") },
	"undo": undo,
}

func next(c *replay.Context, name string) ([]byte, error) {
	return bytesOf(c.WaitEvent(name, turnpb.WaitMode_WAIT_MODE_BUFFERED).Await())
}

func bytesOf(value any, err error) ([]byte, error) {
	b, _ := value.([]byte)
	return b, err
}

// code is what one consumer runs.
type code struct {
	version string
	funcs   map[string]replay.Func
	replays string // the only engine whose executions it may replay; empty: any
}

// Orchestration implements consumer.Handlers.
func (c *code) Orchestration(name, version string) (string, replay.Func, bool) {
	fn, ok := c.funcs[name]
	return c.version, fn, ok && (version == "" || version == c.version)
}

// Activity implements consumer.Handlers.
func (c *code) Activity(string) (consumer.ActivityFunc, bool) { return nil, false }

// Replays implements consumer.Handlers.
func (c *code) Replays(pin string) bool { return c.replays == "" || pin == "" || pin == c.replays }

// undo has an undo step, waits for go, and has an activity done with its data.
func undo(c *replay.Context, _ []byte) ([]byte, error) {
	c.Compensate(func(c *replay.Context) error {
		_, err := c.Activity("refund", nil, replay.ActivityOptions{}).Await()
		return err
	})
	data, err := next(c, "go")
	if err != nil {
		return nil, err
	}
	return bytesOf(c.Activity("charge", append(data, data...), replay.ActivityOptions{}).Await())
}
