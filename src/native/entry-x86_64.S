/*
 * The blob's head; src/build/graft.ts relies on this layout:
 *
 *    0  a jump to the real entry: the executable's e_entry is the blob's first byte
 *    8  8 bytes "MLNATIVE"
 *   16  i64 old entry of the executable minus the address of the blob's first byte; written by the grafter
 *
 * Registers: the loader passes a function in rdx; rsp points at argc. Both must reach the old entry as they came.
 */
        .section .head, "ax", @progbits
        .globl  blob_start
        .hidden blob_start
blob_start:
        jmp     enter
        .balign 8, 0xcc
        .org    blob_start + 8
        .ascii  "MLNATIVE"
old_entry:
        .quad   0
enter:
        xorl    %ebp, %ebp
        movq    %rsp, %rdi
        pushq   %rdx
        pushq   %rdx                    /* keeps the stack at a multiple of 16 */
        call    native_entry
        popq    %rdx
        popq    %rdx
        leaq    blob_start(%rip), %rax
        addq    old_entry(%rip), %rax
        jmp     *%rax
        .section .note.GNU-stack, "", @progbits
