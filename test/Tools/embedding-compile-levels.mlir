// The signature of a function, of i64, begins with the level of x86-64 that its code needs.
// REQUIRES: x86_64
// DEFINE: %{cpu} =
// DEFINE: %{check} = embedding-compile %s --cpu=%{cpu} -o %t.o && llvm-objdump -s --section=.rodata %t.o | FileCheck %s --check-prefix
// REDEFINE: %{cpu} = x86-64
// RUN: %{check}=ONE
// REDEFINE: %{cpu} = nehalem
// RUN: %{check}=TWO
// REDEFINE: %{cpu} = x86-64-v2
// RUN: %{check}=TWO
// REDEFINE: %{cpu} = haswell
// RUN: %{check}=THREE
// REDEFINE: %{cpu} = x86-64-v3
// RUN: %{check}=THREE
// REDEFINE: %{cpu} = x86-64-v4
// RUN: %{check}=FOUR

// ONE: 0000 01000000 00000000
// TWO: 0000 02000000 00000000
// THREE: 0000 03000000 00000000
// FOUR: 0000 04000000 00000000
func.func @f(%x: i64) -> i64 {
  return %x : i64
}
