package persistence

// StoreInfo says what a store is.
type StoreInfo struct {
	// ID is random, taken when the store was made.
	ID         string
	Format     string
	Partitions int
	// Codec is the name of the codec of the values; empty if no open has named one yet.
	Codec string
}

// Journal is the durable state of one node. All methods may be called from any goroutine and never block on the disk.
type Journal interface {
	Info() StoreInfo
	// PartitionOf is the partition that an instance id lives in.
	PartitionOf(id string) Partition
	// Attach sets the partition's only sink of effects. Called once, before the first Propose to that partition. The
	// sink is called in index order, never concurrently for one partition, and must not block.
	Attach(p Partition, sink func(*Effects))
	// Propose puts a command into the partition's log; see Proposal.Done.
	Propose(p Partition, proposal Proposal)
	// View reads one snapshot of a partition and calls done when what it showed is durable. done gets the error of
	// read, or ErrBusy (perhaps at once), or one that wraps ErrStopped. It must not block. It is never called while read
	// runs, also not when the journal stops.
	View(p Partition, read func(Reader) error, done func(error))
	// Load is View without the wait: only for an instance's own load, whose next commit lies behind what it saw in the
	// same log, and for a dispatcher's scans. It does not queue behind views: what clients read does not hold it up.
	Load(p Partition, read func(Reader) error, done func(error))
	// MayExist reports false only if the partition holds no instance with this id, answered from memory or a filter
	// and never from a data block when the id is new.
	MayExist(id string) bool
	// Stopped is closed when a write or sync failed, or Close was called; Cause then says why.
	Stopped() <-chan struct{}
	Cause() error
	// Close refuses new proposals, makes what is in the log durable, and closes the store.
	Close() error
}
