//go:build !purego

#include "go_asm.h"
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

// func returns(pcs *chain)
TEXT ·returns(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ 0(AX), R8 // the stack's bounds
	MOVQ 8(AX), R9
	SUBQ $16, R9
	MOVQ pcs+0(FP), DI
	MOVQ $const_chainMax, CX
	MOVQ BP, DX
next:
	CMPQ DX, R8
	JCS  done
	CMPQ DX, R9
	JHI  done
	MOVQ 8(DX), BX
	MOVQ BX, (DI)
	ADDQ $8, DI
	MOVQ (DX), BX
	CMPQ BX, DX
	JLS  done
	MOVQ BX, DX
	DECQ CX
	JNZ  next
done:
	RET
