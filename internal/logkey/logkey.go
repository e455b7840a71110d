package logkey

// Target says which part of a node logs the line. Its values are the Target constants below.
const Target = "target"

// The values of [Target].
const (
	// TargetOrchestration: the code of an orchestration, through its context.
	TargetOrchestration = "turnstone::orchestration"
	// TargetActivity: the code of an activity, through its context, and the report of its panic.
	TargetActivity = "turnstone::activity"
	// TargetRuntime: the engine.
	TargetRuntime = "turnstone::runtime"
	// TargetStore: the store.
	TargetStore = "turnstone::store"
)

// What the line is about.
const (
	// Instance is the instance's id.
	Instance = "instance_id"
	// Execution is the number of the instance's execution, from 1.
	Execution = "execution_id"
	// Orchestration is the orchestration's name.
	Orchestration = "orchestration_name"
	// Version is the orchestration's version.
	Version = "orchestration_version"
	// Activity is the activity's name.
	Activity = "activity_name"
	// ActivityID is the number of the event that scheduled the activity.
	ActivityID = "activity_id"
	// Worker is the id of the runtime that runs the activity, or is attached.
	Worker = "worker_id"
	// Engines are the engine versions whose executions a runtime may go on with.
	Engines = "engine_versions"
	// Partition is the partition's number.
	Partition = "partition_id"
	// ToPartition is the number of the partition that a message goes to.
	ToPartition = "to_partition_id"
	// FirstSequence and LastSequence are the numbers of the first and the last message that the line is about.
	FirstSequence, LastSequence = "first_sequence", "last_sequence"
	// Epoch is the number of the partition's epoch.
	Epoch = "epoch"
	// Build names the code of the process.
	Build = "build"
	// Actor is the id of the actor.
	Actor = "actor"
	// MessageType is the Go type of a message.
	MessageType = "message_type"
	// Operation is what was being done.
	Operation = "operation"
	// Path is a file or directory.
	Path = "path"
)

// Why.
const (
	// Error is what went wrong.
	Error = "error"
	// Reason is why the engine, or the caller of a request, did what the line says.
	Reason = "reason"
	// Stack is the stack of a goroutine, of some goroutines, or the place of a call.
	Stack = "stack"
)

// How often, how many and how long. A key that begins with "max" is the bound of the one that ends like it.
const (
	// Attempts counts the attempts until now, this one too.
	Attempts = "attempt_count"
	// MaxAttempts is the most attempts there are.
	MaxAttempts = "max_attempts"
	// Failures counts how often an actor has failed.
	Failures = "failures"
	// Backoff is the time until the next attempt, in seconds.
	Backoff = "backoff_secs"
	// Duration is how long it has taken until now, in milliseconds.
	Duration = "duration_ms"
	// MaxDuration is how long it may take, in milliseconds.
	MaxDuration = "max_duration_ms"
	// HistoryEvents counts the events of the execution's history.
	HistoryEvents = "history_events"
	// MaxHistoryEvents is the most events a history may have.
	MaxHistoryEvents = "max_history_events"
	// HistoryBytes is the size of the execution's history in bytes.
	HistoryBytes = "history_bytes"
	// MaxHistoryBytes is the most bytes a history may have.
	MaxHistoryBytes = "max_history_bytes"
	// Activities counts activities.
	Activities = "activities"
	// Partitions counts partitions.
	Partitions = "partitions"
	// MaxPartitions is how many partitions the store has.
	MaxPartitions = "max_partitions"
	// MaxWorkers is the most runtimes that may be attached with activities.
	MaxWorkers = "max_workers"
)
