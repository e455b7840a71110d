//go:build !purego

#include "textflag.h"

// func goroutine() uintptr
TEXT ·goroutine(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET

// func goroutineWord(n uintptr) uintptr
TEXT ·goroutineWord(SB), NOSPLIT, $0-16
	MOVD n+0(FP), R1
	MOVD (g)(R1<<3), R0
	MOVD R0, ret+8(FP)
	RET
