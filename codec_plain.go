package turnstone

import (
	"strconv"
)

// Plain strings and whole numbers are most of what goes through the codec. They are written and read here without
// reflection, in exactly the bytes of encoding/json; everything else is left to it.

// encodePlain encodes v if it is plain.
func encodePlain(v any) (data []byte, ok bool) {
	switch v := v.(type) {
	case string:
		if !plainText(v) {
			return nil, false
		}
		data = make([]byte, 0, len(v)+2)
		data = append(data, '"')
		data = append(data, v...)
		return append(data, '"'), true
	case int:
		return strconv.AppendInt(nil, int64(v), 10), true
	}
	return nil, false
}

// decodePlain decodes data into what v points to if both are plain.
func decodePlain(data []byte, v any) bool {
	switch v := v.(type) {
	case *string:
		last := len(data) - 1
		if v == nil || last < 1 || data[0] != '"' || data[last] != '"' || !plainText(data[1:last]) {
			return false
		}
		*v = string(data[1:last])
		return true
	case *int:
		n, ok := plainNumber(data)
		if v == nil || !ok {
			return false
		}
		*v = n
		return true
	}
	return false
}

// plainText says that JSON has this text as it is: printable ASCII without what encoding/json escapes.
func plainText[T string | []byte](text T) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~':
			return false
		case c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return false
		}
	}
	return true
}

// plainDigits is how many digits fit into every int for certain.
const plainDigits = strconv.IntSize/4 + strconv.IntSize/32

// plainNumber reads a whole number as JSON writes it.
func plainNumber(data []byte) (n int, ok bool) {
	digits, negative := data, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) > plainDigits || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
