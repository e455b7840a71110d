package turnstone

import "fmt"

// ActivityRef is a handle of an activity that is implemented elsewhere: in another package, or in another process. It
// schedules the activity by its name, with typed input and result. It has no code, so a [Registry] refuses it.
func ActivityRef[I, O any](name string) *Activity[I, O] { return &Activity[I, O]{name: name} }

// RefOption changes what [OrchestrationRef] makes.
type RefOption interface{ reference(*orchestrationSpec) }

// OrchestrationRef is a handle of an orchestration that is implemented elsewhere: in another package, in another process, or
// in the function that uses the handle, which could not name its own:
//
//	var Countdown = turnstone.NewOrchestration("Countdown", func(ctx *turnstone.Context, n int) (int, error) {
//		if n == 0 {
//			return 0, nil
//		}
//		return turnstone.OrchestrationRef[int, int]("Countdown").Call(ctx, n-1)
//	})
//
// It starts the orchestration by its name, with typed input and result, in the version that [WithVersion] gives it or,
// without, in the one that the registry's policy says. It has no code, so a [Registry] refuses it.
func OrchestrationRef[I, O any](name string, options ...RefOption) *Orchestration[I, O] {
	var spec orchestrationSpec
	for _, o := range options {
		o.reference(&spec)
	}
	return &Orchestration[I, O]{name: name, version: spec.version}
}

func (o VersionOption) reference(s *orchestrationSpec) { s.version = o.version }

// errReference refuses to register a handle without code.
func errReference(kind, name, made string) error {
	return fmt.Errorf("%s %q is a reference without code: register what %s made", kind, name, made)
}
