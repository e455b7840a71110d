package pebble

// status compares the custom status with the head.
func (i *instanceCheck) status() {
	s, ok, err := i.v.r.CustomStatus(i.h.IID)
	if err == nil && (ok != (i.h.StatusVersion > 0) || s.Version != i.h.StatusVersion) {
		i.damage("its custom status is of version %d; the row has version %d", i.h.StatusVersion, s.Version)
	}
}
