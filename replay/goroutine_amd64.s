//go:build !purego

#include "textflag.h"

// func goroutine() uintptr
TEXT ·goroutine(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET

// func goroutineWord(n uintptr) uintptr
TEXT ·goroutineWord(SB), NOSPLIT, $0-16
	MOVQ (TLS), AX
	MOVQ n+0(FP), CX
	MOVQ (AX)(CX*8), AX
	MOVQ AX, ret+8(FP)
	RET
