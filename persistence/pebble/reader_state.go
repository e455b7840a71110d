package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// CustomStatus implements persistence.Reader.
func (r *reader) CustomStatus(iid persistence.Incarnation) (status persistence.CustomStatus, ok bool, err error) {
	ok, err = r.get(appendInstance(r.key[:0], r.p, famStatus, iid), func(b []byte) (err error) {
		status, err = decodeStatus(iid, b)
		return err
	})
	return status, ok, err
}
