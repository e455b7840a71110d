// Package seam holds what the rooms of this module need of each other's public types and users do not: how a node runs a
// registry, how a client reads a recorded failure.
//
// A room offers a struct of functions when it is initialized; a room above it takes that struct when it is initialized
// itself. This package is below both, so they name the public types as type arguments, and the compiler checks both sides.
// It must not know what the functions do.
//
// Invariants: a struct is offered once, by the room that owns its types, in an init function. It does not change
// afterwards, so it is taken without a lock.
//
// Start reading at [Registry].
package seam

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"reflect"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Registry is how a node runs what a registry has. R is *turnstone.Registry, I is turnstone.ActivityInfo.
type Registry[R, I any] struct {
	// Orchestration resolves a handler. An empty wanted is no version: the registry's policy decides. resolved is the full
	// version. ok is false if there is no such handler.
	Orchestration func(r R, name, wanted string) (resolved string, fn replay.Func, ok bool)
	// Activity resolves an activity. ok is false if there is none of this name.
	Activity func(r R, name string) (run func(ctx context.Context, info I, heart Heart, input []byte) ([]byte, error), ok bool)
	// LoggingTo returns the same registry for a node that logs to l: its handlers log there unless the registry has a logger
	// of its own. What is registered with one later is in the other, too. l must not be nil.
	LoggingTo func(r R, l *slog.Logger) R
	// FailsOnNondeterminism reports whether the registry was made with FailOnNondeterminism.
	FailsOnNondeterminism func(r R) bool
}

// Heart takes the heartbeats of one run of an activity: see consumer.Heart.
type Heart interface {
	Beat(details []byte) error
	Before() []byte
}

// Author is what a client checks and reads as the author's package does. H is turnstone.Handler, C is turnstone.Codec, F
// is *turnstone.Failure.
type Author[H, C, F any] struct {
	// Pinned returns the version that an orchestration's handle was made with. ok is false for a handle that was made
	// without.
	Pinned func(handle H) (version string, ok bool)
	// CheckVersion refuses a text that is not a strict semantic version, with a turnstone.VersionError, and one that is
	// longer than a name may be.
	CheckVersion func(text string) error
	// Failure reads the recorded form. codec reads the author's details; nil is JSON.
	Failure func(f *turnpb.Failure, codec C) F
}

// History is how a program of this module reads turns as they are recorded. R is *client.Reader.
type History[R any] struct {
	// Turns is client.Reader.Turns.
	Turns func(r R, ctx context.Context, id string, execution uint64) iter.Seq2[replay.Segment, error]
}

// Store is how a test reaches the journal of a node that runs, behind the engine's back. N is *node.Node, J is
// persistence.Journal.
type Store[N, J any] struct {
	Of func(n N) J
}

// offered has each struct by its type. Only init functions write it.
var offered = map[reflect.Type]any{}

// Offer gives a struct of functions to the rooms above. It panics if one of this type was offered before.
func Offer[S any](s S) {
	t := reflect.TypeFor[S]()
	if _, twice := offered[t]; twice {
		panic(fmt.Sprintf("seam: %v is offered twice", t))
	}
	offered[t] = s
}

// Take returns the struct of functions that was offered. It panics if none of this type was: the room that offers it is
// not imported, or the type arguments are not those of the offer.
func Take[S any]() S {
	s, ok := offered[reflect.TypeFor[S]()]
	if !ok {
		panic(fmt.Sprintf("seam: nothing offers %v", reflect.TypeFor[S]()))
	}
	return s.(S)
}
