package turnstone

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/replay"
)

// ReservedPrefix begins the names of built-in activities. It cannot be registered.
const ReservedPrefix = "__turnstone_syscall:"

// Handler is a handle that a [Registry] takes: an [Activity] or an [Orchestration].
type Handler interface {
	Name() string
	// Version is what it is registered as. That of an activity is always [DefaultVersion].
	Version() string
	register(*Registry) error
}

// Registry is what a node can run: orchestrations by name and version, activities by name. It is safe for concurrent
// use, and may grow while a node runs from it.
type Registry struct {
	env *environment
	*handlerSet
}

// handlerSet is what is registered. Registries that differ only in where their handlers log share one.
type handlerSet struct {
	mu             sync.RWMutex
	orchestrations map[string]*versions
	activities     map[string]activityHandler
}

// activityHandler and orchestrationHandler are handles as a registry keeps them: what a host runs is made from them.
type activityHandler interface {
	Handler
	runner(*environment) activityRunner
}

type orchestrationHandler interface {
	Handler
	handler(*environment) replay.Func
	pinned() (version string, ok bool)
}

// versions are the handlers of one name, in ascending order of version.
type versions struct {
	entries []version
	policy  VersionPolicy
}

// version is a handle under its number. text is the number as it is stored.
type version struct {
	orchestrationHandler
	number *semver.Version
	text   string
}

// RegistryOption changes what [NewRegistry] makes.
type RegistryOption interface{ registry(*environment) }

type registryOption func(*environment)

func (o registryOption) registry(e *environment) { o(e) }

// WithCodec replaces [JSON] for every handler of the registry. A store keeps the codec's name, and takes no other one.
func WithCodec(c Codec) RegistryOption { return registryOption(func(e *environment) { e.codec = c }) }

// WithLogger sets where the registry's handlers log, whatever host runs them: through the Logger methods of their
// contexts, and about their panics. Without it, and with nil, they log where the host that runs them does: a node's is
// its Config.Logger. A host without a logger has them log to what slog.Default was at [NewRegistry].
func WithLogger(l *slog.Logger) RegistryOption {
	return registryOption(func(e *environment) { e.logger, e.ownLogger = l, l != nil })
}

// FailOnNondeterminism has an instance fail for good when its code does not fit its history, or cannot decode what is recorded,
// with [ErrNondeterminism].
// Without it the instance is held: nothing is recorded, and it is tried again with other code.
func FailOnNondeterminism() RegistryOption {
	return registryOption(func(e *environment) { e.failOnNondeterminism = true })
}

// NewRegistry makes an empty registry.
func NewRegistry(options ...RegistryOption) *Registry {
	env := &environment{codec: JSON, logged: &seldom{}}
	for _, o := range options {
		o.registry(env)
	}
	if !env.ownLogger {
		env.logger = slog.Default()
	}
	return &Registry{env: env, handlerSet: &handlerSet{
		orchestrations: map[string]*versions{}, activities: map[string]activityHandler{}}}
}

// loggingTo returns the same registry for a host that logs to l: its handlers log there unless the registry has a logger
// of its own ([WithLogger]). What is registered with one later is in the other, too. l must not be nil.
func (r *Registry) loggingTo(l *slog.Logger) *Registry {
	if r.env.ownLogger {
		return r
	}
	env := *r.env
	env.logger = l
	return &Registry{env: &env, handlerSet: r.handlerSet}
}

// Codec is the registry's codec; a client of the same instances needs the same.
func (r *Registry) Codec() Codec { return r.env.codec }

