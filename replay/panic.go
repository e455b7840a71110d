package replay

import (
	"fmt"
	"reflect"
)

// panicText renders what code panicked with. It must be the same when the turn is computed again, so a value that
// holds pointers, whose addresses would be printed, is named by its type only.
func panicText(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("panic with a %T whose text method panicked", v)
		}
	}()
	switch t := v.(type) {
	case string:
		return t
	case error:
		return t.Error()
	case fmt.Stringer:
		return t.String()
	}
	if holdsPointers(reflect.TypeOf(v), 0) {
		return fmt.Sprintf("panic with a %T", v)
	}
	return fmt.Sprint(v)
}

func holdsPointers(t reflect.Type, depth int) bool {
	if t == nil || depth > 8 {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Func, reflect.Chan, reflect.Interface, reflect.Uintptr:
		return true
	case reflect.Slice, reflect.Array:
		return holdsPointers(t.Elem(), depth+1)
	case reflect.Map:
		return holdsPointers(t.Key(), depth+1) || holdsPointers(t.Elem(), depth+1)
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsPointers(t.Field(i).Type, depth+1) {
				return true
			}
		}
	}
	return false
}
