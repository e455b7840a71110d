package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// lease compares the head with the lease row, and the row of a held instance with its entry in the listing.
func (i *instanceCheck) lease() {
	h := i.h
	lease, leased, err := i.v.r.TurnLease(h.IID)
	if err != nil {
		return
	}
	if held := lease.Held.Reason != ""; leased != h.Leased || held != h.held {
		i.damage("it says leased: %t, held: %t; a turn lease: %t, held: %t", h.Leased, h.held, leased, held)
	}
	if lease.Held.Reason == "" {
		return
	}
	i.v.held++
	i.v.mustList(i.key, appendHeld(nil, i.v.p, persistence.HeldRef{SinceMs: lease.Held.SinceMs, IID: h.IID}))
}

// watchers checks the instances that wait for the end of this one, and that it is listed if it has ended.
func (i *instanceCheck) watchers() {
	i.rows(famWatcher, i.h.Watchers, func(key []byte, k *keyReader, value []byte) {
		w, err := decodeWatcher(k.watcher(), value)
		if err == nil && w.Partition != i.v.s.PartitionOf(w.Link.ID) {
			i.v.damage(key, "it names partition %d; %q lives in %d", w.Partition, w.Link.ID, i.v.s.PartitionOf(w.Link.ID))
		}
	})
	if i.h.Status.Terminal() && i.h.Watchers > 0 {
		i.v.draining++
		i.v.mustList(i.key, appendInstance(nil, i.v.p, famDraining, i.h.IID))
	}
}

// parent checks that a child is listed by its parent.
func (i *instanceCheck) parent() {
	if !i.h.Parent.IsZero() {
		i.v.mustList(i.key, appendFamily(nil, i.v.p, i.v.familyOf(&i.h.Head)))
	}
}

func (v *verifier) familyOf(h *persistence.Head) persistence.FamilyRef {
	return persistence.FamilyRef{Partition: v.s.PartitionOf(h.Parent.ID), Parent: h.Parent.IID, Child: h.IID}
}

// mustList checks that the index entry of a row exists.
func (v *verifier) mustList(key, entry []byte) {
	if ok, err := v.r.get(entry, decodeMark); err == nil && !ok {
		v.damage(key, "its entry is missing: %s", keyString(entry))
	}
}

// lists checks that every index entry has its row.
func (v *verifier) lists() {
	v.each(famHeld, func(key []byte, k *keyReader, _ []byte) {
		ref := k.held()
		lease, _, err := v.r.TurnLease(ref.IID)
		if err == nil && (lease.Held.Reason == "" || lease.Held.SinceMs != ref.SinceMs) {
			v.damage(key, "the instance is not held since then")
		}
	})
	v.each(famDraining, func(key []byte, k *keyReader, _ []byte) {
		head, ok, err := v.r.Head(k.iid())
		if err == nil && (!ok || !head.Status.Terminal() || head.Watchers == 0) {
			v.damage(key, "the instance has not ended with watchers")
		}
	})
	v.each(famFamily, func(key []byte, k *keyReader, _ []byte) {
		ref := k.family()
		head, ok, err := v.r.Head(ref.Child)
		if err == nil && (!ok || v.familyOf(&head) != ref) {
			v.damage(key, "there is no such child of this parent")
		}
	})
	v.each(famRequest, func(key []byte, k *keyReader, value []byte) {
		r, err := decodeRequest(k.string(), k.string(), value)
		if err == nil {
			v.mustList(key, appendExpiry(nil, v.p, expiryOf(&r)))
		}
	})
	v.each(famExpiry, func(key []byte, k *keyReader, _ []byte) {
		ref := k.expiry()
		r, ok, err := v.r.Request(ref.ID, ref.Key)
		if err == nil && (!ok || r.ExpiresAtMs != ref.ExpiresAtMs) {
			v.damage(key, "no request expires then")
		}
	})
}
