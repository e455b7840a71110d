package partition

import "sync/atomic"

// Counters are counts of the activity slots of an engine since it started. They only rise, except Leaked.
type Counters struct {
	// Started are calls of user code; Careful of them were leased first because of careful mode.
	Started uint64
	Careful uint64
	// Cancelled were told to stop because their row was deleted while they ran.
	Cancelled uint64
	// LostLeases of turns and activities, whose holders were told to stop.
	LostLeases uint64
	// Abandoned did not stop in time. Leaked of them, or of an epoch that has ended, still run.
	Abandoned uint64
	Leaked    uint64
	// Void are results that the journal refused because another owner has the activity.
	Void uint64
	// Unregistered were given back because no consumer has their handler.
	Unregistered uint64
	// Poisoned were attempted too often.
	Poisoned uint64
	// TimedOut were ended by a timeout of their call.
	TimedOut uint64
	// Fenced are partitions that stopped serving because another process had begun a newer epoch.
	Fenced uint64
}

// counters are the live ones of a partition.
type counters struct {
	activities, carefulActivities, cancelledActivities, lostLeases                   atomic.Uint64
	abandonedActivities, leakedActivities, voidResults                               atomic.Uint64
	unregisteredActivities, poisonedActivities, fencedPartitions, timedOutActivities atomic.Uint64
}

// AddCounters adds the counts of the partition to sum.
func (p *Partition) AddCounters(sum *Counters) {
	c := &p.counts
	sum.Started += c.activities.Load()
	sum.Careful += c.carefulActivities.Load()
	sum.Cancelled += c.cancelledActivities.Load()
	sum.LostLeases += c.lostLeases.Load()
	sum.Abandoned += c.abandonedActivities.Load()
	sum.Leaked += c.leakedActivities.Load()
	sum.Void += c.voidResults.Load()
	sum.Unregistered += c.unregisteredActivities.Load()
	sum.Poisoned += c.poisonedActivities.Load()
	sum.TimedOut += c.timedOutActivities.Load()
	sum.Fenced += c.fencedPartitions.Load()
}
