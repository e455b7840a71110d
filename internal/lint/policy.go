package lint

// The tables of what is allowed where. An exception names the directory or file and its reason; it is deleted when the
// reason has gone (an exception that nothing needs is a finding).

// permit is one exception.
type permit struct {
	// where is a directory or file of the module; "." is the files of the root package.
	where string
	why   string
}

// ban is a set of calls, or whole packages, that are allowed in seam packages only.
type ban struct {
	what string
	// packages are import paths; one that ends in a slash covers what is below it too.
	packages []string
	// names are the banned names; nil bans the import.
	names   map[string]bool
	instead string
	// only restricts the ban to these directories; nil is everywhere.
	only    []string
	permits []*permit
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// bans are checked in code that is not a test.
var bans = []*ban{
	{
		what: "wall clock or timer", packages: []string{"time"},
		names:   set("Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"),
		instead: "time comes in as a value, or from the clock that was passed in (internal/clock)",
		permits: []*permit{
			{"internal/clock", "it is the seam"},
			{"internal/failpoint", "delays are one of its actions, in test builds only"},
			{"bench", "it measures real time"},
			{"node", "the deadlines of opening and shutting down are real"},
		},
	},
	{
		what: "randomness", packages: []string{"math/rand/", "crypto/rand"},
		instead: "entropy comes in as a value, or from the source that was passed in (internal/ids)",
		permits: []*permit{
			{"internal/ids", "it is the seam"},
		},
	},
	{
		what: "operating system or network", packages: []string{"os/", "net/", "syscall", "io/ioutil"},
		instead: "the core does no I/O: ask through a port, or move the code to a seam package",
		permits: []*permit{
			{"internal/failpoint", "it reads the environment and ends the process, in test builds only"},
			{"internal/lint", "it reads the sources and runs the go command"},
			{"internal/conformance", "a command: it reads test code and runs the go command"},
			{"internal/walk", "a command: it runs the go command, and a program with counters"},
			{"internal/catalogue", "reading files is what its activities do"},
			{"persistence/pebble", "it owns the store's directory"},
			{"node", "it names the host and the process"},
			{"cmd", "a program"},
			{"bench", "it measures a real disk"},
		},
	},
	{
		what: "log", packages: []string{"log/"}, only: []string{"replay", "dispatch", "persistence", "limits"},
		instead: "the core returns what happened; its caller decides what is logged",
	},
	{
		what: "proposal", packages: []string{"github.com/turnstone-dev/turnstone/persistence"}, names: set("Proposal"),
		instead: "propose through the engine, which stamps every proposal with the wall clock",
		only:    []string{"actors"},
		permits: []*permit{
			{"actors/engine.go", "it is the place that stamps them"},
		},
	},
}

// goroutinePermits are the owners of goroutines. Each waits for what it starts.
var goroutinePermits = []*permit{
	{"replay/unwind.go", "the default that unwinds a coroutine in tests; it waits for it"},
	{"persistence/pebble/internal/locallog", "its driver and its syncs are goroutines that Close waits for"},
	{"persistence/pebble/store.go", "its readers are goroutines that Close waits for"},
	{"persistence/pebble/guarded.go", "what a failed disk holds for ever must not hold its caller"},
	{"actors/internal/mailbox/executor.go", "the executor owns the turn and activity slots' goroutines and waits for them"},
	{"client/clienttest", "callers that wait are goroutines which their test waits for"},
	{"cmd", "a program: signals and progress"},
	{"bench", "its load generators are goroutines that it waits for"},
}

// rooms are the directories of the top level.
var rooms = []string{
	".ci", "actors", "bench", "client", "cmd", "dispatch", "docs", "examples", "internal", "limits", "node", "persistence",
	"proto", "replay", "sim", "test",
}

// rootDocuments are the documents of the top level.
var rootDocuments = []string{"README.md", "ARCHITECTURE.md"}

// directions says which packages of this module a package may import. A row covers the directories below it that have
// no row of their own, and these may import each other. "*" is everything: only for what composes or
// simulates a whole node.
var directions = map[string][]string{
	"proto":               {},
	"internal/clock":      {},
	"internal/ids":        {},
	"internal/logkey":     {},
	"limits":              {},
	"internal/failpoint":  {},
	"internal/invariants": {},
	"internal/terminal":   {},
	"internal/failure":    {"proto"},
	"internal/system":     {},
	"internal/query":      {},
	"replay":              {"proto", "internal/failure", "internal/invariants", "internal/query", "internal/system"},
	"internal/seam":       {"proto", "replay"},
	".":                   {"proto", "replay", "internal/failure", "internal/logkey", "internal/seam", "internal/system", "limits"},

	// One decoder of stored history, for all that read it.
	"internal/history": {"proto", "replay", "internal/invariants"},

	// The main job's orchestrations and the words for a history: above the author's API, below the command.
	"internal/catalogue": {".", "internal/failpoint", "internal/terminal"},
	"internal/story":     {"proto", "replay", "internal/failure", "internal/terminal"},

	"persistence":         {"persistence/rowcode", "proto", "limits"},
	"persistence/rowcode": {},
	"persistence/persistencetest": {
		"persistence", "persistence/rowcode", "proto", "internal/history", "internal/clock", "internal/ids", "limits",
	},
	"persistence/pebble": {
		"persistence", "persistence/rowcode", "proto", "internal/clock", "internal/ids", "limits",
		"internal/failpoint", "internal/history", "internal/invariants", "persistence/pebble/internal/locallog",
	},
	"persistence/pebble/internal/locallog": {"persistence", "internal/invariants"},

	"dispatch":                     {"persistence", "limits", "internal/invariants"},
	"actors/internal/executortest": {},
	"actors/internal/mailbox":      {"internal/clock", "internal/logkey"},
	"actors/consumer":              {"proto", "replay", "persistence", "internal/clock"},
	"actors/instance/view": {
		"actors/consumer", "proto", "replay", "persistence", "dispatch", "internal/history", "internal/clock", "internal/invariants",
	},
	"actors/instance/arrival": {"actors/consumer", "proto", "replay", "persistence"},
	"actors/instance/turn": {
		"actors/consumer", "actors/instance/arrival", "actors/instance/view", "proto", "replay", "persistence", "dispatch",
		"internal/failure", "internal/query", "internal/clock", "internal/ids", "internal/logkey", "limits",
	},
	// The step machine does nothing itself: no mailbox, no journal, no clock.
	"actors/instance/step": {
		"actors/consumer", "actors/instance/arrival", "actors/instance/turn", "actors/instance/view", "proto", "replay", "persistence",
		"dispatch", "internal/failure", "internal/query", "internal/logkey", "internal/invariants",
	},
	"actors/instance": {
		"actors/consumer", "actors/internal/mailbox", "actors/instance/arrival", "actors/instance/step", "actors/instance/turn",
		"actors/instance/view", "proto", "replay", "persistence", "dispatch", "internal/failure", "internal/clock", "internal/ids",
		"internal/logkey", "internal/failpoint", "internal/invariants",
	},
	"actors/partition": {
		"actors/consumer", "actors/internal/mailbox", "proto", "persistence", "dispatch", "internal/failure",
		"internal/history", "internal/clock", "internal/ids", "internal/logkey", "limits", "internal/failpoint", "internal/invariants",
		"internal/system",
	},
	"actors": {
		"actors/consumer", "actors/instance", "actors/instance/arrival", "actors/instance/step", "actors/instance/turn",
		"actors/instance/view", "actors/internal/mailbox", "actors/partition", "proto", "replay", "persistence", "dispatch", "internal/failure", "internal/clock", "internal/ids",
		"internal/logkey", "limits", "internal/failpoint", "internal/invariants",
	},

	// What can be asked of a node is plain data, and what carries it in this process is apart from what asks.
	"client/api": {},
	"internal/localport": {
		".", "proto", "persistence", "client/api", "internal/failure", "internal/history", "internal/query", "internal/seam", "limits",
	},
	"client": {".", "proto", "replay", "client/api", "internal/history", "internal/seam"},
	"client/clienttest": {
		".", "proto", "persistence", "persistence/persistencetest", "client", "client/api", "internal/localport", "internal/failure", "internal/query",
		"limits",
	},
	"node": {
		".", "proto", "replay", "persistence", "persistence/pebble", "dispatch", "actors", "actors/consumer", "actors/instance",
		"actors/instance/arrival", "client", "client/api", "internal/localport", "internal/failure", "internal/clock", "internal/ids", "internal/logkey",
		"internal/seam", "limits", "internal/failpoint",
	},
	"sim": {"*"},

	"cmd/turnstone": {
		".", "proto", "replay", "persistence", "persistence/pebble", "node", "client", "internal/catalogue", "internal/story",
		"internal/failure", "internal/seam", "limits", "internal/clock", "internal/ids", "internal/terminal",
	},
	"examples":    {".", "node", "client"},
	"bench":       {".", "node", "client", "bench/limit", "limits", "internal/terminal"},
	"bench/limit": {"persistence", "proto"},
	"test/e2e": {
		".", "node", "client", "client/api", "internal/localport", "actors", "actors/consumer", "actors/instance",
		"actors/instance/arrival", "internal/seam", "proto", "replay", "persistence", "persistence/pebble",
	},

	"test/docs": {},

	"internal/lint":        {},
	"internal/conformance": {},
	"internal/walk":        {".", "node", "client"},
}

// walls are those inside packages. That the core of a store has no goroutines is held by goroutinePermits.
var walls = []*wall{
	{
		dir: "persistence/pebble", names: set("Store", "viewQueue"), pkg: Module + "/persistence/pebble/internal/locallog",
		instead: "the core knows no log, no queue and no life of a store: another log will drive it, too",
		permits: []*permit{
			{"persistence/pebble/store.go", "it puts a log over a core"},
			{"persistence/pebble/logged.go", "it is the core as the local log drives it"},
			{"persistence/pebble/open.go", "it makes stores"},
			{"persistence/pebble/view.go", "the queue of reads, and who serves it"},
			{"persistence/pebble/tick.go", "when the witness is written is part of a store's life"},
			{"persistence/pebble/manual.go", "the steps of a store"},
			{"persistence/pebble/metrics.go", "they are of core and log"},
			{"persistence/pebble/backup.go", "a store copies itself while it runs"},
			{"persistence/pebble/dump.go", "a store shows its rows"},
			{"persistence/pebble/verify.go", "it opens the store that it verifies"},
			{"persistence/pebble/verify_tables.go", "part of verification"},
		},
	},
}

// forTests may be imported by the tests of every package.
var forTests = []string{
	"persistence/persistencetest", "actors/internal/executortest", "internal/clock", "internal/ids", "limits", "internal/failure",
	"proto",
}

// testDirections is what the tests of a row may import beside that.
var testDirections = map[string][]string{
	".":           {"client", "node"}, // the program that the package's comment begins with
	"client":      {"client/clienttest"},
	"actors":      {"internal/query"},
	"bench/limit": {".", "client", "node"}, // they count the rows of a real store
}

// library is one dependency. users are the only packages that may import it; nil means all. except are below a user, and
// may not.
type library struct {
	path      string
	users     []string
	except    []string
	testsOnly bool
}

var libraries = []library{
	{
		path: "github.com/asynkron/protoactor-go", users: []string{"actors", "node", "sim"},
		except: []string{"actors/instance/arrival", "actors/instance/step", "actors/instance/turn", "actors/instance/view"},
	},
	{path: "github.com/orcaman/concurrent-map", users: []string{"sim"}},
	{
		path: "github.com/cockroachdb/pebble/v2", users: []string{"persistence/pebble", "sim", "bench/limit"},
		except: []string{"persistence/pebble/internal/locallog"},
	},
	{path: "github.com/cockroachdb/datadriven", testsOnly: true, users: []string{"actors/instance/step"}},
	{path: "google.golang.org/protobuf"},
	{path: "github.com/Masterminds/semver/v3"},
	{path: "github.com/spf13/cobra", users: []string{"cmd"}},
	{path: "golang.org/x/term", users: []string{"cmd"}},
	{path: "go.uber.org/goleak", testsOnly: true},
	{path: "pgregory.net/rapid", testsOnly: true, users: []string{"persistence/persistencetest", "sim"}},
}

// lightRooms are the rooms that an author's package links, or that must be usable without a node.
var lightRooms = []string{".", "proto", "replay", "persistence", "dispatch"}

// heavyLibraries are what an author's package must not link.
var heavyLibraries = []string{"github.com/cockroachdb/pebble", "github.com/asynkron/protoactor-go"}

// The actor library.
const (
	actorPackage = "github.com/asynkron/protoactor-go/actor"
	propsFile    = "actors/internal/mailbox/props.go"
)

var (
	propsMakers = set("PropsFromProducer", "PropsFromProducerWithActorSystem", "PropsFromFunc")
	stockParts  = set("Bounded", "BoundedDropping", "Unbounded", "UnboundedLockfree", "UnboundedPriority",
		"UnboundedPriorityMpsc", "NewPriorityGoringQueue", "NewPriorityMpscQueue", "NewDefaultDispatcher",
		"NewSynchronizedDispatcher", "NewFuture")
	libraryTimers = []string{"RequestFuture", "ReenterAfter", "SetReceiveTimeout", "Stash"}
)
