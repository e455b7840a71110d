package node_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// reversed is JSON backwards: to another codec a number is another number.
type reversed struct{ name string }

func (*reversed) Name() string { return "reversed" }

func (*reversed) Encode(v any) ([]byte, error) {
	data, err := turnstone.JSON.Encode(v)
	slices.Reverse(data)
	return data, err
}

func (*reversed) Decode(data []byte, v any) error {
	data = slices.Clone(data)
	slices.Reverse(data)
	return turnstone.JSON.Decode(data, v)
}

// uncomparable is a codec that == cannot compare.
type uncomparable struct {
	*reversed
	_ []int
}

func registry(t *testing.T, codec turnstone.Codec) *turnstone.Registry {
	t.Helper()
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.DiscardHandler)), turnstone.WithCodec(codec))
	if err := r.Register(double, twice); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestF40_a_number_arrives_as_it_was_sent runs handlers with a codec of their own, on nodes that know of it and on others.
func TestF40_a_number_arrives_as_it_was_sent(t *testing.T) {
	own, other := &reversed{"own"}, &reversed{"other"}
	byValue := uncomparable{reversed: own}
	for name, c := range map[string]struct {
		cfg      node.Config
		attached turnstone.Codec // nil: none
		refused  bool
	}{
		"a node without a codec":            {attached: own, refused: true},
		"a node with it":                    {cfg: node.Config{Codec: own}, attached: own},
		"a node with another of its type":   {cfg: node.Config{Codec: other}, attached: own, refused: true},
		"a node whose registry has it":      {cfg: node.Config{Registry: registry(t, own), TurnSlots: -1}, attached: own},
		"a node whose registry has another": {cfg: node.Config{Registry: registry(t, turnstone.JSON)}, attached: own, refused: true},
		"its registry alone":                {cfg: node.Config{Registry: registry(t, byValue)}},
		"a codec that cannot be compared":   {cfg: node.Config{Codec: byValue}, attached: byValue, refused: true},
		"no codec anywhere":                 {attached: turnstone.JSON},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Dir, c.cfg.Partitions, c.cfg.Logger = t.TempDir(), 1, slog.New(slog.DiscardHandler)
			n := open(t, c.cfg)
			if c.attached != nil {
				_, err := n.Attach(node.Runtime{ID: "more", Registry: registry(t, c.attached)})
				if c.refused {
					if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), `runtime "more"`) ||
						!strings.Contains(err.Error(), "Config.Codec") {
						t.Errorf("attached with another codec: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			run, err := client.Start(deadline(t), n.Client(), "i", twice, 123)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := run.Wait(deadline(t)); err != nil || out != 246 {
				t.Errorf("twice 123 is %d, %v", out, err)
			}
		})
	}
	err := node.Config{Dir: t.TempDir(), Registry: registry(t, own), Codec: other}.Validate()
	if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), `runtime "main"`) {
		t.Errorf("a configuration with two codecs: %v", err)
	}
}

