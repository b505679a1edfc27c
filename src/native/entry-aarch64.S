/*
 * The blob's head; src/build/graft.ts relies on this layout:
 *
 *    0  a branch to the real entry: the executable's e_entry is the blob's first byte
 *    8  8 bytes "MLNATIVE"
 *   16  i64 old entry of the executable minus the address of the blob's first byte; written by the grafter
 *
 * Registers: the loader passes a function in x0; sp points at argc. Both must reach the old entry as they came.
 */
        .section .head, "ax", @progbits
        .globl  blob_start
        .hidden blob_start
blob_start:
        b       enter
        .org    blob_start + 8
        .ascii  "MLNATIVE"
old_entry:
        .quad   0
enter:
        mov     x29, xzr
        mov     x30, xzr
        stp     x0, x1, [sp, #-16]!
        add     x0, sp, #16
        bl      native_entry
        ldp     x0, x1, [sp], #16
        adr     x16, blob_start
        ldr     x17, old_entry
        add     x16, x16, x17
        mov     x30, xzr
        br      x16                     /* x16 may enter a function that is protected by BTI */
        .section .note.GNU-stack, "", @progbits
