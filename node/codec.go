package node

import (
	"fmt"
	"reflect"

	"github.com/turnstone-dev/turnstone"
)

// codec returns the codec of the node's client and of all its runtimes: Config.Codec, else that of Config.Registry.
func (c Config) codec() turnstone.Codec {
	switch {
	case c.Codec != nil:
		return c.Codec
	case c.Registry != nil:
		return c.Registry.Codec()
	default:
		return turnstone.JSON
	}
}

// validateCodec refuses a registry with another codec than the node's. One codec would write a value and the other read
// it, perhaps as another value.
func (c Config) validateCodec(runtime string, r *turnstone.Registry) error {
	if r == nil || r == c.Registry && c.Codec == nil || same(c.codec(), r.Codec()) {
		return nil
	}
	return invalid("runtime %q: its Registry has the codec %T, and the node, whose client writes for it, has %T: set Config.Codec, "+
		"and make each Registry with the same value (of a type that == compares, such as a pointer)", runtime, r.Codec(), c.codec())
}

// same reports whether two codecs are one value. It returns false for values that == cannot compare.
func same(a, b turnstone.Codec) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// foreign stands for a codec that the program does not have.
type foreign struct{ name string }

func (f foreign) Name() string { return f.name }

func (f foreign) Encode(any) ([]byte, error) { return nil, f.refusal() }

func (f foreign) Decode([]byte, any) error { return f.refusal() }

func (f foreign) refusal() error {
	return fmt.Errorf("node: %w, %q, which this program does not have; read it as a turnstone.Raw", ErrCodec, f.name)
}