// TestOpenReadOnlyDecodesWithTheStoresCodec reads the details of a failure that were written by a codec other than JSON.
func TestOpenReadOnlyDecodesWithTheStoresCodec(t *testing.T) {
	own := &reversed{"own"}
	fails := turnstone.NewOrchestration("Fails", func(ctx *turnstone.Context, _ int) (int, error) {
		turnstone.SetKV(ctx, "n", 456)
		return 0, &turnstone.Error{Kind: "Short", Message: "too few", Details: 123}
	})
	r, dir := registry(t, own), t.TempDir()
	if err := r.Register(fails); err != nil {
		t.Fatal(err)
	}
	n, ctx := open(t, node.Config{Dir: dir, Partitions: 1, Registry: r, Logger: slog.New(slog.DiscardHandler)}), deadline(t)
	run, err := client.Start(ctx, n.Client(), "i", fails, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(ctx); err == nil {
		t.Fatal("it did not fail")
	}
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		codec turnstone.Codec
		ok    bool
		note  string
	}{{own, true, ""}, {nil, false,
		"the values in the store " + dir + ` are of the codec "reversed", and this program has "json": they are shown as they are recorded`}} {
		store, err := node.OpenReadOnly(ctx, dir, c.codec)
		if err != nil {
			t.Fatal(err)
		}
		if note := store.CodecNote(); note != c.note {
			t.Errorf("the note is %q, want %q", note, c.note)
		}
		status, err := store.Reader().Status(ctx, "i")
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := turnstone.Details[int](status.Failure); ok != c.ok || ok && got != 123 {
			t.Errorf("with the codec %v the details are %d, %t", c.codec, got, ok)
		}
		if raw, ok := turnstone.Details[turnstone.Raw](status.Failure); !ok || string(raw) != "321" {
			t.Errorf("with the codec %v the details are recorded as %q, %t", c.codec, raw, ok)
		}
		_, _, err = client.GetKV[int](ctx, store.Reader(), "i", "n")
		if _, raw, err := client.GetKV[turnstone.Raw](ctx, store.Reader(), "i", "n"); !raw || err != nil {
			t.Errorf("with the codec %v the key is %t, %v as it is recorded", c.codec, raw, err)
		}
		if c.ok != (err == nil) || !c.ok && (!errors.Is(err, node.ErrCodec) || !strings.Contains(err.Error(), `"reversed"`)) {
			t.Errorf("with the codec %v a key gives %v", c.codec, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// named is JSON under a name.
type named struct {
	turnstone.Codec
	name string
}

func (c *named) Name() string { return c.name }

// TestAStoreKnowsItsCodec: the first node that opens a store gives it the name of its codec, and another one is refused before
// anything is written. A store that was made without a name takes the one of the next node.
func TestAStoreKnowsItsCodec(t *testing.T) {
	ctx := deadline(t)
	with := func(dir string, c turnstone.Codec) error {
		n, err := node.Open(ctx, node.Config{Dir: dir, Partitions: 1, Codec: c, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		return n.Shutdown(ctx)
	}
	zipped := &named{turnstone.JSON, "json+zip"}
	refused := func(t *testing.T, dir string, c turnstone.Codec, has, given string) {
		t.Helper()
		err := with(dir, c)
		if !errors.Is(err, node.ErrCodec) || !strings.Contains(err.Error(), `its values are of the codec "`+has+`", and this program has "`+given+`"`) {
			t.Errorf("opened with another codec: %v", err)
		}
	}
	t.Run("a new one", func(t *testing.T) {
		dir := t.TempDir()
		for range 2 {
			if err := with(dir, zipped); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, nil, "json+zip", "json")
		}
		copied := t.TempDir()
		if err := node.Backup(ctx, dir, copied); err != nil {
			t.Fatal(err)
		}
		refused(t, copied, nil, "json+zip", "json")
	})
	t.Run("one without a name", func(t *testing.T) {
		dir := t.TempDir()
		store, err := pebble.Open(pebble.Options{Dir: dir, Partitions: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := node.OpenReadOnly(ctx, dir, zipped)
		if err != nil {
			t.Fatal(err)
		}
		if note := r.CodecNote(); note != "" {
			t.Errorf("a note: %s", note)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := with(dir, nil); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, zipped, "json", "json+zip")
	})
	for _, name := range []string{"", strings.Repeat("x", 257), "a\nb"} {
		err := node.Config{Dir: t.TempDir(), Codec: &named{turnstone.JSON, name}}.Validate()
		if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "Config.Codec: ") {
			t.Errorf("a codec named %.20q: %v", name, err)
		}
	}
	if err := (node.Config{Dir: t.TempDir(), Codec: &named{turnstone.JSON, strings.Repeat("x", 256)}}).Validate(); err != nil {
		t.Error(err)
	}
}