// Register adds handlers. What cannot be added is named in the error, which wraps [ErrInvalidInput], all problems joined
// with "; "; the rest is added. It refuses a handler that is nil, a reference without code, a name and version that are
// taken (the first stays), a version below one of the same name that is registered already (register the lower version
// first), a name that is empty, over-long or reserved, a version that is not a semantic version ([VersionError]), and a
// type that cannot make the round trip through the codec ([TypeError]).
func (r *Registry) Register(handlers ...Handler) error {
	var problems refusedHandlers
	for i, h := range handlers {
		if isNil(h) {
			problems = append(problems, fmt.Errorf("handler %d of %d is nil: make it with NewOrchestration or NewActivity", i+1, len(handlers)))
			continue
		}
		if err := h.register(r); err != nil {
			problems = append(problems, err)
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}

// isNil reports whether there is no handler, or a nil pointer to one.
func isNil(h Handler) bool {
	v := reflect.ValueOf(h)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// refusedHandlers says which handlers cannot be added, and why. It is an ErrInvalidInput.
type refusedHandlers []error

// Error is all problems.
func (r refusedHandlers) Error() string {
	texts := make([]string, len(r))
	for i, err := range r {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap says what kind of error it is, and gives each problem.
func (r refusedHandlers) Unwrap() []error { return append([]error{ErrInvalidInput}, r...) }

// Merge adds all handlers of another registry; its codec, logger and policies stay behind. Problems are reported as
// by [Registry.Register].
func (r *Registry) Merge(other *Registry) error {
	var all []Handler
	other.mu.RLock()
	for _, name := range sortedKeys(other.orchestrations) {
		for _, v := range other.orchestrations[name].entries {
			all = append(all, v.orchestrationHandler)
		}
	}
	for _, name := range sortedKeys(other.activities) {
		all = append(all, other.activities[name])
	}
	other.mu.RUnlock()
	return r.Register(all...)
}

func checkName(kind, name string) error {
	if strings.HasPrefix(name, ReservedPrefix) {
		return fmt.Errorf("%s name %q has the reserved prefix %s", kind, name, ReservedPrefix)
	}
	return overLimit(limits.CheckID(kind+" name", name, limits.Default().NameBytes, ""))
}

func (a *Activity[I, O]) register(r *Registry) error {
	if err := checkName("activity", a.name); err != nil {
		return err
	}
	if a.run == nil {
		return errReference("activity", a.name, "NewActivity")
	}
	if err := checkTypes(r.env.codec, "activity "+a.name, reflect.TypeFor[I](), reflect.TypeFor[O]()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.activities[a.name]; taken {
		return fmt.Errorf("duplicate activity registration: %s", a.name)
	}
	r.activities[a.name] = a
	return nil
}

func (o *Orchestration[I, O]) register(r *Registry) error {
	if err := checkName("orchestration", o.name); err != nil {
		return err
	}
	if o.run == nil {
		return errReference("orchestration", o.name, "NewOrchestration")
	}
	if err := o.cleanup.check(o.name); err != nil {
		return err
	}
	if err := checkTypes(r.env.codec, "orchestration "+o.name, reflect.TypeFor[I](), reflect.TypeFor[O]()); err != nil {
		return err
	}
	number, err := parseVersion(o.Version())
	if err != nil {
		return fmt.Errorf("orchestration %s: %w", o.name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.orchestrations[o.name]
	if known == nil {
		known = &versions{}
		r.orchestrations[o.name] = known
	}
	if n := len(known.entries); n > 0 {
		highest := known.entries[n-1].number
		for _, e := range known.entries {
			if e.number.Equal(number) {
				return fmt.Errorf("duplicate orchestration registration: %s@%s", o.name, number)
			}
		}
		if number.LessThan(highest) {
			return fmt.Errorf("non-monotonic orchestration version: %s@%s after %s; register the lower version first",
				o.name, number, highest)
		}
	}
	known.entries = append(known.entries, version{orchestrationHandler: o, number: number, text: number.String()})
	return nil
}

// VersionPolicy decides which version a start without one runs. The zero value is [Latest].
type VersionPolicy struct{ exact *semver.Version }

// Latest is the highest version that is registered.
var Latest = VersionPolicy{}

// Exact is one version, whether it is registered or not. It panics if v is not a semantic version.
func Exact(v string) VersionPolicy {
	number, err := parseVersion(v)
	if err != nil {
		panic("turnstone: " + err.Error())
	}
	return VersionPolicy{exact: number}
}

// SetVersionPolicy changes which version of a name is started from now on. Executions that run keep theirs.
func (r *Registry) SetVersionPolicy(name string, p VersionPolicy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.orchestrations[name] == nil {
		r.orchestrations[name] = &versions{}
	}
	r.orchestrations[name].policy = p
}

// orchestration resolves a handler for a host. An empty text is no version: the policy decides. The returned version
// is the full one. ok is false if there is no such handler.
func (r *Registry) orchestration(name, wanted string) (resolved string, fn replay.Func, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	known := r.orchestrations[name]
	if known == nil || len(known.entries) == 0 {
		return "", nil, false
	}
	if wanted == "" {
		if known.policy.exact == nil {
			latest := &known.entries[len(known.entries)-1]
			return latest.text, latest.handler(r.env), true
		}
		return known.find(known.policy.exact, r.env)
	}
	for i := range known.entries { // the usual form, without parsing it
		if e := &known.entries[i]; e.text == wanted {
			return e.text, e.handler(r.env), true
		}
	}
	number, err := semver.StrictNewVersion(wanted)
	if err != nil {
		return "", nil, false
	}
	return known.find(number, r.env)
}

func (v *versions) find(number *semver.Version, env *environment) (resolved string, fn replay.Func, ok bool) {
	for i := range v.entries {
		if e := &v.entries[i]; e.number.Equal(number) {
			return e.text, e.handler(env), true
		}
	}
	return "", nil, false
}

// activity resolves an activity for a host.
func (r *Registry) activity(name string) (run activityRunner, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h, ok := r.activities[name]
	if !ok {
		return nil, false
	}
	return h.runner(r.env), true
}

// Orchestrations are the registered names, sorted.
func (r *Registry) Orchestrations() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for _, name := range sortedKeys(r.orchestrations) {
		if len(r.orchestrations[name].entries) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// Versions are the registered versions of an orchestration, ascending; none if the name is unknown.
func (r *Registry) Versions(name string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []string
	if known := r.orchestrations[name]; known != nil {
		for _, e := range known.entries {
			all = append(all, e.text)
		}
	}
	return all
}

// Activities are the registered names, sorted.
func (r *Registry) Activities() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return sortedKeys(r.activities)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
