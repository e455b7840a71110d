//go:build !purego

#include "go_asm.h"
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

// func returns(pcs *chain)
TEXT ·returns(SB), NOSPLIT|NOFRAME, $0-8
	MOVD 0(g), R8 // the stack's bounds
	MOVD 8(g), R9
	SUB  $16, R9
	MOVD pcs+0(FP), R1
	MOVD $const_chainMax, R2
	MOVD R29, R3
next:
	CMP  R8, R3
	BLO  done
	CMP  R9, R3
	BHI  done
	MOVD 8(R3), R4
	MOVD R4, (R1)
	ADD  $8, R1
	MOVD (R3), R4
	CMP  R3, R4
	BLS  done
	MOVD R4, R3
	SUBS $1, R2
	BNE  next
done:
	RET
